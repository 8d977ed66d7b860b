"""The ADCC metric."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from heatmark.common.names import look_up
from heatmark.metrics.average_drop import AverageDrop
from heatmark.metrics.base import Explained, Metric, Scores, without_annotations
from heatmark.metrics.engine.imputed_path import ImputedPath
from heatmark.metrics.engine.masking import explanation_images, scaled
from heatmark.metrics.engine.per_image import precise
from heatmark.metrics.engine.pixel_path import Order
from heatmark.metrics.engine.presets import settled
from heatmark.metrics.engine.similarity import reasons as undefined_similarity
from heatmark.metrics.protocols import ADCC_PROTOCOLS

AGAIN = "the map of the explanation image has no correlation with it: {}"
PERCENTILES, NOISE = (0.2, 0.4, 0.6, 0.8), 0.01
"""The fractions imputed and the noise where the effect is ROAD's: pytorch-grad-cam's defaults for ARCC."""


@dataclass(frozen=True)
class ADCC(Metric):
    """The harmonic mean of coherency, 1 − complexity and the effect on the score; higher is better.

    ADCC = 3 / (1 / coherency + 1 / (1 − complexity) + 1 / effect), in [0, 1], and 0 where one of the three is 0:

    - coherency = (1 + Pearson(m, map of m ⊙ x)) / 2, with m the map scaled to [0, 1] and m ⊙ x the explanation image;
    - complexity = mean of m;
    - effect ``drop``: 1 − max(0, y − o) / y, with y = p(target | x) and o = p(target | m ⊙ x);
      ``road``: LeRF − MoRF of ROAD cut off at 0, each the mean of p(target) with 20, 40, 60 and 80 % of the pixels
      imputed, noise 0.01 in the normalised space.

    It is undefined where a part is: for a map that is constant or has NaN, for an explanation image whose map is so,
    and with ``drop`` for an image with y = 0. It costs a further map, and 2 (``drop``) or 8 (``road``) forward passes.

    Args:
        preset: name of the protocol, which gives the effect if it is None: ``adcc-2021``, the authors', or
            ``arcc-pgc``, pytorch-grad-cam's variant.
        effect: ``drop`` or ``road``.
        seed: seed of the noise and of the order of equal pixels under ``road``; 0 under ``drop``.

    Raises:
        ValueError: if a name is unknown; the message names the nearest.

    Poppi et al., "Revisiting the Evaluation of Class Activation Mapping for Explainability: A Novel Metric and
    Experimental Analysis", CVPR workshops 2021, equation 6. Deviations: the class is the one explained, where the
    authors' code explains the predicted one again and counts a coherency of 0 for NaN; pytorch-grad-cam counts one of
    1/2 for a constant map, and imputes all pixels that equal a percentile.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()).eval()  # logits: the largest red, green, blue
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0] = torch.tensor([[4.0, 0], [0, 0]])  # one red pixel
    >>> red = lambda model, images, targets: images[:, 0]
    >>> batch = Explained(model, image, torch.tensor([0]), image[:, 0], None, red)
    >>> ADCC()(batch).values  # coherency 1, complexity 1 / 4, no drop
    tensor([0.9000], dtype=torch.float64)
    """

    higher_is_better: ClassVar[bool | None] = True
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in ADCC_PROTOCOLS.items()
    }

    preset: str = "adcc-2021"
    effect: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for option, value in settled(self.preset, vars(self), self.presets).items():
            object.__setattr__(self, option, value)
        look_up("effect", self.effect, EFFECTS)
        if self.effect == "drop":
            object.__setattr__(self, "seed", 0)

    def __call__(self, batch: Explained) -> Scores:
        """Return the harmonic mean per image; NaN, with the reason, where one of its parts is undefined."""
        parts = (coherency(batch), simplicity(batch), look_up("effect", self.effect, EFFECTS)(batch, self.seed))
        values = torch.stack([precise(part.values) for part in parts])
        reasons = [next(filter(None, said), "") for said in zip(*(part.reasons for part in parts), strict=True)]
        return Scores(3 / (1 / values).sum(dim=0), reasons)

    def maps(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return 1: the map of the explanation image."""
        return 1.0

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return 2 for the drop, or one for each fraction and order of ROAD."""
        return 2.0 if self.effect == "drop" else float(len(ORDERS) * len(PERCENTILES))


def coherency(batch: Explained) -> Scores:
    """Return (1 + Pearson(map, map of the explanation image)) / 2, in [0, 1]; NaN, with the reason, if undefined."""
    pictures, lost = explanation_images(batch)
    again = batch.explain(batch.model, pictures, batch.targets)
    pairs = zip(batch.maps, again, strict=True)
    values = torch.stack([(1 + _pearson(precise(one), precise(other))) / 2 for one, other in pairs])
    said = [AGAIN.format(why) if why else "" for why in undefined_similarity(again, again)]
    reasons = [why or other for why, other in zip(lost, said, strict=True)]
    undefined = torch.tensor([bool(why) for why in reasons], device=values.device)
    return Scores(values.masked_fill(undefined, torch.nan), reasons)


def _pearson(one: Tensor, other: Tensor) -> Tensor:
    x, y = one - one.mean(), other - other.mean()
    return ((x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()).clamp(-1, 1)  # beyond by rounding


def simplicity(batch: Explained) -> Scores:
    """Return 1 − the mean of the map scaled to [0, 1]; NaN, with the reason, where it cannot be scaled."""
    masks = scaled(precise(batch.maps))
    return Scores(torch.stack([1 - each.mean() for each in masks]), explanation_images(batch)[1])


def kept_by_the_map(batch: Explained, seed: int) -> Scores:  # noqa: ARG001
    """Return 1 − the relative drop of the target's probability for the explanation image, in [0, 1]."""
    drop = AverageDrop()(batch)
    return Scores(1 - drop.values, drop.reasons)


def road_difference(batch: Explained, seed: int) -> Scores:
    """Return LeRF − MoRF of ROAD, each the mean over four fractions, cut off at 0, in [0, 1]; NaN for a NaN map."""
    lerf, morf = (_road(batch, order, seed) for order in ORDERS)
    return Scores((lerf - morf).clamp_min(0), explanation_images(batch)[1])


ORDERS: tuple[Order, Order] = ("lerf", "morf")


def _road(batch: Explained, order: Order, seed: int) -> Tensor:
    path = ImputedPath(order, PERCENTILES, NOISE, "model", "drawn", seed)
    return precise(path.curve(without_annotations(batch)).y).mean(dim=1)


EFFECTS: dict[str, Callable[[Explained, int], Scores]] = {"drop": kept_by_the_map, "road": road_difference}
"""The third part, by the name of the option ``effect``."""
