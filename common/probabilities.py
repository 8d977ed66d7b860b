"""The target's softmax probability on a batch of images."""

from torch import Tensor, nn

from heatmark.methods.engine.capture import full_precision, target_logits


def target_probabilities(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return softmax(model(images))[n, targets[n]], (N,), in float32 or better; call it inside ``observing(model)``."""
    return target_logits(full_precision(model(images)).softmax(dim=1), targets)
