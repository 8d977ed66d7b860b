"""The infidelity metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor

from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.engine.fills import find_fill
from heatmark.metrics.engine.perturbations import Perturbing, find_perturbation, perturbed_draws
from heatmark.metrics.engine.presets import settled
from heatmark.metrics.engine.subsets import NAN, Draws
from heatmark.metrics.engine.target_scores import find_score
from heatmark.metrics.protocols import INFIDELITY_PROTOCOLS

NO_RELEVANCE = "the map gives every perturbation the relevance 0, so that no factor fits it to the drops"
NAN_SCORE = "the model's score is NaN for a perturbed image"


@dataclass(frozen=True)
class Infidelity(Metric):
    """The mean squared difference of relevance and drop over random perturbations of the image; lower is better.

    INFD = mean over I of (β · Iᵀφ − (f(x) − f(x ⊖ I)))², in [0, ∞), with φ the map and f the target's score,

    and β = Σ Iᵀφ · (f(x) − f(x ⊖ I)) / Σ (Iᵀφ)², the factor that fits best, or β = 1. With β a map × 100 has the same
    infidelity, and so has its negative, because β may be negative: it says nothing of a map's sign. Without, the unit
    of the map decides. A number of the map is shared equally by the pixel's channels.

    - ``gaussian``: I ~ N(0, size²) and x ⊖ I = x − I;
    - ``noisy_baseline``: x ⊖ I is the fill with noise N(0, size²), in colours, and I the difference from it;
    - ``square``: I is 1 in a square and 0 elsewhere, and x ⊖ I has the fill there; all squares with sides of 1 pixel to
      size · min(H, W) are equally likely. φ is then a relevance, such as input × gradient, for the others a gradient.

    It is undefined for a map with NaN, and with β for a map that gives every perturbation the relevance 0. It costs
    samples + 1 forward passes per image. An option that is None has the preset's value.

    Args:
        preset: name of the protocol: ``heatmark-1``; ``yeh-2019`` and ``yeh-2019-square``, the authors'; ``captum-0.9``
            and ``captum-0.9-normalize``, Captum's defaults with the perturbation of its example.
        perturbation: ``gaussian``, ``noisy_baseline`` or ``square``.
        size: standard deviation of the noise, or the largest side of a square as a share of the image's shorter side.
        fill: what replaces pixels; see :mod:`heatmark.metrics.engine.fills`. ``gaussian`` does not read it.
        samples: number of perturbations, at least 2.
        scaled: whether β is the factor that fits best; else it is 1.
        score: what f is; see :mod:`heatmark.metrics.engine.target_scores`.

    Raises:
        ValueError: if a name is unknown (the message names the nearest), or a number out of its range. When called: if
            the perturbation or the fill needs a normalisation that the batch lacks.

    Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019, equation 1; β as in the authors'
    code and in Captum's ``normalize=True``. Deviations: squares are drawn, where the authors take each of 28 × 28
    pixels once; Captum counts β = 0 where no factor fits.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()  # logits: the mean red, green, blue
    >>> image = torch.zeros(1, 3, 4, 4)
    >>> image[0, 0] = torch.arange(16.0).view(4, 4)  # redder from the top to the bottom
    >>> right, wrong = image[:, 0] / 16, 15 - image[:, 0]  # what is lost of the mean red, and the reverse
    >>> batches = [Explained(model, image, torch.tensor([0]), maps, None, lambda *_: maps) for maps in (right, wrong)]
    >>> torch.cat([Infidelity(score="logit")(batch).values for batch in batches]).round(decimals=2) + 0
    tensor([0.0000, 0.2300], dtype=torch.float64)
    """

    higher_is_better: ClassVar[bool | None] = False
    draws: ClassVar[bool] = True
    once_per_image: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in INFIDELITY_PROTOCOLS.items()
    }

    preset: str = "heatmark-1"
    perturbation: str | None = None
    size: float | None = None
    fill: str | None = None
    samples: int | None = None
    scaled: bool | None = None
    score: str | None = None

    def __post_init__(self) -> None:
        for option, value in settled(self.preset, vars(self), self.presets).items():
            object.__setattr__(self, option, value)
        find_perturbation(str(self.perturbation))
        find_fill(str(self.fill))
        find_score(str(self.score))
        if not isinstance(self.samples, int) or self.samples < 2:
            raise ValueError(f"samples={self.samples!r}, expected a whole number of at least 2")
        largest = 1.0 if self.perturbation == "square" else float("inf")
        if not 0 < cast("float", self.size) <= largest:
            raise ValueError(f"size={self.size!r}, expected a number above 0, of a square at most 1")

    def __call__(self, batch: Explained) -> Scores:
        """Return the infidelity per image; NaN, with the reason, where it is undefined."""
        asked = Perturbing(str(self.perturbation), cast("float", self.size), str(self.fill), cast("int", self.samples))
        return infidelity_of(perturbed_draws(batch, asked, str(self.score)), bool(self.scaled))

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return the number of perturbations, and one for the image itself."""
        return cast("int", self.samples) + 1.0


def infidelity_of(found: Draws, scaled: bool) -> Scores:
    """Return the mean squared difference of relevance and drop, (N,); NaN, with the reason, where it is undefined.

    Args:
        found: the relevance and the drop of each perturbation.
        scaled: whether the relevance is first multiplied with the factor that fits best.
    """
    factor = _factor(found) if scaled else torch.ones_like(found.relevance[:, :1])
    values = torch.stack([row.square().mean() for row in factor * found.relevance - found.drop])
    nan, empty = found.relevance.isnan().any(dim=1).tolist(), (found.relevance == 0).all(dim=1).tolist()
    said = zip(nan, empty, values.isnan().tolist(), strict=True)
    return Scores(values, [NAN if a else NO_RELEVANCE if b and scaled else NAN_SCORE if c else "" for a, b, c in said])


def _factor(found: Draws) -> Tensor:
    """Return the factor β of each image, (N, 1); NaN where all relevance is 0."""
    rows = zip(found.relevance, found.drop, strict=True)
    return torch.stack([(each * drop).sum() / each.square().sum() for each, drop in rows])[:, None]
