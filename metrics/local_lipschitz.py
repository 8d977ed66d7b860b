"""The local Lipschitz metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.neighbours import Neighbour, Neighbourhood, norm
from heatmark.metrics.engine.per_image import precise
from heatmark.metrics.protocols import LIPSCHITZ_PROTOCOLS


@dataclass(frozen=True)
class LocalLipschitz(Neighbourhood):
    """Local Lipschitz estimate: the largest change of the map per change of the image nearby; lower is better.

    L = max over x′ of ‖φ(x) − φ(x′)‖₂ / ‖x − x′‖₂, in [0, ∞),

    x′ drawn in the neighbourhood of x. A map times 100 has a value 100 times as large, so that methods whose maps have
    different units are not to be compared. It is undefined for a map that is not finite, and, with ``kept``, where
    every x′ changes the prediction. It costs a map and a forward pass per draw, and one.

    The options and the errors are those of :class:`~heatmark.metrics.engine.neighbours.Neighbourhood`.

    Alvarez-Melis and Jaakkola, "On the Robustness of Interpretability Methods", WHI 2018, equation 1. Deviations: the
    largest of a few draws, where the paper searches; the map as it is. Quantus divides each batch of maps by its
    largest value, unless ``normalise=False``, so that the value depends on the other images. Presets: ``quantus-0.6``
    (Gaussian of deviation .1, 200 draws) and ``latec-2024`` (.2, 10) count draws that change the prediction;
    ``heatmark-1`` does not (evenly from [−.02, .02], 10 draws).

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    >>> image = torch.arange(12.0).view(1, 3, 2, 2)
    >>> triple = lambda model, images, targets: 3 * images.double().sum(dim=1).sum(dim=(1, 2), keepdim=True)
    >>> batch = Explained(model, image, torch.tensor([2]), triple(model, image, None), None, triple)
    >>> bool(LocalLipschitz()(batch).values < 3 * 12**0.5)  # ‖3 Σ δ‖ ≤ 3 √12 ‖δ‖ for 12 numbers
    True
    """

    relative: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in LIPSCHITZ_PROTOCOLS.items()
    }

    def change(self, batch: Explained, near: Neighbour) -> Tensor:
        """Return the distance of each pair of maps over that of the images, (N,)."""
        moved = norm(precise(near.maps) - precise(batch.maps))
        return moved / norm(precise(near.images) - precise(batch.images))
