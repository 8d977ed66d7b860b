"""The parameter randomisation test."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal, get_args

import torch
from torch import nn

from heatmark.common.digests import digest_json
from heatmark.common.names import look_up
from heatmark.metrics.base import Curve, Explained, Metric, Scores
from heatmark.metrics.engine.similarity import reasons, spearman

Order = Literal["cascading", "bottom_up", "independent"]


@dataclass(frozen=True)
class ParameterRandomisation(Metric):
    """How alike the map stays while the model's layers are drawn anew; lower is better.

    value = mean over k of Spearman(map, map of the model with k parts randomised), in [−1, 1]

    The intact model is no part of the mean. A method whose map does not depend on what the model has learned keeps 1.
    It is undefined where a map has no order, at any of the points.

    Args:
        order: ``cascading`` randomises from the output to the input and keeps what is randomised, ``bottom_up`` from
            the input on, ``independent`` one part at a time.
        points: number of points k; parts are shared out evenly among them. Each costs a map.

    Raises:
        ValueError: for an unknown order, or no point. When called: if no part of the model can be drawn anew.

    Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, section 3. Deviation: a few points in place of one
    per layer, and a seed of its own for each layer; Quantus draws all layers from one seed, so that those of equal
    shape become equal, and counts the intact model in its mean.

    >>> import torch
    >>> model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)).eval()
    >>> image = torch.arange(12.0).view(1, 3, 2, 2)
    >>> blind = lambda model, images, targets: images[:, 0]
    >>> batch = Explained(model, image, torch.tensor([0]), image[:, 0], None, blind)
    >>> ParameterRandomisation(points=2)(batch).values.round(decimals=6)
    tensor([1.], dtype=torch.float64)
    """

    higher_is_better: ClassVar[bool | None] = False
    draws: ClassVar[bool] = True

    order: Order = "cascading"
    points: int = 4

    def __post_init__(self) -> None:
        look_up("order", self.order, dict.fromkeys(get_args(Order)))
        if not isinstance(self.points, int) or self.points < 1:
            raise ValueError(f"points={self.points!r}, expected a whole number of at least 1")

    def __call__(self, batch: Explained) -> Scores:
        """Return the mean correlation per image, and the curve of correlations."""
        found, said = [], [""] * len(batch.maps)
        shares, models = zip(*self._randomised(batch.model, batch.seed), strict=True)
        for model in models:
            maps = batch.explain(model, batch.images, batch.targets)
            found.append(spearman(batch.maps, maps))
            said = [old or new for old, new in zip(said, reasons(batch.maps, maps), strict=True)]
        y = torch.stack(found, dim=1)
        return Scores(y.mean(dim=1), said, Curve(torch.tensor(shares), y, "parts randomised"))

    def _randomised(self, model: nn.Module, seed: int) -> Iterator[tuple[float, nn.Module]]:
        """Yield the share of the model's parts that are drawn anew, with such a model of its own each."""
        names = [name for name, part in model.named_modules() if hasattr(part, "reset_parameters")]
        if not names:
            raise ValueError(f"no part of {type(model).__name__} can be drawn anew: none has reset_parameters")
        names = names if self.order == "bottom_up" else names[::-1]
        points = min(self.points, len(names))
        ends = [round(len(names) * point / points) for point in range(points + 1)]
        for start, end in pairwise(ends):
            first = start if self.order == "independent" else 0
            yield end / len(names), _drawn_anew(model, names[first:end], seed)


def _drawn_anew(model: nn.Module, names: list[str], seed: int) -> nn.Module:
    """Return a copy of a model with some of its parts drawn anew, each from a seed of its own."""
    made = copy.deepcopy(model)
    parts = dict(made.named_modules())
    with torch.random.fork_rng(devices=[]):
        for name in names:
            torch.default_generator.manual_seed(int(digest_json([name, seed])[:15], 16))
            _on_cpu(parts[name])
    return made


def _on_cpu(part: nn.Module) -> None:
    """Draw a part's own parameters anew on the CPU, so that all devices get equal numbers."""
    places = {name: tensor.device for name, tensor in part.named_parameters(recurse=False)}
    home = next(iter(places.values()), torch.device("cpu"))
    part.to("cpu").reset_parameters()  # type: ignore[operator]
    part.to(home)
