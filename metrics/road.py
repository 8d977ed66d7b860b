"""The ROAD metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from heatmark.metrics.base import Curve, CurveMetric, Scores
from heatmark.metrics.engine.imputed_path import ImputedPath, Space
from heatmark.metrics.engine.pixel_path import Order
from heatmark.metrics.engine.presets import settled
from heatmark.metrics.engine.summaries import mean_of_points, summed
from heatmark.metrics.protocols import IMPUTATION_PROTOCOLS


@dataclass(frozen=True)
class ROAD(CurveMetric):
    """Remove and debias, most relevant first: the target's probability while pixels are imputed; lower is better.

    ROAD = mean over fractions f of p(target | image whose fraction f of most relevant pixels is imputed), in [0, 1].

    A pixel is imputed as the weighted mean of its neighbours, plus noise, so that the picture tells little of which
    pixels were removed. The preset ``road-2022`` has the authors' fractions and noise; ``road-pgc`` those of
    pytorch-grad-cam, which adds the noise to the normalised image, where it is about a fourth as strong.

    Args:
        preset: name of the protocol, which gives the values of options that are None.
        fractions: the fractions removed, ascending, in [0, 1).
        noise: standard deviation of the noise.
        space: where it is measured: ``pixels``, colours in [0, 1], or ``model``, the normalised images.
        ties: order of pixels of equal value; see :mod:`heatmark.metrics.engine.ties`.
        seed: seed of the noise and of a drawn order, which also depend on the image's own pixels.

    Raises:
        ValueError: if a name is unknown (the message names the nearest), or a number out of its range. When called: if
            a fraction leaves no pixel, or the noise is in pixels and the batch has no normalisation.

    Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods", ICML 2022, section 4.2.
    Deviations: the mean over the fractions, where the paper has curves; a smooth drawn order of pixels of equal value,
    where the authors add noise of 1e-4 to the map scaled to [0, 1] and pytorch-grad-cam removes all that equal the
    threshold; the probability, where pytorch-grad-cam takes the logit if it is not told otherwise.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 3, 3)
    >>> image[0, 0, 1, 1] = 4  # one red pixel, black neighbours
    >>> batch = Explained(model, image, torch.tensor([0]), image[:, 0], None, lambda *_: image[:, 0])
    >>> ROAD(fractions=[0, 0.1], noise=0)(batch).values  # 0.965 with the pixel, 0.333 when it is imputed
    tensor([0.6490])
    """

    higher_is_better: ClassVar[bool | None] = False
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in IMPUTATION_PROTOCOLS.items()
    }
    order: ClassVar[Order] = "morf"

    preset: str = "road-2022"
    fractions: Sequence[float] | None = None
    noise: float | None = None
    space: Space | None = None
    ties: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.fractions is not None:
            object.__setattr__(self, "fractions", tuple(float(fraction) for fraction in self.fractions))
        for option, value in settled(self.preset, vars(self), self.presets).items():
            object.__setattr__(self, option, value)
        object.__setattr__(self, "seed", self.path.seed)

    @property
    def path(self) -> ImputedPath:
        """The path with these options."""
        fractions, space = cast("Sequence[float]", self.fractions), cast("Space", self.space)
        return ImputedPath(self.order, fractions, cast("float", self.noise), space, str(self.ties), self.seed)

    def summarise(self, curve: Curve) -> Scores:
        """Return the mean of each curve's points, in [0, 1]; NaN, with the reason, where a point is NaN."""
        return summed(curve, mean_of_points(curve))
