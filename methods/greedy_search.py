"""Greedy search: a map made to win a metric."""

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn

from heatmark.common.baselines import find_baseline
from heatmark.common.batching import padded
from heatmark.common.model_state import observing
from heatmark.common.names import look_up
from heatmark.common.probabilities import full_precision, target_probabilities
from heatmark.methods.base import Method

AIMS = ("deletion", "insertion")


@dataclass(frozen=True)
class GreedySearch(Method):
    """A ceiling: the order of an image's cells that deletion, or insertion, rewards most, found by greedy search.

    The image is cut into cells × cells. With R_0 = ∅ and the cells R_k that are changed after k steps,

    deletion: R_{k+1} = R_k ∪ {argmin_r p(target | the baseline in R_k ∪ {r}, the image elsewhere)}
    insertion: R_{k+1} = R_k ∪ {argmax_r p(target | the image in R_k ∪ {r}, the baseline elsewhere)}

    with r any cell that is left, the first in raster order of equal ones. The cell that goes k-th has the value
    1 − (k − 1) / cells², so that the map's order is that of the search.

    It explains nothing: it shows how far a metric can be driven by whoever aims at it, and, under metrics at which it
    did not aim, how much of that is about the model. The search is greedy, so that a method may still be better.

    Args:
        aim: ``deletion``, or ``insertion``.
        cells: number of cells along each side; the cost grows with its fourth power.
        baseline: what replaces cells: ``zero``, ``mean``, ``blur``, …; see :mod:`heatmark.common.baselines`.
        batch_size: number of images that go through the model at once.

    Raises:
        ValueError: if a name is unknown (the message names the nearest), ``cells`` is below 1, or, when called, above
            the number of an image's rows or columns.

    Heatmark's own; after MDA (ICLR 2025), which optimises the two metrics, too.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 4, 4)
    >>> image[0, 0, :2, 2:] = 4  # red at the top right
    >>> image[0, 0, 2:, 2:] = 1  # less red below
    >>> GreedySearch(cells=2)(model.eval(), image, torch.tensor([0]), layer="input")[0, ::2, ::2]
    tensor([[0.5000, 1.0000],
            [0.2500, 0.7500]])
    """

    explains = "input"

    aim: str = "deletion"
    cells: int = 7
    baseline: str = "zero"
    batch_size: int = 16

    def __post_init__(self) -> None:
        look_up("aim", self.aim, dict.fromkeys(AIMS))
        find_baseline(self.baseline)
        if self.cells < 1:
            raise ValueError(f"cells={self.cells}, expected at least 1")

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return maps (N, H, W) in the images' resolution, in (0, 1], constant on each cell."""
        number = self._numbers(images.shape[-2], images.shape[-1]).to(images.device)
        with observing(model):
            found = [
                self._searched(model, image, target, number) for image, target in zip(images, targets, strict=True)
            ]
        return torch.stack(found) if found else full_precision(images.new_empty(0, *images.shape[-2:]))

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return the number of images tried, G (G + 1) / 2 for G cells."""
        number = self.cells**2
        return number * (number + 1) / 2

    def _numbers(self, height: int, width: int) -> Tensor:
        """Return the number of every pixel's cell in raster order, (H, W)."""
        if self.cells > min(height, width):
            raise ValueError(
                f"cells={self.cells}, expected at most the {min(height, width)} rows or columns of an image"
            )
        rows, columns = (torch.arange(size) * self.cells // size for size in (height, width))
        return rows[:, None] * self.cells + columns

    def _searched(self, model: nn.Module, image: Tensor, target: Tensor, number: Tensor) -> Tensor:
        """Return one image's map, (H, W)."""
        fill = find_baseline(self.baseline)(image[None])[0]
        start, end = (image, fill) if self.aim == "deletion" else (fill, image)
        left, values = list(range(self.cells**2)), full_precision(image.new_empty(self.cells**2))
        changed = torch.zeros_like(number, dtype=torch.bool)
        while left:
            tried = changed | (number == torch.tensor(left, device=number.device).view(-1, 1, 1))
            scores = self._scores(model, start, end, tried, target)
            best = int(scores.argmin() if self.aim == "deletion" else scores.argmax())
            values[left[best]] = len(left) / self.cells**2
            changed = tried[best]
            del left[best]
        return values[number]

    def _scores(self, model: nn.Module, start: Tensor, end: Tensor, changed: Tensor, target: Tensor) -> Tensor:
        """Return the target's probability for the image changed in each of M sets of pixels (M, H, W), (M,)."""
        whole = ceil(len(changed) / self.batch_size) * self.batch_size
        scores = [
            target_probabilities(model, torch.where(part[:, None], end, start), target.expand(len(part)))
            for part in torch.split(padded(changed, whole), self.batch_size)
        ]
        return torch.cat(scores)[: len(changed)]
