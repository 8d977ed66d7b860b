"""Pixel flipping in NumPy under any published convention: profiles, which are our own reading of other packages' code.

With the conventions of RISE's paper it is an independent implementation of deletion and insertion; a profile is the
same walk with the conventions of a package, of which each can be undone alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.stages import MetricStages, points, replaced

Array = NDArray[np.float64]
Points = Literal["all", "without_intact", "without_ends", "without_last_but_one"]
Rule = Literal["trapezoid", "unit_steps", "over_count", "mean", "mean_of_batch"]


@dataclass(frozen=True)
class Conventions:
    """What packages do differently in pixel flipping; each field first shows at one stage. The defaults are RISE's.

    Args:
        inserts: whether pixels are inserted into the fill, most relevant first, or removed from the image.
        ties: order of equal values: the first in raster order first, or the last. Stage ``order``.
        channels: whether a feature is a channel of a pixel, or a pixel. Stage ``order``.
        steps: number of equal steps; 0 takes one feature per step. Stage ``masks``.
        fill: zero, or black, which Quantus takes to be the smallest value of the image. Stage ``fills``.
        score: what is read from the output: the target's probability, its logit, or whether it is the largest. Stage
            ``scores``.
        points: which points of the curve there are. Stage ``curve``.
        rule: how the curve is summed up: trapezoids over the fractions, with steps of 1, or of 1 / points; the mean of
            the points; or the area under the mean curve of the batch, one number for all. Stage ``sum``.
    """

    inserts: bool = False
    ties: Literal["first", "last"] = "first"
    channels: bool = False
    steps: int = 10
    fill: Literal["zero", "black"] = "zero"
    score: Literal["probability", "logit", "accuracy"] = "probability"
    points: Points = "all"
    rule: Rule = "trapezoid"


def walk(batch: Explained, conventions: Conventions, **undone: object) -> MetricStages:
    """Return the stages of pixel flipping of a batch under a package's conventions, some of them undone."""
    told = replace(conventions, **undone)  # type: ignore[arg-type]
    one = [_of_image(batch, n, told) for n in range(len(batch.images))]
    order, inputs, fills, scores, x = (np.stack(each) for each in zip(*one, strict=True))
    kept = _kept(told.points, x.shape[1])
    curves = x[:, kept], scores[:, kept]
    given, ranks = torch.from_numpy(inputs).to(batch.images), torch.from_numpy(order)
    counts = torch.from_numpy(x[0] * order.shape[1]).round()
    return MetricStages(
        order=ranks,
        masks=replaced(ranks, counts, "inserted" if told.inserts else "removed"),
        fills=torch.from_numpy(fills),
        inputs=given,
        scores=torch.from_numpy(scores),
        curve=points(*(torch.from_numpy(each) for each in curves)),
        sum=torch.from_numpy(SUMS[told.rule](*curves)),
    )


def _of_image(batch: Explained, n: int, told: Conventions) -> tuple[Array, Array, Array, Array, Array]:
    """Return ranks, inputs, fill, scores and fractions of one image."""
    image, relevance = batch.images[n].cpu().numpy(), batch.maps[n].cpu().numpy()
    features = np.broadcast_to(relevance, image.shape).ravel() if told.channels else relevance.ravel()
    ranks = _ranks(features, told.ties)
    counts = _counts(len(ranks), told.steps)
    fill = np.zeros_like(image) if told.fill == "zero" else np.full_like(image, image.min())
    where = ranks.reshape(image.shape if told.channels else (1, *image.shape[1:]))
    first, second = (fill, image) if told.inserts else (image, fill)
    inputs = np.stack([np.where(where < count, second, first) for count in counts])
    outputs = [batch.model(torch.from_numpy(given)[None].to(batch.images)) for given in inputs]
    scores = np.array([_score(output[0], int(batch.targets[n]), told.score) for output in outputs])
    return ranks, inputs, fill, scores, np.array(counts) / len(ranks)


def _ranks(features: Array, ties: str) -> Array:
    """Return the rank of every feature by descending relevance, equal ones in the order of ``ties``."""
    places = np.arange(len(features))
    order = sorted(places, key=lambda i: (-features[i], i if ties == "first" else -i))
    ranks = np.empty(len(features))
    ranks[order] = places
    return ranks


def _counts(features: int, steps: int) -> list[int]:
    return [round(features * k / steps) for k in range(steps + 1)] if steps else list(range(features + 1))


def _score(output: Tensor, target: int, score: str) -> float:
    if score == "accuracy":
        return float(int(output.argmax()) == target)
    return float(output[target] if score == "logit" else output.double().softmax(0)[target])


def _kept(which: Points, count: int) -> list[int]:
    kept = list(range(count))
    left = {"all": kept, "without_intact": kept[1:], "without_ends": kept[1:-1]}
    return left.get(which, [*kept[:-2], kept[-1]])


def _mean_curve(x: Array, y: Array) -> Array:
    return np.full(len(y), _area(x[0], y.mean(axis=0)))


def _area(x: Array, y: Array) -> Array:
    area: Array = ((y[..., 1:] + y[..., :-1]) / 2 * np.diff(x, axis=-1)).sum(axis=-1)
    return area


SUMS: dict[str, Callable[[Array, Array], Array]] = {
    "trapezoid": _area,
    "unit_steps": lambda x, y: _area(np.broadcast_to(np.arange(x.shape[-1]), x.shape), y),
    "over_count": lambda x, y: _area(np.broadcast_to(np.arange(x.shape[-1]) / x.shape[-1], x.shape), y),
    "mean": lambda _, y: y.mean(axis=-1),
    "mean_of_batch": _mean_curve,
}
"""How a curve is summed up, by the name of the rule."""
