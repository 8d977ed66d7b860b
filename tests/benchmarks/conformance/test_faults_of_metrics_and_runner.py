"""Faults planted in the runner: the known answers, and so ``heatmark check``, turn red at each."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from heatmark.benchmarks.conformance.answers import runner as of_runner
from heatmark.benchmarks.conformance.report import is_red
from heatmark.benchmarks.store import Record
from heatmark.benchmarks.sweep import run, scores
from heatmark.metrics.base import Explained


def any_red(ask: Callable[[], Iterator]) -> bool:
    return any(map(is_red, ask()))


def tiled(tensor: Tensor, count: int) -> Tensor:
    return torch.cat([tensor] * count)[:count]


def other_targets(explained: Explained) -> Explained:
    return replace(explained, explain=lambda m, x, t: explained.explain(m, x, t.roll(1)))


def other_images(explained: Explained) -> Explained:
    return replace(explained, explain=lambda m, x, t: explained.explain(m, x.roll(1, 0), t))


FAULTS_OF_CASES: dict[str, Callable[[list[Explained]], list[Explained]]] = {
    "the first batch's targets for all": lambda batches: [
        replace(c, targets=tiled(batches[0].targets, len(c.targets))) for c in batches
    ],
    "the first batch's masks for all": lambda batches: [
        replace(c, masks=tiled(batches[0].masks, len(c.masks))) for c in batches
    ],
    "the first batch's images for all": lambda batches: [
        replace(c, images=tiled(batches[0].images, len(c.images))) for c in batches
    ],
    "images moved by one": lambda batches: [replace(c, images=c.images.roll(1, 0)) for c in batches],
    "maps in another order": lambda batches: [replace(c, maps=c.maps.flip(0)) for c in batches],
    "masks in another order": lambda batches: [replace(c, masks=c.masks.flip(0)) for c in batches],
    "no masks": lambda batches: [replace(c, masks=None) for c in batches],
    "explanations of other targets": lambda batches: [other_targets(c) for c in batches],
    "explanations of other images": lambda batches: [other_images(c) for c in batches],
    "another batch size": lambda batches: [replace(c, batch_size=1) for c in batches],
    "the last, short batch dropped": lambda batches: batches[:-1],
    "the last batch twice": lambda batches: [*batches, batches[-1]],
    "batches in another order": lambda batches: batches[::-1],
}


@pytest.mark.parametrize("fault", FAULTS_OF_CASES.values(), ids=FAULTS_OF_CASES)
def test_a_mix_up_of_cases_is_red(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[[list[Explained]], list[Explained]]
) -> None:
    right = scores.explained_batches
    monkeypatch.setattr(scores, "explained_batches", lambda *args: iter(fault(list(right(*args)))))
    assert any_red(of_runner.runner_answers)


def turned(record: Record, metric: str, field: str, by: int = 0) -> Record:
    """Return the record with one metric's numbers in reverse, and moved on by some images."""
    numbers = np.roll(getattr(record.metrics[metric], field)[::-1], by)
    return replace(record, metrics={**record.metrics, metric: replace(record.metrics[metric], **{field: numbers})})


FAULTS_OF_RECORDS: dict[str, Callable[[Record], Record]] = {
    "names": lambda r: replace(r, images=r.images[::-1]),
    "targets": lambda r: replace(r, targets=r.targets[1:] + r.targets[:1]),
    "flags": lambda r: replace(r, flags=[*r.flags[1:], r.flags[0]]),
    "values": lambda r: turned(r, "insertion", "values"),
    "tied": lambda r: turned(r, "deletion", "tied", by=1),
    "tie_low": lambda r: turned(r, "deletion", "tie_low"),
    "tie_high": lambda r: turned(r, "deletion", "tie_high"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS_OF_RECORDS.values(), ids=FAULTS_OF_RECORDS)
def test_a_wrong_zip_is_red(monkeypatch: pytest.MonkeyPatch, fault: Callable[[Record], Record]) -> None:
    right = of_runner.run_cell
    monkeypatch.setattr(of_runner, "run_cell", lambda *args: fault(right(*args)))
    assert any_red(of_runner.runner_answers)


def test_maps_of_other_targets_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    right = run.raw_maps
    monkeypatch.setattr(
        run, "raw_maps", lambda cell, job, *how: right(cell, replace(job, targets=job.targets.roll(1)), *how)
    )
    assert any_red(of_runner.runner_answers)


@pytest.mark.parametrize("field", ["names", "labels", "masks"])
def test_a_mixed_up_dataset_is_red(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    right = of_runner.load_images

    def wrong(*args: object) -> object:
        batch = right(*args)
        value = getattr(batch, field)
        return replace(batch, **{field: value[::-1] if isinstance(value, list) else value.flip(0)})

    monkeypatch.setattr(of_runner, "load_images", wrong)
    assert any_red(of_runner.runner_answers)


def test_predictions_of_other_images_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    right = of_runner.predict
    monkeypatch.setattr(of_runner, "predict", lambda *args: right(*args).roll(1, 0))
    assert any_red(of_runner.runner_answers)


@pytest.mark.parametrize("rule", ["predicted", "second", "label", "c"])
def test_another_rule_for_targets_is_red(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    right, other = of_runner.choose_targets, {"predicted": "second", "second": "predicted", "label": "c", "c": "d"}
    monkeypatch.setattr(of_runner, "choose_targets", lambda r, *args: right(other[r] if r == rule else r, *args))
    assert any_red(of_runner.runner_answers)
