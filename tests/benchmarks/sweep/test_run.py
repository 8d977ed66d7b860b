"""Tests of the loop over a job's blocks: each image's numbers are its own, and do not depend on how it was computed."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep import map_rows
from heatmark.benchmarks.sweep.degenerate import tied_share
from heatmark.benchmarks.sweep.shards import Shard
from heatmark.common.resize import upsample
from heatmark.methods.base import Method
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.insertion import Insertion
from tests.benchmarks.sweep.toys import (
    PLAIN,
    Aimed,
    Forwards,
    Mean,
    Notes,
    Red,
    array,
    classifier,
    counting,
    swept,
    toys,
)

CAMS: dict[str, Method] = {"grad_cam": GradCAM(), "hires_cam": HiResCAM(), "eigen_cam": EigenCAM()}
CURVES: dict[str, Metric] = {
    "deletion": Deletion(steps=8, preset="rise-2018"),
    "insertion": Insertion(steps=8, baseline="zero", preset="rise-2018"),
}


def inputs(count: int = 7) -> list[Tensor]:
    data = toys(count)
    return [PLAIN.image(data[n].image) for n in range(count)]


def area_alone(image: Tensor, target: int, steps: int, insertion: bool) -> float:
    """Return the area under one image's curve in float64, computed one point at a time."""
    net, image = copy.deepcopy(classifier().module).double(), image.double()
    relevance = image[0] * (1 + target) + image[1]  # what Aimed says
    order = relevance.float().flatten().argsort(descending=True, stable=True).tolist()
    start, end = (torch.zeros_like(image), image) if insertion else (image, torch.zeros_like(image))
    scores = []
    for step in range(steps + 1):
        picture = start.clone()
        for pixel in order[: round(120 * step / steps)]:
            picture[:, pixel // 10, pixel % 10] = end[:, pixel // 10, pixel % 10]
        with torch.no_grad():
            scores.append(net(picture[None]).softmax(1)[0, target].item())
    return (sum(scores) - scores[0] / 2 - scores[-1] / 2) / steps


@dataclass(frozen=True)
class ReadsAll(Metric):
    """A metric: the target's logit + 10 times the map's sum in the mask + 100 times that of a second explanation."""

    higher_is_better: ClassVar[bool | None] = True
    needs: ClassVar[frozenset[str]] = frozenset({"masks"})

    def __call__(self, batch: Explained) -> Scores:
        assert batch.masks is not None
        assert batch.has_mask is not None
        assert len(batch.images) == batch.batch_size  # padded
        with torch.no_grad():
            logits = batch.model(batch.images).gather(1, batch.targets[:, None])[:, 0]
        inside = (batch.maps * batch.masks).sum((1, 2))
        again = batch.explain(batch.model, batch.images, batch.targets).abs().sum((1, 2))
        values = torch.where(batch.has_mask, logits + 10 * inside + 100 * again, torch.nan)
        return Scores(values, ["" if has else "no mask of this class" for has in batch.has_mask.tolist()])


def masks(count: int = 7) -> dict[int, np.ndarray]:
    return {n: n >= np.arange(120).reshape(12, 10) % 8 for n in range(count)}


@pytest.mark.parametrize(("batch_size", "block_size"), [(1, 3), (2, 7), (5, 2), (16, 64)])
def test_every_image_is_scored_with_its_own_target_mask_and_map(
    tmp_path: Path, batch_size: int, block_size: int
) -> None:
    data = toys(masks=masks())
    found = swept(
        tmp_path, {"aimed": Aimed()}, {"all": ReadsAll(), **CURVES}, data, target="label", batch_size=batch_size,
        block_size=block_size,
    )  # fmt: skip
    for n, image in enumerate(inputs()):
        target = n % 4
        with torch.no_grad():
            logit = copy.deepcopy(classifier().module).double()(image[None].double())[0, target]
        relevance = (image[0] * (1 + target) + image[1]).double()
        expected = logit + 10 * relevance[torch.from_numpy(masks()[n])].sum() + 100 * relevance.abs().sum()
        assert found.values("aimed", "all")[n] == pytest.approx(expected.item(), rel=1e-5)
        for name, insertion in (("deletion", False), ("insertion", True)):
            assert found.values("aimed", name)[n] == pytest.approx(area_alone(image, target, 8, insertion), abs=1e-5)
        np.testing.assert_allclose(array(found.maps("aimed")[n]), relevance.float(), rtol=1e-6)
        assert (found.entries[n].image, found.entries[n].target) == (f"{n}.png", target)
    assert np.ptp(found.values("aimed", "deletion")) > 0.1


@pytest.mark.parametrize("rule", ["predicted", "second", "label", 2])
def test_every_rule_gives_each_image_the_target_that_it_has_alone(tmp_path: Path, rule: str | int) -> None:
    found = swept(tmp_path, {"aimed": Aimed()}, {"mean": Mean()}, target=rule)
    for n, image in enumerate(inputs()):
        with torch.no_grad():
            ranked = classifier().module(image[None])[0].argsort(descending=True).tolist()
        alone = {"predicted": ranked[0], "second": ranked[1], "label": n % 4, 2: 2}[rule]
        assert found.entries[n].target == alone
        np.testing.assert_allclose(array(found.maps("aimed")[n]), image[0] * (1 + alone) + image[1], rtol=1e-6)


def test_blocks_growth_and_shards_change_no_bit(tmp_path: Path) -> None:
    methods, metrics = {**CAMS, "aimed": Aimed()}, {**CURVES, "all": ReadsAll(), "mean": Mean()}
    data = toys(masks=masks())
    whole = swept(tmp_path / "whole", methods, metrics, data, batch_size=4, block_size=7).everything()
    small = swept(tmp_path / "small", methods, metrics, data, batch_size=4, block_size=2)
    assert small.everything() == whole
    swept(tmp_path / "grown", methods, metrics, toys(7, masks=masks(), labels=data.labels), batch_size=4)
    few = type(data)(data.pictures[:3], data.labels[:3], {n: masks()[n] for n in range(3)})
    swept(tmp_path / "more", methods, metrics, few, batch_size=4)
    assert swept(tmp_path / "more", methods, metrics, data, batch_size=4).everything() == whole
    for number in (2, 0, 1):
        sharded = swept(tmp_path / "shards", methods, metrics, data, batch_size=4, shard=Shard(number, 3))
    assert sharded.everything() == whole
    assert [entry.position for entry in sharded.entries] == list(range(7))


def test_five_cams_of_a_layer_cost_one_forward_per_batch(tmp_path: Path) -> None:
    cams = {**CAMS, "layer_cam": LayerCAM()}
    costs = []
    for methods in (cams, {"grad_cam": GradCAM()}):
        model = classifier()
        count = Forwards(model.module)
        swept(tmp_path / str(len(methods)), methods, {"mean": Mean()}, model=model, batch_size=7, block_size=7)
        costs.append(count.images)
    assert costs[0] == costs[1]


def test_cams_that_share_a_capture_are_those_computed_alone(tmp_path: Path) -> None:
    together = swept(tmp_path / "all", CAMS, CURVES)
    for name, cam in CAMS.items():
        alone = swept(tmp_path / name, {name: cam}, CURVES)
        assert alone.maps(name) == together.maps(name)
        assert alone.scores(name, "deletion") == together.scores(name, "deletion")


def test_a_finished_sweep_computes_nothing_and_a_new_metric_only_itself(tmp_path: Path) -> None:
    calls = Notes()
    method, model = counting(calls), classifier()
    swept(tmp_path, {"m": method}, {"deletion": Deletion(steps=4)}, model=model)
    explained = len(calls)
    count = Forwards(model.module)
    swept(tmp_path, {"m": method}, {"deletion": Deletion(steps=4)}, model=model)
    start = count.images  # the first picture's, by which the model is looked at before anything else
    assert len(calls) == explained
    assert start <= 4
    swept(tmp_path, {"m": method}, {"deletion": Deletion(steps=4), "mean": Mean()}, model=model)
    swept(tmp_path, {"m": method}, {"deletion": Deletion(steps=4, rule="mean")}, model=model)
    assert len(calls) == explained
    assert count.images == 3 * start


def test_growing_a_dataset_computes_the_new_images_alone(tmp_path: Path) -> None:
    calls = Notes()
    method, data = counting(calls), toys()
    swept(tmp_path, {"m": method}, {"mean": Mean()}, type(data)(data.pictures[:4], data.labels[:4]), block_size=4)
    assert calls == [2, 2]
    swept(tmp_path, {"m": method}, {"mean": Mean()}, data, block_size=4)
    assert calls == [2, 2, 2, 2]  # three images more, the last batch padded


@dataclass(frozen=True)
class Flat(Method):
    """A method whose maps are constant, and NaN for class 3."""

    explains = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        maps = torch.full((len(images), 3, 3), 0.1)
        maps[targets == 3, 0, 0] = torch.nan
        return maps


def test_each_image_has_its_share_of_ties_its_flag_and_its_range(tmp_path: Path) -> None:
    tried = {"a": Deletion(8, ties="raster"), "b": Deletion(8, ties="reversed"), "c": Deletion(8, seed=1)}
    metrics = {"bounded": Deletion(steps=8, tie_orders=2), **tried}
    found = swept(tmp_path, {"flat": Flat()}, metrics, target="label")
    known = np.arange(7) % 4 != 3
    rows, maps = found.scores("flat", "bounded"), found.maps("flat")
    assert [row["flag"] for row in maps] == ["constant" if k else "not finite" for k in known]
    np.testing.assert_array_equal([row["tied"] for row in maps], np.where(known, 1.0, np.nan))
    orders = np.stack([found.values("flat", name) for name in ("bounded", *tried)])
    np.testing.assert_array_equal([row["tie_low"] for row in rows], orders.min(0))
    np.testing.assert_array_equal([row["tie_high"] for row in rows], orders.max(0))
    assert np.isnan(orders[:, ~known]).all()
    assert [bool(row["reason"]) for row in rows] == [not k for k in known]


@dataclass(frozen=True)
class Halves(Method):
    """A method whose maps have two values, which upsampling turns into many."""

    explains = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]]).expand(len(images), 2, 3)


