"""Overlays of relevance maps on their pictures, as functions from arrays to arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from heatmark.common.names import did_you_mean

Array = NDArray[np.floating]
Colours = Callable[[Array], Array]
"""A colormap: from values in [0, 1] to red, green, blue (and opacity, which is ignored) in [0, 1]."""

Style = Literal["overlay", "outline"]
Scale = Literal["separate", "shared"]
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


class Limits(NamedTuple):
    """The values of a map that take the first and the last colour."""

    low: float
    high: float


@dataclass(frozen=True)
class Look:
    """The style, scale, colours and opacity in which maps are shown.

    Args:
        style: ``overlay`` mixes the map's colours with the picture; ``outline`` lays the picture's edges in grey over
            the map, whose colours diverge from 0.
        scale: ``separate`` gives every map its own range of values, ``shared`` one range to all that are compared.
        cmap: a colormap of matplotlib; None is jet, or RdBu_r for outlines.
        alpha: opacity of the map in [0, 1]; None is 0.5, or 1 for outlines.

    Raises:
        ValueError: for an option out of range; it names the option.
    """

    style: Style = "overlay"
    scale: Scale = "separate"
    cmap: str | None = None
    alpha: float | None = None

    def __post_init__(self) -> None:
        for option, value, known in (("style", self.style, Style), ("scale", self.scale, Scale)):
            names = get_args(known)
            if value not in names:
                hint = did_you_mean(str(value), names, f"expected {' or '.join(names)}")
                raise ValueError(f"unknown {option} {value!r}: {hint}")
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha is {self.alpha}, expected an opacity from 0 to 1")

    @property
    def colormap(self) -> str:
        """The colormap's name."""
        return self.cmap or {"overlay": "jet", "outline": "RdBu_r"}[self.style]

    @property
    def opacity(self) -> float:
        """The map's opacity."""
        return {"overlay": 0.5, "outline": 1.0}[self.style] if self.alpha is None else self.alpha

    def limits(self, maps: Sequence[Array]) -> list[Limits]:
        """Return each map's limits: its least and greatest value, or those of all maps if the scale is shared.

        For outlines they are −m and m, with m the greatest absolute value, so that 0 is in the middle. Values that are
        not finite are left out; a map without any has the limits NaN.
        """
        if self.scale == "shared":
            everything = np.concatenate([np.ravel(values) for values in maps])
            return [self._limits(everything)] * len(maps)
        return [self._limits(values) for values in maps]

    def _limits(self, values: Array) -> Limits:
        finite = values[np.isfinite(values)]
        if not finite.size:
            return Limits(np.nan, np.nan)
        if self.style == "outline":
            greatest = float(np.abs(finite).max())
            return Limits(-greatest, greatest)
        return Limits(float(finite.min()), float(finite.max()))

    def over(self, picture: Array, relevance: Array, limits: Limits, colours: Colours) -> Array:
        """Return the map over the picture, (H, W, 3) in [0, 1].

        Args:
            picture: (H, W, 3) in [0, 1].
            relevance: (H, W).
            limits: the values that take the first and the last colour.
            colours: the colormap.
        """
        if self.style == "overlay":
            return blend(picture, paint(relevance, limits, colours), self.opacity)
        faded = blend(np.ones_like(picture), paint(relevance, limits, colours), self.opacity)
        return faded * (1 - 0.6 * edges(picture))[..., None]


def tamed(relevance: Array) -> Array:
    """Return a map clipped to ± the 99th percentile of |relevance|; what is not finite stays.

    It is meant for maps with a value of its own at every pixel, a few of which may be far larger than all others.
    """
    finite = np.abs(relevance[np.isfinite(relevance)])
    most = np.percentile(finite, 99) if finite.size else np.nan
    return np.clip(relevance, -most, most) if most > 0 else relevance


def paint(relevance: Array, limits: Limits, colours: Colours) -> Array:
    """Return a map in colours, (H, W, 3): its limits take the ends of the colormap, what is not finite is mid grey.

    A map whose limits are equal has no range to be shown: it takes the first colour.
    """
    span = limits.high - limits.low
    unit = (relevance - limits.low) / span if span > 0 else np.zeros_like(relevance)
    known = np.isfinite(relevance)[..., None]
    return np.where(known, colours(np.clip(np.nan_to_num(unit), 0, 1))[..., :3], 0.5)


def blend(picture: Array, painted: Array, alpha: float) -> Array:
    """Return (1 − α) picture + α painted."""
    return (1 - alpha) * picture + alpha * painted


def edges(picture: Array) -> Array:
    """Return the strength of the edge at every pixel of a picture (H, W, 3), (H, W) in [0, 1].

    The Sobel gradient magnitude of the luminance, divided by its 98th percentile and cut at 1; 0 without edges.
    """
    luminance = np.pad(picture @ LUMA, 1, mode="edge")
    across = luminance[:, 2:] - luminance[:, :-2]
    down = luminance[2:] - luminance[:-2]
    length = np.hypot(
        across[:-2] + 2 * across[1:-1] + across[2:],
        down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:],
    )
    strong = float(np.percentile(length, 98)) or float(length.max())
    return np.clip(length / strong, 0, 1) if strong > 0 else np.zeros_like(length)
