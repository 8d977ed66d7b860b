"""Tests of the isolation of faults: exactly the rows at fault are errors, and everything else keeps its numbers."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.sweep.faults import isolated
from heatmark.benchmarks.sweep.shards import Shard
from heatmark.benchmarks.tables.gather import gather
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.deletion import Deletion
from tests.benchmarks.sweep.toys import PLAIN, Mean, Notes, Red, classifier, counting, swept, toys

METRICS: dict[str, Metric] = {"mean": Mean(), "deletion": Deletion(steps=4)}


def image(n: int) -> Tensor:
    return PLAIN.image(toys()[n].image)


def raising_on(*numbers: int) -> "object":
    def before(images: Tensor) -> None:
        if any(torch.equal(one, image(n)) for one in images for n in numbers):
            raise KeyError("not this one")

    return before


@pytest.mark.parametrize("block_size", [2, 3, 7])
def test_a_method_that_raises_on_one_image_costs_no_other(tmp_path: Path, block_size: int) -> None:
    whole = swept(tmp_path / "whole", {"m": Red()}, METRICS)
    found = swept(
        tmp_path / "part", {"m": counting(Notes(), raising_on(4)), "other": Red()}, METRICS, block_size=block_size
    )
    rows = found.maps("m")
    assert [row["status"] for row in rows] == ["ok"] * 4 + ["error"] + ["ok"] * 2
    assert rows[4]["reason"] == "KeyError: 'not this one'"
    for metric in METRICS:
        values, right = found.values("m", metric), whole.values("m", metric)
        assert found.scores("m", metric)[4] is None
        assert values[:4] + values[5:] == right[:4] + right[5:]
        assert found.values("other", metric) == right


def test_an_error_is_tried_again_when_asked_and_a_success_replaces_it(tmp_path: Path) -> None:
    broken, calls = Notes([4]), Notes()

    def before(images: Tensor) -> None:
        if broken:
            raising_on(*broken)(images)

    method = counting(calls, before)
    swept(tmp_path, {"m": method}, METRICS)
    broken.clear()
    calls.clear()
    assert swept(tmp_path, {"m": method}, METRICS).maps("m")[4]["status"] == "error"
    assert calls == []
    found = swept(tmp_path, {"m": method}, METRICS, retry="errors")
    assert [row["status"] for row in found.maps("m")] == ["ok"] * 7
    assert calls == [2]
    assert not np.isnan(found.values("m", "deletion")).any()


def test_a_method_that_always_raises_ends_in_one_row_after_one_block(tmp_path: Path) -> None:
    calls = Notes()

    def before(images: Tensor) -> None:
        raise RuntimeError("never works")

    found = swept(tmp_path, {"m": counting(calls, before), "other": Red()}, METRICS)
    from heatmark.benchmarks.store import Store

    (row,) = Store(tmp_path).read("maps", [found.cell("m")]).to_pylist()
    assert (row["row"], row["status"], row["reason"]) == ("", "error", "RuntimeError: never works")
    assert len(calls) <= 2 * 3
    assert not np.isnan(found.values("other", "mean")).any()
    calls.clear()
    swept(tmp_path, {"m": counting(calls, before), "other": Red()}, METRICS)
    assert calls == []


def test_a_shared_capture_that_fails_on_one_image_costs_no_other(tmp_path: Path) -> None:
    class Fragile(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            raise_now = torch.is_grad_enabled() and any(torch.equal(one, image(2)) for one in self.seen)
            if raise_now:
                raise KeyError("no gradient for this one")
            return images

    cams = {"grad_cam": GradCAM(), "layer_cam": LayerCAM()}
    model, fragile = classifier(), Fragile()
    model.module.register_forward_pre_hook(lambda _m, inputs: setattr(fragile, "seen", inputs[0]))
    model.module.insert(1, fragile)
    found = swept(tmp_path, cams, {"mean": Mean()}, model=model)
    for name in cams:
        assert [row["status"] for row in found.maps(name)] == ["ok"] * 2 + ["error"] + ["ok"] * 4


@dataclass(frozen=True)
class Broken(Metric):
    higher_is_better: ClassVar[bool | None] = True

    def __call__(self, batch: Explained) -> Scores:
        raise KeyError("no such thing")


@dataclass(frozen=True)
class Short(Metric):
    higher_is_better: ClassVar[bool | None] = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(batch.maps.mean())


def test_a_metric_that_always_raises_costs_no_other_metric(tmp_path: Path) -> None:
    found = swept(tmp_path, {"m": Red()}, {"broken": Broken(), "short": Short(), **METRICS})
    assert [row["reason"] for row in found.scores("m", "broken")] == ["KeyError: 'no such thing'"] * 7
    assert "gave () for 2 images, expected (N,)" in found.scores("m", "short")[0]["reason"]
    assert found.values("m", "deletion") == swept(tmp_path / "alone", {"m": Red()}, METRICS).values("m", "deletion")


def test_a_model_that_gives_nan_on_one_image_is_one_picture_in_error(tmp_path: Path) -> None:
    class Nan(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: Tensor) -> Tensor:
            logits = self.inner(images)
            wrong = torch.tensor([torch.equal(one, image(5)) for one in images])
            return torch.where(wrong[:, None], torch.nan, logits)

    model = replace(classifier(module=Nan(classifier().module)), layers={"last": "inner.0"})
    found = swept(tmp_path, {"m": Red()}, METRICS, model=model)
    assert [bool(entry.reason) for entry in found.entries] == [n == 5 for n in range(7)]
    assert "NaN" in found.entries[5].reason
    assert [row is None for row in found.maps("m")] == [n == 5 for n in range(7)]


def test_a_broken_picture_is_one_entry_with_its_reason(tmp_path: Path) -> None:
    found = swept(tmp_path, {"m": Red()}, METRICS, toys(broken=frozenset({3})))
    whole = swept(tmp_path / "whole", {"m": Red()}, METRICS)
    assert [entry.reason for entry in found.entries if entry.reason] == ["cannot read 3.png"]
    assert [entry.image for entry in found.entries] == [f"{n}.png" for n in range(7)]
    values, right = found.values("m", "deletion"), whole.values("m", "deletion")
    assert values[:3] + values[4:] == right[:3] + right[4:]


def test_a_model_that_gives_nan_on_every_image_explains_nothing(tmp_path: Path) -> None:
    model = classifier()
    model.module[4].weight.data.fill_(torch.nan)
    with pytest.raises(ValueError, match="NaN"):
        swept(tmp_path, {"m": Red()}, METRICS, model=model)


def test_halves_are_tried_down_to_the_images_at_fault() -> None:
    calls = []

    def run(which: "object") -> list[int]:
        calls.append(len(which))
        if {3, 6} & set(which):
            raise ValueError("3 or 6")
        return [10 * n for n in which]

    found, reasons = isolated(run, list(range(8)))
    assert found == {n: 10 * n for n in (0, 1, 2, 4, 5, 7)}
    assert reasons == {3: "ValueError: 3 or 6", 6: "ValueError: 3 or 6"}
    assert sum(calls) < 8 * 4


def test_a_broken_device_ends_everything() -> None:
    def run(which: "object") -> list[int]:
        raise RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(RuntimeError, match="device-side"):
        isolated(run, [0, 1])


@pytest.mark.parametrize("block_size", [1, 3])
def test_a_block_of_broken_pictures_alone_costs_no_other(tmp_path: Path, block_size: int) -> None:
    found = swept(tmp_path, {"m": Red()}, METRICS, toys(broken=frozenset({0, 6})), block_size=block_size)
    assert [bool(entry.reason) for entry in found.entries] == [n in (0, 6) for n in range(7)]
    assert np.isfinite(found.values("m", "deletion")).tolist() == [n not in (0, 6) for n in range(7)]


def test_one_image_that_fails_alone_is_no_cell_that_fails(tmp_path: Path) -> None:
    data, method = toys(), counting(Notes(), raising_on(0))
    swept(tmp_path, {"m": method}, METRICS, replace(data, pictures=data.pictures[:1], labels=data.labels[:1]))
    rows = swept(tmp_path, {"m": method}, METRICS, data, block_size=1).maps("m")
    assert [row["status"] for row in rows] == ["error"] + ["ok"] * 6


def test_a_cell_that_failed_and_was_mended_grows(tmp_path: Path) -> None:
    fails = Notes([1])

    def before(images: Tensor) -> None:
        if fails:
            raise RuntimeError("not yet")

    method, data = counting(Notes(), before), toys()
    few = replace(data, pictures=data.pictures[:3], labels=data.labels[:3])
    swept(tmp_path, {"m": method}, METRICS, few)
    fails.clear()
    swept(tmp_path, {"m": method}, METRICS, few, retry="errors")
    assert np.isfinite(swept(tmp_path, {"m": method}, METRICS, data).values("m", "deletion")).all()


def test_one_method_under_two_names_is_computed_once(tmp_path: Path) -> None:
    calls = Notes()
    method = counting(calls)
    found = swept(tmp_path, {"m": method, "again": method}, METRICS)
    assert len(calls) == 5
    assert found.values("m", "deletion") == found.values("again", "deletion")


def test_a_shard_that_fails_as_a_whole_hides_no_picture(tmp_path: Path) -> None:
    for number in (0, 1, 2):
        swept(tmp_path, {"m": counting(Notes(), raising_on(0, 3, 6))}, METRICS, shard=Shard(number, 3))
    table = gather(tmp_path)
    rows = table[table["metric"] == "deletion"].set_index("image")
    failed = {f"{n}.png" for n in (0, 3, 6)}
    assert set(rows.index[rows["status"] == "error"]) == failed
    assert set(rows["reason"][list(failed)]) == {"KeyError: 'not this one'"}
    assert len(rows) == 7


def test_two_classes_of_one_identity_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatmark.common.identity.identity", lambda _thing: {"name": "one"})
    with pytest.raises(ValueError, match="name"):
        swept(tmp_path, {"m": Red(), "other": GradCAM()}, METRICS)