def test_flags_are_of_the_raw_map_and_the_share_of_ties_of_what_is_ranked(tmp_path: Path) -> None:
    """Of the raw map 4 of 6 cells are equal; once it is upsampled, another share of the pixels is."""
    rows = swept(tmp_path, {"halves": Halves()}, {"mean": Mean()}).maps("halves")
    ranked = upsample(torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]]]), (12, 10))
    assert [(row["flag"], row["tied"]) for row in rows] == [("mostly tied", float(tied_share(ranked)))] * 7


@dataclass(frozen=True)
class Attached(Method):
    """A method whose maps still belong to an autograd graph."""

    explains = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return images[:, 0] * torch.ones((), requires_grad=True)


def test_maps_that_hang_on_a_graph_are_taken_off_it(tmp_path: Path) -> None:
    assert {row["status"] for row in swept(tmp_path, {"m": Attached()}, {"mean": Mean()}).maps("m")} == {"ok"}


def test_out_of_memory_goes_on_with_the_same_result(tmp_path: Path) -> None:
    def fail(images: Tensor) -> None:
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    halved = swept(tmp_path / "halved", {"m": counting(Notes(), fail)}, {"mean": Mean()}, batch_size=4)
    full = swept(tmp_path / "full", {"m": Red()}, {"mean": Mean()}, batch_size=4)
    assert halved.values("m", "mean") == full.values("m", "mean")


