"""Profiles of metrics without a curve of pixels: our own reading of other packages' code, in NumPy and SciPy.

Every function's default is the package's convention; an argument undoes it.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate, gaussian_filter
from scipy.stats import spearmanr
from torch import Tensor, nn

from heatmark.benchmarks.conformance.metrics import ours
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.stages import MetricStages
from heatmark.metrics.parameter_randomisation import ParameterRandomisation

Array = NDArray[np.float64]


def quantus_pointing_game(
    batch: Explained, ties: str = "any", constant: float = 1.0, empty: float = 1.0
) -> MetricStages:
    """Return Quantus's pointing game: a hit if any maximum lies inside, for a constant map and an empty mask too.

    Args:
        batch: maps and masks.
        ties: ``any`` of the maxima is enough, or ``share``: of them that hit.
        constant: the value of a constant map.
        empty: the value of an image with an empty mask; Quantus writes NaN into booleans, which is a hit.
    """
    assert batch.masks is not None
    values = []
    for relevance, mask in zip(batch.maps.numpy(), batch.masks.numpy(), strict=True):
        hits = mask[relevance == relevance.max()]
        value = float(hits.any()) if ties == "any" else float(hits.mean())
        value = constant if relevance.min() == relevance.max() else value
        values.append(value if mask.any() else empty)
    return MetricStages(sum=torch.tensor(values))


def pnpxai_entropy(batch: Explained, bins: int | None = 10) -> MetricStages:
    """Return PnPXAI's complexity: the entropy of a histogram of the map's values.

    Args:
        batch: maps.
        bins: of the histogram; None takes the pixels' shares of the absolute relevance.
    """
    maps = batch.maps.double().numpy()
    counts = [np.abs(each).ravel() if bins is None else np.histogram(each, bins)[0] for each in maps]
    return MetricStages(sum=torch.tensor([_entropy(each / each.sum()) for each in counts]))


def _entropy(shares: Array) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def xplique_mu_fidelity(batch: Explained, cells: int, samples: int, undefined: float = 0.0) -> MetricStages:
    """Return xplique's µFidelity on our subsets: the rank correlation, 0 where it is undefined.

    Args:
        batch: model, images, targets, maps and seed.
        cells: per side.
        samples: number of subsets.
        undefined: what an undefined correlation is counted as.
    """
    masks, _, drop = ours.subsets(batch, cells, round(0.2 * cells**2), samples)
    relevance = (masks * batch.maps[:, None]).sum(dim=(2, 3))
    pairs = zip(relevance.numpy(), drop.numpy(), strict=True)
    rhos = [np.nan if np.ptp(a) == 0 or np.ptp(b) == 0 else float(spearmanr(a, b).statistic) for a, b in pairs]
    return MetricStages(sum=torch.tensor([undefined if np.isnan(rho) else rho for rho in rhos]))


def quantus_parameter_randomisation(batch: Explained, points: int, intact: bool = True) -> MetricStages:
    """Return Quantus's mean over randomised models, on our models: the intact one, which has 1, is counted.

    Args:
        batch: model, images, targets, maps, seed and ``explain``.
        points: number of randomised models.
        intact: whether the intact model is counted.
    """
    found: list[Tensor] = [batch.maps] if intact else []

    def explain(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        found.append(batch.explain(model, images, targets))
        return found[-1]

    ParameterRandomisation(points=points)(
        Explained(batch.model, batch.images, batch.targets, batch.maps, None, explain, seed=batch.seed)
    )
    pairs = [zip(batch.maps.flatten(1), maps.flatten(1), strict=True) for maps in found]
    rhos = [[float(spearmanr(a, b).statistic) for a, b in each] for each in pairs]
    y = torch.tensor(rhos).T
    return MetricStages(curve=y, sum=y.mean(dim=1))


def gaussian_blur(batch: Explained, pixels: int, sigma: float, border: str, rise: bool = False) -> MetricStages:
    """Return images blurred with a Gaussian window, as the fill of an insertion, and their mean.

    Args:
        batch: images.
        pixels: side of the window.
        sigma: of the Gaussian, in pixels.
        border: SciPy's name of what stands beyond the image: ``mirror`` (PyTorch's reflect) or ``constant``, zero.
        rise: whether the window is RISE's: a Gaussian filter of an impulse with reflecting borders, nearly a box.
    """
    places = np.arange(pixels) - pixels // 2
    impulse = np.zeros((pixels, pixels))
    impulse[pixels // 2, pixels // 2] = 1
    window = np.exp(-(places[:, None] ** 2 + places**2) / (2 * sigma**2))
    window = gaussian_filter(impulse, sigma) if rise else window / window.sum()
    fills = torch.from_numpy(correlate(batch.images.double().numpy(), window[None, None], mode=border))
    return MetricStages(fills=fills, sum=fills.flatten(1).mean(dim=1))
