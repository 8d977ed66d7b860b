"""Faults planted in the runner: the known answers, and so ``heatmark check``, turn red at each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from heatmark.benchmarks.conformance.answers import runner as of_runner
from heatmark.benchmarks.conformance.report import is_red
from heatmark.benchmarks.sweep import maps, predictions, run, work
from heatmark.benchmarks.sweep.blocks import Block
from heatmark.benchmarks.sweep.explaining import Explaining
from heatmark.benchmarks.sweep.scores import Value
from heatmark.metrics.base import Explained


def any_red() -> bool:
    return any(map(is_red, of_runner.runner_answers()))


def rolled(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.roll(1, 0)


FAULTS_OF_BATCHES: dict[str, Callable[[Explained], Explained]] = {
    "targets of other images": lambda b: replace(b, targets=b.targets.roll(1)),
    "masks of other images": lambda b: replace(b, masks=rolled(b.masks)),
    "images moved by one": lambda b: replace(b, images=b.images.roll(1, 0)),
    "maps in another order": lambda b: replace(b, maps=b.maps.flip(0)),
    "no masks": lambda b: replace(b, masks=None),
    "explanations of other targets": lambda b: replace(b, explain=lambda m, x, t: b.explain(m, x, t.roll(1))),
    "explanations of other images": lambda b: replace(b, explain=lambda m, x, t: b.explain(m, x.roll(1, 0), t)),
    "another batch size": lambda b: replace(b, batch_size=1),
}


@pytest.mark.parametrize("fault", FAULTS_OF_BATCHES.values(), ids=FAULTS_OF_BATCHES)
def test_a_mix_up_of_batches_is_red(monkeypatch: pytest.MonkeyPatch, fault: Callable[[Explained], Explained]) -> None:
    right = Explaining.batch
    monkeypatch.setattr(Explaining, "batch", lambda *args, **how: fault(right(*args, **how)))
    assert any_red()


Found = Mapping[int, Value]
FAULTS_OF_SCORES: dict[str, Callable[[Found], dict[int, Value]]] = {
    "values of other images": lambda found: dict(zip(found, reversed(found.values()), strict=True)),
    "an image is lost": lambda found: dict(list(found.items())[1:]),
    "bounds turned round": lambda found: {i: replace(v, low=v.high, high=v.low) for i, v in found.items()},
    "no bounds": lambda found: {i: replace(v, low=float("nan")) for i, v in found.items()},
}


@pytest.mark.parametrize("fault", FAULTS_OF_SCORES.values(), ids=FAULTS_OF_SCORES)
def test_a_wrong_zip_is_red(monkeypatch: pytest.MonkeyPatch, fault: Callable[[Found], dict[int, Value]]) -> None:
    right = work.score_rows
    monkeypatch.setattr(
        work,
        "score_rows",
        lambda key, needs, entries, found, reasons: right(key, needs, entries, fault(found), reasons),
    )
    assert any_red()


def test_maps_of_other_targets_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    def padded(batch: maps.Batch, which: Sequence[int], size: int, device: torch.device) -> tuple[Tensor, Tensor]:
        images, targets = right(batch, which, size, device)
        return images, targets.roll(1)

    right = maps.Batch.padded
    monkeypatch.setattr(maps.Batch, "padded", padded)
    assert any_red()


def test_maps_of_other_images_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    right = work.map_rows
    monkeypatch.setattr(
        work, "map_rows", lambda cell, entries, found, *how: right(
            cell, entries, dict(zip(found, reversed(found.values()), strict=True)), *how
        )
    )  # fmt: skip
    assert any_red()


FAULTS_OF_BLOCKS: dict[str, Callable[[Block], Block]] = {
    "names": lambda b: replace(
        b, entries=[replace(e, image=o.image) for e, o in zip(b.entries, reversed(b.entries), strict=True)]
    ),
    "labels": lambda b: replace(b, labels=b.labels.flip(0)),
    "masks": lambda b: replace(b, objects=b.objects[::-1]),
    "images": lambda b: replace(b, images=b.images.flip(0)),
}


@pytest.mark.parametrize("fault", FAULTS_OF_BLOCKS.values(), ids=FAULTS_OF_BLOCKS)
def test_a_mixed_up_dataset_is_red(monkeypatch: pytest.MonkeyPatch, fault: Callable[[Block], Block]) -> None:
    right = run.blocks
    monkeypatch.setattr(run, "blocks", lambda *args, **how: map(fault, right(*args, **how)))
    assert any_red()


def test_predictions_of_other_images_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    right = predictions._top
    monkeypatch.setattr(predictions, "_top", lambda *args: right(*args)[::-1])
    assert any_red()


@pytest.mark.parametrize("rule", ["predicted", "second", "label", "c"])
def test_another_rule_for_targets_is_red(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    right, other = predictions.targets_of, {"predicted": "second", "second": "predicted", "label": "c", "c": "d"}

    def wrong(asked: str, *args: Any) -> Any:
        return right(other[asked] if asked == rule else asked, *args)

    monkeypatch.setattr(predictions, "targets_of", wrong)
    assert any_red()


def test_without_a_fault_nothing_is_red() -> None:
    found: Iterator[Any] = of_runner.runner_answers()
    assert not [finding for finding in found if is_red(finding)]
