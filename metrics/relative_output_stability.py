"""The relative output stability metric."""

from dataclasses import dataclass

from torch import Tensor

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.neighbours import Neighbour, norm
from heatmark.metrics.engine.relative_stability import RelativeStability


@dataclass(frozen=True)
class RelativeOutputStability(RelativeStability):
    """Relative output stability: the map's change in parts of its pixels over that of the logits; lower is better.

    ROS = max over x′ of ‖(e(x) − e(x′)) / e(x)‖₂ / max(‖h(x) − h(x′)‖₂, ε), in [0, ∞),

    h the logits, x′ a neighbour of x that keeps the predicted class; divided pixel by pixel, ε in place of one that is
    exactly 0. It is undefined for a map that is zero everywhere or not finite, and where no neighbour counts. It costs
    a map and a forward pass per draw, and one.

    The options and the errors are those of :class:`~heatmark.metrics.engine.relative_stability.RelativeStability`.

    Agarwal et al., "Rethinking Stability for Attribution-based Explanations", 2022, arXiv 2203.06877, equation 5. The
    presets are those of :class:`~heatmark.metrics.relative_input_stability.RelativeInputStability`.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    >>> image = torch.arange(1.0, 13.0).view(1, 3, 2, 2)
    >>> doubled = lambda model, images, targets: 2 * image[:, 0] if images is not image else image[:, 0]
    >>> batch = Explained(model, image, torch.tensor([2]), image[:, 0], None, doubled)
    >>> bool(RelativeOutputStability()(batch).values > 2 / 0.04)  # ‖(1, 1, 1, 1)‖ = 2, logits move by less than .04
    True
    """

    def distance(self, batch: Explained, near: Neighbour) -> Tensor:  # noqa: ARG002
        """Return the distance of the logits, (N,)."""
        return norm(near.logit_change)
