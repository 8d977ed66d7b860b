"""RISE."""

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn

from heatmark.common.model_state import observing
from heatmark.common.probabilities import class_probabilities, full_precision, target_logits
from heatmark.common.resize import upsample
from heatmark.methods.base import Method


@dataclass(frozen=True)
class RISE(Method):
    """RISE: the average of random masks, each weighted by the target's probability on the masked image.

    S(λ) = 1 / (E[M] · n) Σ_i p(X ⊙ M_i) M_i(λ) (eq. 6),

    with λ a pixel, p the target's softmax probability, n the number of masks and E[M] the mask's expectation, which is
    ``probability`` at every pixel.

    A mask is a grid of cells × cells, each cell 1 with ``probability``, else 0. It is upsampled bilinearly so that one
    cell covers ⌈H/cells⌉ × ⌈W/cells⌉ pixels, then cropped at a random offset of up to one cell (section 3.2). A masked
    pixel is 0 in the model's normalised input, which is the mean colour of the training data.

    The masks come from the seed alone: the same for every image, in every batch.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018.

    Args:
        masks: number of masks n; the paper takes 4000 for VGG-16 and 8000 for ResNet-50.
        cells: number of grid cells along each side.
        probability: probability that a cell stays visible, in (0, 1].
        seed: seed of the masks.
        batch_size: number of masked images that go through the model at once; memory does not grow with ``masks``.

    Raises:
        ValueError: if masks or cells are below 1, or the probability is outside (0, 1].

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 8, 8)
    >>> image[0, 0, :4, 4:] = 4  # red at the top right
    >>> saliency = RISE(masks=200, cells=2)(model.eval(), image, torch.tensor([0]), layer="input")
    >>> bool(saliency[0, 0, 7] > saliency[0, 7, 0])  # the top right is more relevant than the bottom left
    True
    """

    explains = "input"

    masks: int = 4000
    cells: int = 7
    probability: float = 0.5
    seed: int = 0
    batch_size: int = 16

    def __post_init__(self) -> None:
        """Check the options."""
        if self.masks < 1 or self.cells < 1 or not 0 < self.probability <= 1:
            raise ValueError(
                f"masks={self.masks}, cells={self.cells}, probability={self.probability}: "
                "expected masks and cells of at least 1 and a probability in (0, 1]"
            )

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return maps (N, H, W) in the images' resolution, each in [0, 1 / probability]."""
        with observing(model):
            saliency = full_precision(images.new_zeros(len(images), *images.shape[-2:]))
            for grids, offsets in self._draws():
                masks = place(grids, offsets, images.shape[-2:]).to(saliency)
                for n, image in enumerate(images):
                    masked = image * masks[:, None].to(images)
                    probabilities = class_probabilities(model(masked))
                    scores = target_logits(probabilities, targets[n].expand(len(masks)))
                    saliency[n] += torch.tensordot(scores.to(masks), masks, dims=1)
        return saliency / (self.probability * self.masks)

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return the number of masks, each a forward pass."""
        return float(self.masks)

    def _draws(self) -> list[tuple[Tensor, Tensor]]:
        """Return chunks of random grids (B, cells, cells) and crop offsets (B, 2) in [0, 1)², in units of one cell."""
        generator = torch.Generator().manual_seed(self.seed)
        grids = torch.rand(self.masks, self.cells, self.cells, generator=generator) < self.probability
        offsets = torch.rand(self.masks, 2, generator=generator)
        return list(zip(torch.split(grids, self.batch_size), torch.split(offsets, self.batch_size), strict=True))


def place(grids: Tensor, offsets: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return masks (B, H, W) in [0, 1]: the grids upsampled, then cropped at offsets in units of one cell.

    The upsampled grid is at least one cell larger than the image along each side, so that every crop fits into it.
    """
    cell = [ceil(side / cells) for side, cells in zip(size, grids.shape[1:], strict=True)]
    whole = [(cells + 1) * side for side, cells in zip(cell, grids.shape[1:], strict=True)]
    up = upsample(grids.float(), whole)
    corners = (offsets * torch.tensor(cell)).long().tolist()
    return torch.stack([u[y : y + size[0], x : x + size[1]] for u, (y, x) in zip(up, corners, strict=True)])
