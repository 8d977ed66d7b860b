"""The interface of every attribution method."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor, nn


class Method(ABC):
    """An attribution method; subclasses are frozen dataclasses whose fields are the hyperparameters.

    A field called ``batch_size`` is the number of images that the method sends through the model at once. A method that
    draws has a field ``seed``: another seed is another draw of the same method.
    """

    version: ClassVar[int] = 1
    """Stated and raised in the class whose numbers someone changes: outdates that class and its subclasses alone."""

    implementation: ClassVar[Literal["heatmark", "pytorch_grad_cam", "captum"]] = "heatmark"
    """Whose code computes the map."""

    speed_only: ClassVar[frozenset[str]] = frozenset({"batch_size"})
    """Names of the fields that change speed and memory but no number; they are no part of a cell's identity."""

    explains: ClassVar[Literal["layer", "input"]] = "layer"
    """``input`` for a method that belongs to no layer; it runs once per model, under the layer name ``input``."""

    replicates: ClassVar[int] = 1
    """How many draws a method that has a field ``seed`` gets at least in a sweep; its number is their mean."""

    @abstractmethod
    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        """Return the raw relevance maps in the method's own resolution.

        Args:
            model: a classifier from images (N, 3, H, W) to logits (N, classes); its state is the same afterwards.
            images: (N, 3, H, W), normalised as the model expects them.
            targets: (N,) integer class indices.
            layer: dotted name of a submodule; ignored by methods that explain the input.

        Returns:
            Maps (N, h, w) on the images' device, neither upsampled nor normalised; NaN where a map is undefined.

        Raises:
            ValueError: if the layer is unknown or its output is not a map.
        """

    def unsupported(self, model: nn.Module, layer: str) -> str | None:  # noqa: ARG002
        """Return the reason why this model and layer must be skipped, or None if the method can explain them."""
        return None

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float | None:  # noqa: ARG002
        """Return the cost of one image's map in plain forward passes, a backward pass counted as one; None if unknown.

        It is used to estimate times alone, and changes no number.

        Args:
            model: a classifier in evaluation mode.
            layer: dotted name of the layer to explain.
            shape: (C, H, W) of the images.
        """
        return None
