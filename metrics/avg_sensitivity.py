"""The average-sensitivity metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.neighbours import Neighbour, Neighbourhood, relative_change
from heatmark.metrics.engine.per_image import sums
from heatmark.metrics.protocols import SENSITIVITY_PROTOCOLS


@dataclass(frozen=True)
class AvgSensitivity(Neighbourhood):
    """Average sensitivity: the mean relative change of the map under small changes of the image; lower is better.

    s = mean over δ of ‖e(x + δ) − e(x)‖₂ / ‖e(x)‖₂, in [0, ∞),

    δ drawn evenly from [−r, r] per pixel and channel. It is undefined for a map that is zero everywhere or not finite,
    and, with ``kept``, where every δ changes the prediction. It costs a map and a forward pass per draw, and one.

    The options and the errors are those of :class:`~heatmark.metrics.engine.neighbours.Neighbourhood`.

    Bhatt et al., "Evaluating and Aggregating Feature-based Model Explanations", IJCAI 2020, section 4.1, with the
    relative distance of Yeh et al. 2019, as in Quantus. The preset ``quantus-0.6`` (r = .2, 200 draws) counts draws
    that change the prediction; ``heatmark-1`` does not (r = .02, 10 draws).

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    >>> image = torch.arange(12.0).view(1, 3, 2, 2)
    >>> still = lambda model, images, targets: image[:, 0]
    >>> jumping = lambda model, images, targets: -2 * image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([2]), image[:, 0], None, f) for f in (still, jumping)]
    >>> torch.cat([AvgSensitivity()(batch).values for batch in batches]).round(decimals=4)
    tensor([0., 3.], dtype=torch.float64)
    """

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: SENSITIVITY_PROTOCOLS[name].values for name in ("heatmark-1", "quantus-0.6")
    }

    def change(self, batch: Explained, near: Neighbour) -> Tensor:
        """Return the relative change of each map, (N,)."""
        return relative_change(batch.maps, near.maps)

    def summed(self, changes: Tensor, counts: Tensor) -> Tensor:
        """Return the mean of the changes (N, K) that count, (N,); NaN where none does."""
        return sums(changes.masked_fill(~counts, 0)) / counts.sum(dim=1)
