"""Rows of the results table: what a run's places ask for, joined with what the store has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from heatmark.benchmarks.requests import RequestedMetric
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.jobs import Job
from heatmark.benchmarks.tables.places import Asked, Place
from heatmark.benchmarks.tables.stored import ABSENT, Floats, Ints, Stored, Texts

NO_METRIC = RequestedMetric("", "", None)
WHOLE = pa.array([""])
"""The row of a cell that failed as a whole."""
STATUSES = ["", "ok", "degenerate", "error", "skipped"]
MISSING, OK, DEGENERATE, ERROR, SKIPPED = range(5)
"""A row is missing where nothing is stored for it yet; it is then in no table."""


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of one place that follow one another.

    Args:
        place: the cell that they are of.
        metric: the metric; :data:`NO_METRIC` for rows of no metric.
        job: the job whose pictures they are of; None for a row of no picture.
        first: position of the first picture among the job's.
        replicate: number of the draw, from 0.
        status, reason: (n,) of each row, the reason as a number of a text.
        value, tied, low, high: (n,).
    """

    place: Place
    metric: RequestedMetric
    job: Job | None
    first: int
    replicate: int
    status: Ints
    reason: Ints
    value: Floats
    tied: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Join:
    """The stored rows of some places.

    Args:
        maps, scores, curves: of all their cells.
        texts: the reasons met.
    """

    maps: Stored
    scores: Stored
    curves: Stored
    texts: Texts = field(default_factory=Texts)

    def parts(self, place: Place) -> list[Part]:
        """Return the rows of a place."""
        if place.failure:
            return [self._alone(place, ERROR, place.failure)]
        if not place.cell.key:
            return self._broken(place)
        if place.cell.skipped:
            return [self._alone(place, SKIPPED, place.cell.skipped)]
        if reason := self._failed(place):
            return [self._alone(place, ERROR, reason)]
        return [
            self._derived(place, asked) if asked.metric.terms else self._scored(place, asked)
            for asked in place.asked.values()
        ]

    def _failed(self, place: Place) -> str:
        """Return why a cell failed as a whole; ``""`` where it has maps, or none are there yet."""
        whole = self._whole(place)
        rows = {id(asked.job): asked.job.rows() for asked in place.asked.values()}
        tried = any((self.maps.find(place.cell.key, each) != ABSENT).any() for each in rows.values())
        return "" if tried else whole

    def _whole(self, place: Place) -> str:
        """Return why a cell failed on a whole block; ``""`` where it did not."""
        (whole,) = self.maps.find(place.cell.key, WHOLE)
        return "" if whole == ABSENT else str(self.maps.table["reason"][int(whole)].as_py())

    def _scored(self, place: Place, asked: Asked) -> Part:
        metric, job = asked.metric, asked.job
        if metric.skipped:
            return self._alone(place, SKIPPED, f"{metric.name}: {metric.skipped}")
        maps, scores, curves = self._positions(place, asked)
        found = ((self.maps, maps), (self.scores, scores), (self.curves, curves))
        failed = [stored.texts("status", at, self.texts) == self.texts.number("error") for stored, at in found]
        why = [stored.texts("reason", at, self.texts) for stored, at in found]
        flag = self.maps.texts("flag", maps, self.texts)
        value, low, high = (self.scores.floats(name, scores) for name in ("value", "tie_low", "tie_high"))
        tied = self.maps.floats("tied", maps)
        unscored = scores == ABSENT
        whole = self._whole(place)  # such as that of a shard, whose pictures have no row of their own
        missing = ERROR if whole else MISSING
        conditions = [failed[0], maps == ABSENT, failed[1], unscored & failed[2], unscored]
        good = ~np.any(conditions, axis=0)
        undefined = np.where(why[1] > 0, why[1], self.texts.number("undefined"))
        usual: Ints = np.where(flag > 0, DEGENERATE, OK)
        status = np.select(conditions, [ERROR, missing, ERROR, ERROR, MISSING], usual)
        reasons: list[Any] = [why[0], self.texts.number(whole), why[1], why[2], 0]
        reason = np.select(conditions, reasons, np.where(np.isnan(value), undefined, flag))
        numbers = (np.where(good, column, np.nan) for column in (value, tied, low, high))
        return Part(place, metric, job, 0, asked.score.replicate, status, reason, *numbers)

    def _positions(self, place: Place, asked: Asked) -> tuple[Ints, Ints, Ints]:
        job, score = asked.job, asked.score
        return (
            self.maps.find(place.cell.key, job.rows()),
            self.scores.find(score.key, job.rows(asked.metric.needs)),
            self.curves.find(score.curve, job.rows(asked.metric.needs)),  # its curves need the same
        )

    def _derived(self, place: Place, asked: Asked) -> Part:
        """Return the weighted sums of other metrics' scores; a sum is NaN, with the reason, where one of them is."""
        terms = [self._scored(place, term) for term in asked.terms]
        if alone := next((term for term in terms if term.job is None), None):
            return self._alone(place, SKIPPED, f"{asked.metric.name}: {self.texts.of(int(alone.reason[0]))}")
        each = np.stack([term.status for term in terms])
        status = np.where((each == ERROR).any(axis=0), ERROR, each[0])
        status = np.where((each == MISSING).any(axis=0), MISSING, status)
        reason = terms[0].reason
        for term in reversed(terms):
            reason = np.where(np.isnan(term.value), self._of_term(term), reason)
        value = np.sum([asked.metric.terms[term.metric.name] * term.value for term in terms], axis=0)
        unknown = np.full(len(value), np.nan)
        return Part(
            place,
            asked.metric,
            asked.job,
            0,
            asked.score.replicate,
            status,
            reason,
            value,
            terms[0].tied,
            unknown,
            unknown,
        )

    def _of_term(self, term: Part) -> Ints:
        """Return the reasons of a derived metric's term, with its name before each."""
        which, where = np.unique(term.reason, return_inverse=True)
        told = [self.texts.number(f"{term.metric.name}: {self.texts.of(int(number))}") for number in which]
        return np.array(told, np.int64)[where]

    def _broken(self, place: Place) -> list[Part]:
        """Return one row per picture that cannot be explained."""
        entries = place.job.entries[len(place.job.usable) :]
        reasons = [self.texts.number(entry.reason) for entry in entries]
        return [_without_value(place, place.job, len(place.job.usable), ERROR, reasons)]

    def _alone(self, place: Place, status: int, reason: str) -> Part:
        """Return one row of no picture and no metric."""
        return _without_value(place, None, 0, status, [self.texts.number(reason)])


def _without_value(place: Place, job: Job | None, first: int, status: int, reasons: Sequence[int]) -> Part:
    unknown = np.full(len(reasons), np.nan)
    found = np.full(len(reasons), status)
    texts = np.array(reasons, np.int64)
    return Part(place, NO_METRIC, job, first, place.cell.replicate, found, texts, *[unknown] * 4)


def joined(store: Store, places: Iterable[Place]) -> Join:
    """Return the stored rows of some places, without maps and curves themselves."""
    several = list(places)
    asked = [each for place in several for each in place.asked.values()]
    asked += [term for each in asked for term in each.terms]
    return Join(
        Stored(store.read("maps", {p.cell.key for p in several if p.cell.key}, ["status", "reason", "flag", "tied"])),
        Stored(store.read("scores", {a.score.key for a in asked if a.score.key},
                          ["status", "reason", "value", "tie_low", "tie_high"])),
        Stored(store.read("curves", {a.score.curve for a in asked if a.score.curve}, ["status", "reason"])),
    )  # fmt: skip
