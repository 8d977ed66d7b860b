"""The relative input stability metric."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.neighbours import Neighbour, norm
from heatmark.metrics.engine.relative_stability import RelativeStability


@dataclass(frozen=True)
class RelativeInputStability(RelativeStability):
    """Relative input stability: the map's change in parts of its pixels over the image's; lower is better.

    RIS = max over x′ of ‖(e(x) − e(x′)) / e(x)‖₂ / max(‖(x − x′) / x‖₂, ε), in [0, ∞),

    x′ a neighbour of x that keeps the predicted class; divided pixel by pixel, ε in place of one that is exactly 0. It
    is undefined for a map that is zero everywhere or not finite, and where no neighbour counts. It costs a map and a
    forward pass per draw, and one.

    The options and the errors are those of :class:`~heatmark.metrics.engine.relative_stability.RelativeStability`.

    Agarwal et al., "Rethinking Stability for Attribution-based Explanations", 2022, arXiv 2203.06877, equation 2.
    Deviation: x in the model's normalised space. The preset ``quantus-0.6`` (evenly from [.02, .2]: to one side, 200
    draws) has no value for an image of which any draw changes the prediction; so has ``latec-2024`` (10 draws).
    ``heatmark-1`` (evenly from [−.02, .02], 10 draws) counts the draws that keep it, as the paper does.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    >>> image = torch.arange(1.0, 13.0).view(1, 3, 2, 2)
    >>> first = lambda model, images, targets: images[:, 0]
    >>> batch = Explained(model, image, torch.tensor([2]), image[:, 0], None, first)
    >>> bool(RelativeInputStability()(batch).values < 1)  # the map changes as a third of the image does
    True
    """

    def distance(self, batch: Explained, near: Neighbour) -> Tensor:
        """Return the change of each image in parts of its pixels, (N,)."""
        return norm(self.parts(batch.images, near.images))
