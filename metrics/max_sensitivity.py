"""The max-sensitivity metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.neighbours import Neighbour, Neighbourhood, relative_change
from heatmark.metrics.protocols import SENSITIVITY_PROTOCOLS


@dataclass(frozen=True)
class MaxSensitivity(Neighbourhood):
    """Max-sensitivity: the largest relative change of the map under small changes of the image; lower is better.

    s = max over δ of ‖e(x + δ) − e(x)‖₂ / ‖e(x)‖₂, in [0, ∞),

    δ drawn evenly from [−r, r] per pixel and channel. It is undefined for a map that is zero everywhere or not finite,
    and, with ``kept``, where every δ changes the prediction. It costs a map and a forward pass per draw, and one.

    The options and the errors are those of :class:`~heatmark.metrics.engine.neighbours.Neighbourhood`.

    Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019, definition 3.1. The presets:
    ``captum-0.9`` (r = .02, 10 draws), ``quantus-0.6`` (.2, 200), ``pnpxai-0.1`` (.2, 8), ``latec-2024`` (.2, 10). All
    of them count draws that change the prediction; ``heatmark-1`` is Captum's without these.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    >>> image = torch.arange(12.0).view(1, 3, 2, 2)
    >>> still = lambda model, images, targets: image[:, 0]
    >>> jumping = lambda model, images, targets: -2 * image[:, 0]
    >>> batches = [Explained(model, image, torch.tensor([2]), image[:, 0], None, f) for f in (still, jumping)]
    >>> torch.cat([MaxSensitivity()(batch).values for batch in batches]).round(decimals=4)
    tensor([0., 3.], dtype=torch.float64)
    """

    version: ClassVar[int] = 2
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in SENSITIVITY_PROTOCOLS.items()
    }

    def change(self, batch: Explained, near: Neighbour) -> Tensor:
        """Return the relative change of each map, (N,)."""
        return relative_change(batch.maps, near.maps)
