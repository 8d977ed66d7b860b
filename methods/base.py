"""The one interface of every attribution method."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor, nn


class Method(ABC):
    """An attribution method: subclasses are frozen dataclasses whose fields are the hyperparameters.

    A field called ``batch_size`` says how many images the method sends through the model at once.
    """

    implementation: ClassVar[Literal["heatmark", "pytorch_grad_cam", "captum"]] = "heatmark"
    """Whose code computes the map."""

    speed_only: ClassVar[frozenset[str]] = frozenset({"batch_size"})
    """Fields that change speed and memory, never a number; they are no part of a cell's identity."""

    explains: ClassVar[Literal["layer", "input"]] = "layer"
    """``input`` for a method that belongs to no layer; it runs once a model, under the layer name ``input``."""

    @abstractmethod
    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return the raw relevance maps, at the method's own resolution.

        Args:
            model: a classifier, images (N, 3, H, W) to logits (N, classes); left exactly as it was found.
            images: (N, 3, H, W), normalised as the model wants them.
            targets: (N,) integer class indices.
            layer: dotted name of a submodule; ignored by methods that explain the input.

        Returns:
            (N, h, w) on the images' device, neither upsampled nor normalised.

        Raises:
            ValueError: where the layer is unknown or gives no map.
        """

    def unsupported(self, model: nn.Module, layer: str) -> str | None:  # noqa: ARG002
        """Say why this model and layer must be skipped, or None where they work."""
        return None
