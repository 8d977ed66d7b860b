"""Known answers of the runner: every image has its own name, label, mask, target, map, scores and ties."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from heatmark.benchmarks.conformance.answers.answer import answer, holds
from heatmark.benchmarks.conformance.answers.by_hand import Array, Known, area, probabilities, walk
from heatmark.benchmarks.conformance.answers.signed import (
    CLASSES,
    HEIGHT,
    LABELS,
    TIED,
    WIDTH,
    Pictures,
    Signed,
    name,
    network,
    pixels,
    signed_map,
    who,
)
from heatmark.benchmarks.conformance.answers.sweeping import swept
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.ties import drawn, raster, reversed_raster
from heatmark.metrics.insertion import Insertion

STEPS = 6
NUMBERS = ("value", "tied", "tie_low", "tie_high")
Row = Mapping[str, Any]


def runner_answers() -> Iterator[Finding]:
    """Yield whether every image gets its own numbers, under every rule for targets and in batches that end short."""
    for rule in ("predicted", "second", "label", "c"):
        yield from _check(rule, 2)
    for batch_size in (1, 5, 16):
        yield from _check("predicted", batch_size)


@dataclass(frozen=True)
class Everything(Metric):
    """A metric whose digits tell which image each part of a batch belongs to.

    From the last digit on: image, number of pixels in its mask, target, image and target of the map, image and target
    of the explanation computed again, the class that the model predicts, and 1 for a batch of at most the batch size.
    """

    higher_is_better: ClassVar[bool] = True

    def __call__(self, explained: Explained) -> Scores:
        """Return one number per image, (N,) float64."""
        again = explained.explain(explained.model, explained.images, explained.targets)
        masks = torch.zeros(len(explained.images), 1) if explained.masks is None else explained.masks.flatten(1)
        digits = [
            who(explained.images),
            masks.sum(1),
            explained.targets,
            explained.maps[:, 0, 0] - 100,
            explained.maps[:, 0, 1] - 200,
            again[:, 0, 0] - 100,
            again[:, 0, 1] - 200,
            explained.model(explained.images).argmax(1),
            torch.full_like(explained.targets, int(len(explained.images) <= explained.batch_size)),
        ]
        scale = 10.0 ** torch.arange(len(digits), dtype=torch.float64)
        return Scores((torch.stack([digit.double() for digit in digits], dim=1) * scale).sum(1))


METRICS: Mapping[str, Metric] = {
    "everything": Everything(),
    "deletion": Deletion(STEPS, tie_orders=2),
    "insertion": Insertion(STEPS, "zero", preset="rise-2018"),
}


def _check(rule: str, batch_size: int) -> Iterator[Finding]:
    """Yield whether one cell's rows are right: first images, targets and metrics, then the numbers."""
    known, check = network(), f"{rule}_batch_{batch_size}"
    rows = _swept(known, rule, batch_size)
    expected = sorted(_expected(known, rule), key=_place)
    yield holds("runner", f"{check}_rows", _difference(rows, expected))
    for metric in METRICS if len(rows) == len(expected) else ():
        got, right = (
            np.array([[r[c] for c in NUMBERS] for r in some if r["metric"] == metric]) for some in (rows, expected)
        )
        gaps = np.nan_to_num(np.abs(got - right), nan=np.inf)
        worst = np.where(np.isnan(got) & np.isnan(right), 0, gaps).argmax()
        tolerance = 0 if metric == "everything" else 1e-5
        yield answer("runner", f"{check}_{metric}", got.flat[worst], right.flat[worst], tolerance)


def _swept(known: Known, rule: str, batch_size: int) -> list[Row]:
    """Return the rows of the results table of a sweep over the pictures."""
    plain = Preprocessing(resize=None, crop=None, mean=(0, 0, 0), std=(1, 1, 1))
    classifier = Classifier("known", known, "by hand", plain, classes=CLASSES)
    table = swept(classifier, Pictures(), {"signed": Signed()}, METRICS, target=rule, batch_size=batch_size)
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    return sorted(rows, key=_place)


def _place(row: Row) -> tuple[str, str]:
    return str(row["metric"]), str(row["image"])


def _difference(rows: Sequence[Row], expected: Sequence[Row]) -> str:
    """Return in words the first difference from the expected rows, numbers aside; ``""`` where there is none."""
    if len(rows) != len(expected):
        return f"{len(rows)} rows, right are {len(expected)}"
    for row, right in zip(rows, expected, strict=True):
        for column in (c for c in right if c not in NUMBERS and row[c] != right[c]):
            return f"{column} of {right['image']} is {row[column]!r}, right is {right[column]!r}"
    return ""


def _expected(known: Known, rule: str) -> Iterator[Row]:
    """Yield the rows of a cell, each computed from its own picture alone."""
    for metric in METRICS:
        for n in range(len(LABELS)):
            ranked = np.argsort(-probabilities(known, pixels(n) / 255), kind="stable").tolist()
            target = {"predicted": ranked[0], "second": ranked[1], "label": LABELS[n], "c": 2}[rule]
            value, low, high = _numbers(metric, known, n, target, ranked[0])
            yield {
                "image": name(n),
                "target": str(target),
                "metric": metric,
                "value": value,
                "tied": (HEIGHT * WIDTH - 2) / (HEIGHT * WIDTH) if n == TIED else 0.0,
                "tie_low": low,
                "tie_high": high,
                "status": "degenerate" if n == TIED else "ok",
                "reason": "mostly tied" if n == TIED else "",
            }


def _numbers(metric: str, known: Known, n: int, target: int, predicted: int) -> tuple[float, float, float]:
    """Return value, tie_low and tie_high of one picture."""
    if metric == "everything":
        return _number([n, n + 1, target, n, target, n, target, predicted, 1]), nan, nan
    image = pixels(n) / 255
    one = torch.from_numpy(image).float()[None]
    black = np.zeros_like(image)
    if metric == "insertion":
        return _area(known, n, target, (black, image), raster(one, 0)), nan, nan
    orders = [drawn(one, 0), drawn(one, 1), raster(one, 0), reversed_raster(one, 0)]
    areas = [_area(known, n, target, (image, black), order) for order in orders]
    return areas[0], min(areas), max(areas)


def _area(known: Known, n: int, target: int, ends: tuple[Array, Array], ties: Tensor) -> float:
    """Return the area under one picture's curve, with its ties in the given order, (1, H·W)."""
    counts = [HEIGHT * WIDTH * step // STEPS for step in range(STEPS + 1)]
    places = ties[0].argsort().view(HEIGHT, WIDTH) / (HEIGHT * WIDTH)  # below 1, and the levels of a map are integers
    relevance = (signed_map(n, target) - places).double().numpy()
    return area(walk(known, target, ends, relevance, counts), counts)


def _number(digits: Iterable[float]) -> float:
    return sum(digit * 10.0**place for place, digit in enumerate(digits))
