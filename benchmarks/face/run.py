"""A run: the folder that a sweep left, read again."""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from heatmark.benchmarks.runs.names import opened
from heatmark.benchmarks.tables.gather import gather
from heatmark.benchmarks.tables.gathered import read_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from heatmark.benchmarks.face.load import Images
    from heatmark.benchmarks.face.things import MethodLike, MetricLike
    from heatmark.benchmarks.runs.status import JobStatus

    ModelLike = Any

RESULTS = Path("results/runs")
"""The folder of runs that are given by their name."""


def load_run(place: str | Path) -> "Run":
    """Return the run in a folder, or of a name in ``results/runs``.

    Args:
        place: any path to the folder, or the name that ``heatmark sweep name=…`` gave it.

    Raises:
        ValueError: where there is no such run; it names the nearest.

    >>> import heatmark as hm, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = hm.sweep(
    ...         "shapes_residual", hm.load_images("shapes", limit=2), "random", "deletion(steps=2)", out=folder,
    ...         progress=False, timing=False,
    ...     )
    ...     hm.load_run(folder).images["predicted"].tolist()
    ['circle', 'square']
    """
    path = Path(place).expanduser()
    if isinstance(place, Path) or not path.is_dir():
        path = opened(RESULTS, str(path))
    if not (path / "results.parquet").exists():
        gather(path)
    return Run(path)


