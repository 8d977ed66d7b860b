"""Tests of a job's record: what a run keeps of a job, and what the same job finds when it is given again."""

from pathlib import Path

import pytest
import torch
from torch import nn

from heatmark.benchmarks import api
from heatmark.benchmarks.data.shapes import Shapes
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.methods.centre_prior import CentrePrior
from heatmark.metrics.deletion import Deletion

GIVEN = {"model": "net", "dataset": "shapes"}


def classifier() -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 3)).eval()
    return Classifier("net", module, "random-0", Preprocessing(None, None), {"last": "0"})


def sweep(record: JobRecord, settings: SweepSettings) -> None:
    methods, metrics = {"centre_prior": CentrePrior()}, {"deletion": Deletion(steps=2)}
    api.sweep(classifier(), Shapes(size=32, limit=3), methods, metrics, settings, record)


def settings(batch_size: int | None = None) -> SweepSettings:
    return SweepSettings(device="cpu", batch_size=batch_size, repeats=1, max_seconds=0.01)


def job(store: Store) -> dict[str, object]:
    (facts,) = store.jobs()
    return facts


def test_a_job_is_running_and_then_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, seen = Store(tmp_path), []
    monkeypatch.setattr(api, "run", lambda *_: seen.append(job(store)["status"]))
    sweep(JobRecord(store, "net", GIVEN), settings(2))
    assert (seen, job(store)["status"]) == (["running"], "done")


def test_a_job_that_could_not_run_says_why_until_it_runs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    JobRecord(store, "net", GIVEN).failed("no such layer")
    assert (job(store)["status"], job(store)["reason"]) == ("error", "no such layer")
    sweep(JobRecord(store, "net", GIVEN), settings(2))
    assert (job(store)["status"], job(store)["reason"]) == ("done", "")


def test_a_resumed_job_keeps_the_batch_size_it_was_tuned_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tuned = iter([5, 7])
    monkeypatch.setattr("heatmark.benchmarks.sweep.prepare.best_batch_size", lambda *_: next(tuned))
    store = Store(tmp_path)
    for _ in range(2):
        sweep(JobRecord(store, "net", GIVEN), settings())
        assert job(store)["batch_size"] == 5


def test_a_batch_size_that_is_asked_for_goes_before_a_tuned_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for asked in (3, 2):
        sweep(JobRecord(store, "net", GIVEN), settings(asked))
        assert job(store)["batch_size"] == asked
