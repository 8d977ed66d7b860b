"""A control: a map of random noise."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.common.probabilities import full_precision
from heatmark.common.seeds import image_generator
from heatmark.methods.base import Method


@dataclass(frozen=True)
class RandomMap(Method):
    """A control: uniform noise in [0, 1), independent of the model and the target.

    The noise is a coarse grid that is upsampled like any raw map, because CAMs are coarse too. With independent noise
    at every pixel, deletion would remove scattered single pixels. That changes a prediction much sooner than removing
    connected regions does, so that the control would differ from the methods mainly by its resolution.

    One draw is a poor reference: over three seeds, the mean deletion on one set of images was .183, .220 and .270. A
    sweep therefore takes the mean of five draws per image.

    Args:
        cells: number of grid cells along each side; 8 is about the resolution of a last convolution.
        seed: the noise of an image depends on this seed and on the image's own pixels, not on its batch.

    >>> import torch
    >>> from torch import nn
    >>> RandomMap(cells=8)(nn.Identity(), torch.zeros(2, 3, 64, 64), torch.tensor([0, 1]), "input").shape
    torch.Size([2, 8, 8])
    """

    explains = "input"
    replicates = 5

    cells: int = 8
    seed: int = 0

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return maps (N, cells, cells) in [0, 1)."""
        maps = full_precision(images.new_empty(len(images), self.cells, self.cells))
        for place, image in zip(maps, images, strict=True):
            place.copy_(torch.rand(place.shape, generator=image_generator(image, self.seed)))
        return maps

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return 0: the model is not asked."""
        return 0.0
