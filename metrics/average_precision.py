"""Average precision of a map as a detector of the mask's pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from heatmark.metrics.engine.per_image import pixels, precise, sums
from heatmark.metrics.engine.placement import Placement


@dataclass(frozen=True)
class AveragePrecision(Placement):
    """Average precision: the mean precision of the most relevant pixels, over all thresholds; higher is better.

    AP = Σ_t (R_t − R_{t−1}) P_t = (1 / |mask|) Σ_{i ∈ mask} |{j ∈ mask : a_j ≥ a_i}| / |{j : a_j ≥ a_i}|, in (0, 1],

    with P and R precision and recall of {a ≥ t} at each value t of the map, from the largest down. Pixels of equal
    relevance share a threshold, so that a constant map has the mask's share of the pixels.

    Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right", CVPR 2020 (PxAP, which leaves out
    ignored pixels, too). It is scikit-learn's ``average_precision_score`` of the pixels that count. Deviation: PxAP
    pools the pixels of all images and bins the thresholds; here each image has its own average precision, over all
    thresholds. It is no area under an interpolated curve.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> mask = torch.tensor([[[True, True], [False, False]]])
    >>> maps = torch.tensor([[[9.0, 4], [5, 1]]])  # (1/1 + 2/3) / 2
    >>> AveragePrecision()(Explained(nn.Identity(), image, target, maps, mask, lambda *_: maps)).values
    tensor([0.8333], dtype=torch.float64)
    """

    def placed(self, relevance: Tensor, masks: Tensor) -> Tensor:
        """Return the average precision, (n,)."""
        ascending, order = relevance.flatten(1).sort(dim=1, stable=True)
        inside = masks.flatten(1).gather(1, order)
        less = torch.searchsorted(ascending, ascending)  # pixels less relevant than each
        inside_less = F.pad(inside.cumsum(dim=1), (1, 0)).gather(1, less)
        sizes = pixels(masks)
        precision = precise(sizes[:, None] - inside_less) / precise(inside.shape[1] - less)
        return sums(precision * inside) / precise(sizes)
