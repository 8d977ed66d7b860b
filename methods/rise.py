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
    """RISE: average random masks, each weighed with the target's probability on the image that it lets through.

    S(λ) = 1 / (E[M] · n) Σ_i p(X ⊙ M_i) M_i(λ) (eq. 6), with p the target's softmax probability and E[M] the mask's
    expectation, which is ``probability`` at every pixel.

    A mask is a grid of cells × cells, each cell 1 with ``probability``, else 0, upsampled bilinearly so that one cell
    covers ⌈H/cells⌉ × ⌈W/cells⌉ pixels, then cropped at a random place within one cell (section 3.2). A masked pixel
    is 0 in the model's normalised input, the mean colour.

    The masks come from the seed alone: the same for every image, in every batch.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018.

    Args:
        masks: how many, n; the paper takes 4000 for VGG-16 and 8000 for ResNet-50.
        cells: of the grid along each side.
        probability: that a cell stays visible, in (0, 1].
        seed: of the masks.
        batch_size: masked images through the model at once; memory does not grow with ``masks``.
    """

    explains = "input"

    masks: int = 4000
    cells: int = 7
    probability: float = 0.5
    seed: int = 0
    batch_size: int = 16

    def __post_init__(self) -> None:
        """Refuse what makes no masks."""
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

    def _draws(self) -> list[tuple[Tensor, Tensor]]:
        """Return chunks of visible cells (B, cells, cells) and of places in [0, 1)² to crop at (B, 2)."""
        generator = torch.Generator().manual_seed(self.seed)
        grids = torch.rand(self.masks, self.cells, self.cells, generator=generator) < self.probability
        offsets = torch.rand(self.masks, 2, generator=generator)
        return list(zip(torch.split(grids, self.batch_size), torch.split(offsets, self.batch_size), strict=True))


def place(grids: Tensor, offsets: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return masks (B, H, W) in [0, 1] from grids of cells, upsampled and cropped at a fraction of one cell.

    The upsampled grid has one cell more than the image along each side, so that every crop lies inside it.
    """
    cell = [ceil(side / cells) for side, cells in zip(size, grids.shape[1:], strict=True)]
    whole = [(cells + 1) * side for side, cells in zip(cell, grids.shape[1:], strict=True)]
    up = upsample(grids.float(), whole)
    corners = (offsets * torch.tensor(cell)).long().tolist()
    return torch.stack([u[y : y + size[0], x : x + size[1]] for u, (y, x) in zip(up, corners, strict=True)])
