"""Random subsets of an image's cells: the relevance that a map gives them, and the drop when they are replaced."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.common.baselines import find_baseline
from heatmark.common.seeds import image_generator
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.alone import cells_of, grid_cells, scores_of
from heatmark.metrics.engine.per_image import reasons_of
from heatmark.metrics.engine.perturbation import Filled, require_evaluable
from heatmark.metrics.engine.similarity import mean_ranks

VERSION = 2
"""Raised by whoever changes a subset, a sum or a drop."""

NAN = "the map contains NaN"
FLAT_MAP = "the map gives all subsets the same relevance"
FLAT_MODEL = "replacing any of the subsets changes the probability alike"
NAN_SCORE = "the model's score is NaN for a perturbed image"
INFINITE = "relevance or a drop is infinite, so that it has no linear correlation"


@dataclass(frozen=True)
class Draws:
    """Subsets drawn for a batch of images.

    Args:
        relevance: (N, M), the sum of the map over each subset, in float64 on the CPU.
        drop: (N, M), by how much the target's probability falls when the subset is replaced by the fill, on the CPU.
    """

    relevance: Tensor
    drop: Tensor


def draws(batch: Explained, cells: int, sizes: Sequence[int], fill: str) -> Draws:
    """Return one random subset of cells per size and image, with its relevance and its drop.

    An image is cut into cells × cells rectangles whose sides differ by a pixel at most. The subsets are drawn from the
    image's own pixels and ``batch.seed``, the same for every map of the image, whatever its neighbours. M subsets cost
    M + 1 forward passes per image.

    Args:
        batch: model, images, targets, maps, seed and batch size.
        cells: number of cells per side.
        sizes: number of cells in each subset, (M,).
        fill: name of the baseline that replaces a subset; see :mod:`heatmark.common.baselines`.

    Raises:
        ValueError: if the shapes do not match, the model is in training mode, or there are more cells than pixels.
    """
    require_evaluable(batch)
    owner = grid_cells(batch.images, cells)
    chosen = torch.stack([_chosen(image, cells**2, sizes, batch.seed) for image in batch.images]).to(owner.device)
    # in double precision, where sums of equal float32 numbers are exact: subsets of equal relevance are equal, and a
    # constant map has no correlation by rounding; on the CPU, one image at a time, where sums have one order
    pairs = zip(batch.maps.cpu().double(), chosen.cpu(), strict=True)
    relevance = torch.stack([_sums(*each, owner[0].cpu()) for each in pairs])
    scores = _scores(batch, torch.cat([torch.zeros_like(chosen[:, :1]), chosen], dim=1), owner, fill)
    return Draws(relevance, (scores[:, :1] - scores[:, 1:]).cpu())


def _sums(relevance: Tensor, chosen: Tensor, owner: Tensor) -> Tensor:
    """Return the sum of a map (H, W) over each subset (M, cells), (M,)."""
    cells = relevance.new_zeros(chosen.shape[1]).index_add_(0, owner, relevance.flatten())
    return torch.where(chosen, cells, 0.0).sum(dim=1)


def _chosen(image: Tensor, cells: int, sizes: Sequence[int], seed: int) -> Tensor:
    """Return which cells each subset has, (M, cells) booleans."""
    noise = torch.rand(len(sizes), cells, generator=image_generator(image, seed, "subsets"), dtype=torch.float64)
    places = noise.argsort(dim=1).argsort(dim=1)
    return places < torch.tensor(sizes)[:, None]


def _scores(batch: Explained, replaced: Tensor, owner: Tensor, fill: str) -> Tensor:
    """Return the target's probability with each subset (N, K, cells) replaced, (N, K); what is known costs no pass."""
    baseline = find_baseline(fill)
    filled = torch.cat([baseline(image) for image in torch.split(batch.images, 1)])  # alone: neighbours change no bit
    return scores_of(batch, Filled(filled, cells_of(fill, replaced.shape[2])), owner, replaced, "probability")


def correlated(found: Draws, ranks: bool) -> tuple[Tensor, list[str]]:
    """Return the correlation of relevance and drop over each image's subsets, (N,), and why it is undefined.

    Args:
        found: the subsets.
        ranks: whether ranks are correlated (Spearman, equal values share a mean rank), or the numbers (Pearson).
    """
    relevance, drop = (_ranks(each) if ranks else each.double() for each in (found.relevance, found.drop))
    nan = found.relevance.isnan().any(dim=1)
    x, y = (each - each.mean(dim=1, keepdim=True) for each in (relevance, drop))
    scale = (x.square().sum(dim=1) * y.square().sum(dim=1)).sqrt()
    flat_map, flat_model = (each.amax(dim=1) == each.amin(dim=1) for each in (found.relevance, found.drop))
    value = (x * y).sum(dim=1) / scale
    nan_score = found.drop.isnan().any(dim=1)  # which has no rank
    faults = [(nan, NAN), (flat_map, FLAT_MAP), (nan_score, NAN_SCORE), (flat_model, FLAT_MODEL)]
    reasons = reasons_of([*faults, (value.isnan(), INFINITE)])
    return value.masked_fill(torch.tensor([bool(why) for why in reasons]), torch.nan), reasons


def _ranks(values: Tensor) -> Tensor:
    return torch.stack([mean_ranks(row).to(values.device) for row in values])
