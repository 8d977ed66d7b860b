"""A whole sweep in a folder of its own, for known answers of the runner and the tables."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.observer import Observer
from heatmark.benchmarks.sweep.prepare import prepare
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.run import run
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.benchmarks.tables.gather import gather
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric


def swept(
    classifier: Classifier,
    dataset: Dataset,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    **options: Any,
) -> pd.DataFrame:
    """Return the results table of a sweep on the CPU, without timings, in blocks of 3 pictures.

    Args:
        classifier: the model.
        dataset: the pictures.
        methods, metrics: by name.
        options: further fields of :class:`~heatmark.benchmarks.sweep.settings.SweepSettings`.
    """
    asked = SweepSettings(layers=(), device="cpu", timing=False, block_size=3, **options)
    with tempfile.TemporaryDirectory() as folder:
        record = JobRecord(Path(folder), {"model": classifier.name}, classifier.name)
        plan = prepare(classifier, dataset, methods, metrics, asked, record.batch_size)
        record.running(plan.request)
        run(plan, record, Observer())
        return gather(Path(folder))