def test_maps_that_are_not_kept_are_computed_again_for_a_new_metric(tmp_path: Path) -> None:
    calls = Notes()
    method = counting(calls)
    first = swept(tmp_path, {"m": method}, {"mean": Mean()}, keep_maps="none")
    assert [row["map"] for row in first.maps("m")] == [None] * 7
    explained = len(calls)
    swept(tmp_path, {"m": method}, {"mean": Mean()}, keep_maps="none")
    assert len(calls) == explained
    again = swept(tmp_path, {"m": method}, {"mean": Mean(), **CURVES}, keep_maps="none")
    assert len(calls) == 2 * explained
    assert again.values("m", "deletion") == swept(tmp_path / "kept", {"m": Red()}, CURVES).values("m", "deletion")


def test_timings_are_a_phase_of_their_own_and_made_once(tmp_path: Path) -> None:
    def latencies() -> list[float]:
        return [
            n for batch in Store(tmp_path).batches("timings", ["latency_ms"]) for n in batch["latency_ms"].to_pylist()
        ]

    for timed, count in ((None, 1), (True, 1)):
        swept(tmp_path, {"m": Red()}, {"mean": Mean()}, timing=timed, repeats=1, max_seconds=0.01)
        assert len(latencies()) == count
    swept(tmp_path / "shard", {"m": Red()}, {"mean": Mean()}, timing=None, shard=Shard(0, 2))
    assert not list(Store(tmp_path / "shard").batches("timings"))


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("all", {(64, 64, 200): True, (65, 3, 99): True, (65, 3, 100): False}),
        ("gallery", {(64, 64, 99): True, (64, 64, 100): False}),
        ("none", {(7, 7, 0): False}),
    ],
)
def test_small_maps_are_kept_and_large_ones_of_pictures_that_are_shown(
    keep: str, kept: dict[tuple[int, int, int], bool]
) -> None:
    found = {(h, w, at): map_rows.kept(keep, torch.zeros(h, w), at) for h, w, at in kept}
    assert found == kept


@dataclass(frozen=True)
class Greedy(Red):
    """A method with a batch of its own, for which memory holds two images."""

    batch_size: int = 16

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        if self.batch_size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().__call__(model, images, targets, layer)


def test_out_of_memory_while_timing_a_method_with_a_batch_of_its_own_loses_nothing(tmp_path: Path) -> None:
    options = {"timing": True, "repeats": 1, "max_seconds": 0.01}
    found = swept(tmp_path, {"m": Greedy()}, {"mean": Mean()}, batch_size=8, block_size=8, **options)
    assert {row["status"] for row in found.maps("m")} == {"ok"}
    (batch,) = Store(tmp_path).batches("timings", ["batch_size", "status"])
    assert (batch["batch_size"].to_pylist(), batch["status"].to_pylist()) == ([2], ["ok"])
