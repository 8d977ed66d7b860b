"""The grid pointing game."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor

from heatmark.metrics.energy_inside import EnergyInside
from heatmark.metrics.engine.per_image import sums
from heatmark.metrics.engine.presets import settled
from heatmark.metrics.protocols import PLACEMENT_PROTOCOLS


@dataclass(frozen=True)
class GridPointingGame(EnergyInside):
    """Grid pointing game: the share of positive relevance in the cell of the class explained; higher is better.

    L_i = Σ_{p ∈ cell i} max(a_p, 0) / Σ_p max(a_p, 0), in [0, 1],

    on a mosaic of n × n pictures of different classes, whose cell i shows the class explained (``dataset=mosaic``: the
    masks are the cells). Over the cells of a mosaic, maps that do not depend on the class have the mean 1/n²: that is
    chance. It costs no forward pass. On other datasets it is :class:`.EnergyInside`, whose computation it has.

    A map whose positive relevance sums to ``least`` or less has no value, or 0 where ``empty="zero"``.

    Args:
        preset: name of the protocol, which gives the values of options that are None: ``heatmark-1``, or ``rao-2022``,
            the authors' code, in which a map without positive relevance counts as one that lies wholly outside.
        least: sum of positive relevance, at least 0, up to which a map counts as having none.
        empty: the value of such a map: ``undefined`` or ``zero``.

    Raises:
        ValueError: if a name is unknown, or ``least`` is negative. When called: as its base class.

    Rao et al., "Towards Better Understanding Attribution Methods", CVPR 2022, section 3.1, equation 1; after Böhle et
    al., "Convolutional Dynamic Alignment Networks for Interpretable Classifications", CVPR 2021.

    >>> import torch
    >>> from torch import nn
    >>> from heatmark.metrics.base import Explained
    >>> image, target = torch.zeros(1, 3, 2, 2), torch.tensor([0])
    >>> cell = torch.tensor([[[False, True], [False, False]]])
    >>> maps = torch.tensor([[[1.0, 3], [-4, 0]]])
    >>> GridPointingGame()(Explained(nn.Identity(), image, target, maps, cell, lambda *_: maps)).values
    tensor([0.7500], dtype=torch.float64)
    """

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        name: protocol.values for name, protocol in PLACEMENT_PROTOCOLS.items()
    }

    preset: str = "heatmark-1"
    least: float | None = None
    empty: Literal["undefined", "zero"] | None = None

    def __post_init__(self) -> None:
        for option, value in settled(self.preset, vars(self), self.presets).items():
            object.__setattr__(self, option, value)
        if not cast("float", self.least) >= 0:
            raise ValueError(f"least={self.least!r}, expected a number from 0")
        if self.empty not in ("undefined", "zero"):
            raise ValueError(f"empty={self.empty!r}, expected undefined or zero")

    def placed(self, relevance: Tensor, masks: Tensor) -> Tensor:
        """Return the share of positive relevance in the cell, (n,)."""
        none = sums(relevance.clamp(min=0).flatten(1)) <= cast("float", self.least)
        return super().placed(relevance, masks).masked_fill(none, 0.0 if self.empty == "zero" else torch.nan)
