"""The places of a run's tables: each cell in each setting, with the scores that are asked for there."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from heatmark.benchmarks.requests import RequestedCell, RequestedMetric, RequestedScore
from heatmark.benchmarks.tables.jobs import Job

NO_CELL = RequestedCell("", "", "", "", "", "")


@dataclass(frozen=True)
class Asked:
    """The scores of a cell under one metric, as a job asks for them.

    Args:
        job, metric, score: what asks, and what for.
        terms: the scores that those of a derived metric are the sums of.
    """

    job: Job
    metric: RequestedMetric
    score: RequestedScore
    terms: Sequence["Asked"] = ()


@dataclass(frozen=True, eq=False)
class Place:
    """A cell in a setting.

    Args:
        job: the newest job that asks for it.
        cell: the cell; :data:`NO_CELL` for what concerns the job itself.
        first: the key of the maps of its replicate 0.
        asked: its scores by name and definition of the metric and by replicate, each as the newest job asks for it.
        failure: why the job as a whole failed; ``""`` for a cell.
    """

    job: Job
    cell: RequestedCell
    first: str = ""
    asked: dict[tuple[str, str, int], Asked] = field(default_factory=dict)
    failure: str = ""

    @cached_property
    def id(self) -> str:
        """The cell's id in the tables, one for all replicates.

        One method's maps may stand under two names, or in two settings.
        """
        if not self.cell.key:
            return ""
        words = [self.first, self.cell.method, *self.job.place]
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]

    @property
    def order(self) -> tuple[str, str, str, str, str, int]:
        """What the tables are sorted by."""
        facts = self.job.setting
        return facts["dataset"], facts["model"], self.cell.layer, self.cell.method, self.id, self.cell.replicate


def places(jobs: Sequence[Job]) -> list[Place]:
    """Return the places of a run in the order of its tables, those without a cell among them.

    Several jobs may ask for one cell in one setting, such as for two metrics: they share a place.

    Args:
        jobs: those of the run, the newest first.
    """
    found: dict[tuple[str, ...], Place] = {}
    for job in jobs:
        found.setdefault(job.place, Place(job, NO_CELL))
        scores = _by_cell(job)
        firsts = {(cell.layer, cell.method): cell.key for cell in job.request.cells if not cell.replicate}
        for cell in job.request.cells:
            first = firsts[cell.layer, cell.method]
            place = found.setdefault((*job.place, first, cell.key, cell.method), Place(job, cell, first))
            for asked in scores.get(cell.key, ()):
                place.asked.setdefault((asked.metric.name, asked.metric.definition, asked.score.replicate), asked)
    failed = [Place(job, NO_CELL, failure=reason) for job in jobs if (reason := _failure(job))]
    return sorted([*failed, *found.values()], key=lambda place: place.order)


def settings(found: Sequence[Place]) -> Iterator[list[Place]]:
    """Yield the places of each setting that have a cell, of replicate 0 alone."""
    of_setting = defaultdict(list)
    for place in found:
        if place.cell.key and not place.cell.replicate:
            of_setting[place.job.place].append(place)
    yield from of_setting.values()


def _by_cell(job: Job) -> dict[str, list[Asked]]:
    metrics = {metric.name: metric for metric in job.request.metrics}
    plain: dict[str, dict[tuple[str, int], Asked]] = defaultdict(dict)
    for score in job.request.scores:
        plain[score.cell][score.metric, score.replicate] = Asked(job, metrics[score.metric], score)
    return {cell: [_with_terms(asked, of_cell) for asked in of_cell.values()] for cell, of_cell in plain.items()}


def _with_terms(asked: Asked, of_cell: Mapping[tuple[str, int], Asked]) -> Asked:
    """Return a derived metric's scores with what they are sums of; its definition names the definitions of these.

    A term that draws nothing has one value, which is part of every replicate.
    """
    metric = asked.metric
    if not metric.terms:
        return asked
    number = asked.score.replicate
    terms = [of_cell.get((name, number)) or of_cell[name, 0] for name in metric.terms]
    said = sorted(f"{metric.terms[term.metric.name]:+g} {term.metric.definition}" for term in terms)
    return replace(asked, terms=terms, metric=replace(metric, definition=f"{metric.definition}({' '.join(said)})"))


def _failure(job: Job) -> str:
    facts = job.request.facts
    return (str(facts.get("reason", "")) or "the job failed") if facts.get("status") == "error" else ""