class Run:
    """A run: tables that are read when they are asked for, statistics, figures and a report.

    Args:
        path: its folder, with the tables that a sweep or ``heatmark gather`` has written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The results: one row per picture, cell and metric."""
        return read_table(self.path / "results.parquet")

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The curves: one row per picture, cell and curve, its points in lists."""
        return read_table(self.path / "curves.parquet")

    @cached_property
    def timing(self) -> pd.DataFrame:
        """The timings: one row per cell, device and batch size."""
        return read_table(self.path / "timing.parquet")

    @cached_property
    def images(self) -> pd.DataFrame:
        """The pictures: one row per picture and setting, with label and prediction."""
        return read_table(self.path / "images.parquet")

    @property
    def errors(self) -> pd.DataFrame:
        """The rows of the results that are errors, with their reasons."""
        return self.scores[self.scores["status"] == "error"]

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """What is recorded of each job: what was given, versions, device, command."""
        jobs: list[dict[str, Any]] = json.loads((self.path / "provenance.json").read_text())["jobs"]
        return jobs

    def leaderboard(self, metric: str = "") -> pd.DataFrame:
        """Return the leaderboard, best first within each comparison: means with BCa intervals, ranks, n, undefined.

        Args:
            metric: the name of one metric; ``""`` for all.

        Raises:
            ValueError: for a metric that the run has not.
        """
        from heatmark.benchmarks.statistics.leaderboard import leaderboard
        from heatmark.benchmarks.statistics.variants import told_apart

        rows = self._of_metric(metric)
        return leaderboard(told_apart(rows))

    def compare(self, a: str, b: str, metric: str = "") -> pd.DataFrame:
        """Return the paired comparison of two methods, one row per model, layer and metric.

        ``difference`` is positive where a is better, whatever the metric's direction, with its BCa interval, the
        p-value of Wilcoxon's test and effect sizes (:func:`heatmark.benchmarks.statistics.pairwise.pairwise`).

        Args:
            a, b: names of methods.
            metric: the name of one metric; ``""`` for all.

        Raises:
            ValueError: for a method or metric that the run has not, or one method twice.
        """
        from heatmark.benchmarks.statistics.pairwise import pairwise, require
        from heatmark.benchmarks.statistics.variants import told_apart

        rows = told_apart(self._of_metric(metric))
        for name in (a, b):
            require(rows, name)
        if a == b:
            raise ValueError(f"a and b are both {a}: expected two methods")
        return pairwise(rows[rows["method"].isin([a, b])], control=b)

    def _of_metric(self, metric: str) -> pd.DataFrame:
        known = sorted(set(self.scores["metric"]) - {""})
        if metric and metric not in known:
            raise ValueError(f"the run has no metric {metric!r}: it has {', '.join(known)}")
        return self.scores[self.scores["metric"] == metric] if metric else self.scores

    def figure(self, name: str) -> "Figure":
        """Return one of the figures of ``heatmark figures``, such as ``pareto``.

        Raises:
            ValueError: for an unknown figure, or one that this run has no data for: why.
        """
        from heatmark.benchmarks.face.html import showing_itself
        from heatmark.benchmarks.figures.atlas import drawings
        from heatmark.benchmarks.figures.style import styled
        from heatmark.benchmarks.figures.tables import load
        from heatmark.common.names import look_up

        draw = look_up("figure", name, drawings())
        with styled():
            found = draw(load(self.path))
        if isinstance(found, str):
            raise ValueError(f"figure {name}: {found}")
        return showing_itself(found)

    def report(self, images: int | None = 100) -> Path:
        """Write the run as one HTML page to look at; return its file.

        Args:
            images: number of images of each dataset that the gallery shows; None for all.
        """
        from heatmark.benchmarks.report.page import page

        file = self.path / "report.html"
        file.write_text(page(self.path, images, pictures=True), encoding="utf-8")
        return file

    def verify(
        self,
        model: "ModelLike",
        images: "Images",
        methods: "MethodLike | Iterable[MethodLike] | Mapping[str, MethodLike]" = (),
        metrics: "MetricLike | Iterable[MetricLike] | Mapping[str, MetricLike]" = (),
        **which: Any,
    ) -> pd.DataFrame:
        """Return rows of the run, recomputed from your own weights and pictures, each with a verdict.

        Args:
            model: as :func:`heatmark.load_model` takes it.
            images: as :func:`heatmark.load_images` takes them; they are found by their digests.
            methods, metrics: those of your own that the run has; shipped ones are built from the recorded options.
            which: which rows (:class:`heatmark.benchmarks.verify.which.Which`): ``pictures`` (names, or how many are
                drawn), ``method``, ``layer``, ``metric`` (names), ``seed`` and ``device``.

        Raises:
            ValueError: where the run has no job of this model.
        """
        from heatmark.benchmarks.face.verifying import verified

        return verified(self.path, model, images, methods, metrics, which)

    def export(self, to: str | Path, maps: bool = False, pictures: bool = False) -> Path:
        """Write the run for others: tables, requests, scores and digests, no paths of this machine; return the folder.

        Args:
            to: the folder to write, which must not exist.
            maps: whether the maps are part of it.
            pictures: whether the pictures that reports show are.

        Raises:
            ValueError: where the folder exists.
        """
        from heatmark.benchmarks.runs.export import Parts, export

        folder = Path(to).expanduser()
        export(self.path, folder, Parts(maps, pictures), gather)
        return folder

    def status(self) -> "list[JobStatus]":
        """Return the state of every job: what is done, missing and failed."""
        import time

        from heatmark.benchmarks.runs.status import status

        return status(self.path, time.time())

    def __repr__(self) -> str:
        rows = self.scores[self.scores["metric"] != ""]
        counts = [counted(rows[name].nunique(), name) for name in ("model", "method", "metric", "image")]
        failed = [counted(len(self.errors), "error")] if len(self.errors) else []
        return f"Run {self.name}: {', '.join([*counts, *failed])} ({self.path})"

    def __str__(self) -> str:
        from heatmark.benchmarks.tables.soundness import unsound
        from heatmark.benchmarks.tables.summary import in_letters

        return f"{self!r}\n\n{in_letters(self.scores, self.timing, unsound(self.path))}"

    def _repr_html_(self) -> str:
        from heatmark.benchmarks.face.html import leaderboards

        return f"<p>{escape(repr(self))}</p>{leaderboards(self.leaderboard())}"


def counted(number: int, what: str) -> str:
    """Return a number with what it counts.

    >>> counted(1, "image"), counted(2, "image")
    ('1 image', '2 images')
    """
    return f"{number:,} {what}" + ("" if number == 1 else "s")
