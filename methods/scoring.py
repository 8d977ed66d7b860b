"""The target's probability on images that a method makes up."""

from torch import Tensor, nn

from methods.capture import target_logits


def target_probabilities(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return softmax(model(images))[n, targets[n]], (N,); the caller says evaluation mode and no graph."""
    return target_logits(model(images).softmax(dim=1), targets)
