"""The parameter randomisation test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, cast, get_args

import torch
from torch import Tensor, nn

from heatmark.common.names import look_up
from heatmark.metrics.base import Curve, Explained, Metric, Scores
from heatmark.metrics.engine.presets import settled
from heatmark.metrics.engine.randomised import Order, randomised
from heatmark.metrics.engine.similarity import SIMILARITIES, undefined
from heatmark.metrics.protocols import RANDOMISATION_PROTOCOLS

Points = int | Literal["all"]


@dataclass(frozen=True)
class ParameterRandomisation(Metric):
    """How alike the map stays while the model's layers are drawn anew (MPRT); lower is better.

    value = mean over k of similarity(map, map of the model with the first k layers drawn anew), in [−1, 1]

    The intact model is no part of the mean. A method whose map does not depend on what the model has learned keeps 1.
    It is undefined where a map has no order, at any of the points. It costs a map per point.

    Args:
        preset: name of the protocol, which gives the values of options that are None.
        order: ``top_down`` draws from the output to the input and keeps what is drawn, ``bottom_up`` from the input on,
            ``independent`` the layers of each point alone.
        similarity: ``spearman``, ``ssim`` or ``hog``; see :mod:`heatmark.metrics.engine.similarity`.
        points: number of points k, among which layers are shared out evenly; ``all`` has one per layer.
        until: share of the layers that are drawn at the last point, in (0, 1].
        absolute: whether the absolute values of the maps are compared.

    Raises:
        ValueError: for an unknown name (the message names the nearest), or a number out of its range. When called: if
            no layer of the model can be drawn anew.

    Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, section 3. Deviation: a few points in place of one
    per layer, unless ``points=all``. A layer is a module with ``reset_parameters``, BatchNorm among them, whose running
    statistics are drawn back to 0 and 1, too; each is drawn from a seed of its own.

    The preset ``quantus-0.6`` has Quantus's options. Quantus also counts the intact model in its mean, and draws all
    layers from one seed, so that those of equal shape become equal. ``xplique-2.0``: one point, at a quarter of the
    layers; xplique also counts layers without weights, and draws weights evenly from [0, 1).

    >>> import torch
    >>> model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)).eval()
    >>> image = torch.arange(12.0).view(1, 3, 2, 2)
    >>> blind = lambda model, images, targets: images[:, 0]
    >>> batch = Explained(model, image, torch.tensor([0]), image[:, 0], None, blind)
    >>> ParameterRandomisation(points=2)(batch).values.round(decimals=6)
    tensor([1.], dtype=torch.float64)
    """

    version: ClassVar[int] = 2
    higher_is_better: ClassVar[bool | None] = False
    draws: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in RANDOMISATION_PROTOCOLS.items()
    }

    preset: str = "heatmark-1"
    order: Order | None = None
    similarity: str | None = None
    points: Points | None = None
    until: float | None = None
    absolute: bool | None = None

    def __post_init__(self) -> None:
        for option, value in settled(self.preset, vars(self), self.presets).items():
            object.__setattr__(self, option, value)
        look_up("order", self.order, dict.fromkeys(get_args(Order)))
        look_up("similarity", self.similarity, SIMILARITIES)
        if self.points != "all" and (not isinstance(self.points, int) or self.points < 1):
            raise ValueError(f"points={self.points!r}, expected a whole number of at least 1, or all")
        if not isinstance(self.until, int | float) or not 0 < self.until <= 1:
            raise ValueError(f"until={self.until!r}, expected a share above 0, up to 1")

    def __call__(self, batch: Explained) -> Scores:
        """Return the mean similarity per image, and the curve of similarities."""
        alike = SIMILARITIES[str(self.similarity)]
        intact = self._compared(self.intact(batch))
        shares, found, said = [], [], [""] * len(batch.maps)
        points = None if self.points == "all" else cast("int", self.points)
        for share, model in randomised(
            batch.model, cast("Order", self.order), points, cast("float", self.until), batch.seed
        ):
            maps = self._compared(self.explained(batch, model))
            found.append(alike(intact, maps))
            said = [old or new for old, new in zip(said, undefined(found[-1], intact, maps), strict=True)]
            shares.append(share)
        y = torch.stack(found, dim=1)
        return Scores(y.mean(dim=1), said, Curve(torch.tensor(shares), y, "layers randomised"))

    def intact(self, batch: Explained) -> Tensor:
        """Return the maps of the intact model, (N, H, W)."""
        return batch.maps

    def explained(self, batch: Explained, model: nn.Module) -> Tensor:
        """Return the maps of another model, (N, H, W)."""
        return batch.explain(model, batch.images, batch.targets)

    def _compared(self, maps: Tensor) -> Tensor:
        return maps.abs() if self.absolute else maps

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return 0: nothing but maps is asked for."""
        return 0.0

    def maps(self, image_size: tuple[int, int]) -> float | None:  # noqa: ARG002
        """Return the number of points; None for ``all``, because the model is not known here."""
        return None if self.points == "all" else float(cast("int", self.points))
