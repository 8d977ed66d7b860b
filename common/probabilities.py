"""The target's probability on images that a method makes up."""

from torch import Tensor, nn

from heatmark.methods.engine.capture import full_precision, target_logits


def target_probabilities(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return softmax(model(images))[n, targets[n]], (N,), in float32 or better; the caller says :func:`observing`."""
    return target_logits(full_precision(model(images)).softmax(dim=1), targets)
