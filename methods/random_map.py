"""Control: a random map."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.common.probabilities import full_precision
from heatmark.common.seeds import image_generator
from heatmark.methods.base import Method


@dataclass(frozen=True)
class RandomMap(Method):
    """Control: uniform noise in [0, 1), which knows neither the model nor the target.

    The noise is a coarse grid, which is upsampled like any raw map, because CAMs are coarse too: noise at every pixel
    would remove a fine raster, which breaks an image far sooner than any map of connected regions can, and the
    control would differ from the methods by its scale more than by what it knows.

    Args:
        cells: of the grid along each side; 8 is about a last convolution's.
        seed: the noise of an image depends on this seed and the image's own pixels, not on its batch.
    """

    explains = "input"

    cells: int = 8
    seed: int = 0

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return maps (N, cells, cells) in [0, 1)."""
        maps = full_precision(images.new_empty(len(images), self.cells, self.cells))
        for place, image in zip(maps, images, strict=True):
            place.copy_(torch.rand(place.shape, generator=image_generator(image, self.seed)))
        return maps
