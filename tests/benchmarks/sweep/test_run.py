"""Tests of the loop over a job's cells: what they store, what a failure leaves, what is not computed again."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.predictions import predict
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.store import Record, Store
from heatmark.benchmarks.sweep.cells import Cell, cells
from heatmark.benchmarks.sweep.degenerate import tied_share
from heatmark.benchmarks.sweep.images import ImageSet
from heatmark.benchmarks.sweep.job import Job
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.benchmarks.sweep.run import Observer, run, run_cell
from heatmark.benchmarks.sweep.scores import explained_batches, score
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.benchmarks.sweep.targets import choose_targets
from heatmark.common.identity import digest_json
from heatmark.common.resize import upsample
from heatmark.methods.base import Method
from heatmark.methods.grad_cam import GradCAM
from heatmark.metrics.base import CurveMetric, Curves, Explained, Metric
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.insertion import Insertion


@dataclass(frozen=True)
class MeanInMask(Metric):
    higher_is_better: ClassVar[bool] = True

    def __call__(self, explained: Explained) -> Tensor:
        assert explained.masks is not None
        return (explained.maps * explained.masks).flatten(1).sum(1)


@dataclass(frozen=True)
class Ramp(CurveMetric):
    higher_is_better: ClassVar[bool] = False

    def curves(self, explained: Explained) -> Curves:
        return Curves(torch.tensor([0.0, 1.0]), torch.stack([explained.maps[:, 0, 0], explained.maps[:, -1, -1]], 1))

    def summary(self, curves: Curves) -> Tensor:
        return curves.scores.mean(1)


@dataclass(frozen=True)
class Red(Method):
    """A method whose map is the image's red channel."""

    explains: ClassVar[Literal["layer", "input"]] = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return images[:, 0]


def red_after(before: Callable[[int], None]) -> Method:
    """Return a method whose map is the red channel; it first calls ``before``, which may raise, with the batch size."""

    @dataclass(frozen=True)
    class RedAfter(Red):
        def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
            before(len(images))
            return super().__call__(model, images, targets, layer)

    return RedAfter()


@pytest.fixture
def job() -> Job:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    images, masks = torch.rand(5, 3, 8, 8), torch.zeros(5, 8, 8, dtype=torch.bool)
    masks[:, :2] = True
    batch = ImageSet([f"{i}.png" for i in range(5)], images, torch.tensor([0, 1, 2, 0, 1]), masks)
    return Job(
        Classifier("net", net, "random-0", Preprocessing()),
        "toys",
        batch,
        torch.tensor([2, 1, 0, 1, 2]),
        {"seed": 0, "target": "second"},
    )


def settings(batch_size: int = 2) -> RunSettings:
    return RunSettings(torch.device("cpu"), "fp32", batch_size, repeats=1, max_seconds=1.0)


def test_a_record_says_whose_weights_and_pictures_it_is_of_and_the_images_groups(job: Job) -> None:
    batch = replace(job.image_set, groups=["a", "a", "", "b", "b"], pictures="5" * 64)
    job = replace(job, image_set=batch)
    record = run_cell(one(Red(), job), job, METRICS, settings())
    assert record.columns["weights_digest"] == job.classifier.network_digest()[:12]
    assert record.columns["images_digest"] == "5" * 12
    assert record.groups == ["a", "a", "", "b", "b"]


METRICS: dict[str, Metric] = {"mass": MeanInMask(), "ramp": Ramp()}


def one(method: Method, job: Job, layer: str = "0") -> Cell:
    (cell,) = cells({"m": method}, [layer], job.identity())
    return cell


def test_values_curves_targets_and_maps_are_each_images_own(job: Job) -> None:
    record = run_cell(one(Red(), job), job, METRICS, settings())
    red = job.image_set.images[:, 0]
    assert record.status == "ok", record.reason
    np.testing.assert_allclose(record.metrics["mass"].values, red[:, :2].flatten(1).sum(1).double(), rtol=1e-6)
    ramp = torch.stack([red[:, 0, 0], red[:, -1, -1]], 1)
    np.testing.assert_array_equal(record.metrics["ramp"].scores, ramp)
    np.testing.assert_allclose(record.metrics["ramp"].values, ramp.mean(1), rtol=1e-6)
    np.testing.assert_array_equal(record.maps, red)
    assert record.targets == [2, 1, 0, 1, 2]
    assert record.columns["layer"] == "input"
    assert record.metrics["mass"].definition == "mass"


def test_a_cell_says_its_options(job: Job) -> None:
    @dataclass(frozen=True)
    class Blurred(Red):
        sigma: float = 2.0
        border: str = "zeros"
        batch_size: int = 8

    record = run_cell(one(Blurred(), job), job, METRICS, settings())
    assert record.columns["options"] == '{"border":"zeros","sigma":2.0}'
    assert record.columns["depth"] == ""  # it belongs to no layer


def test_a_layers_depth_counts_the_modules_that_are_done_before_it_is(job: Job) -> None:
    net = nn.Sequential()
    net.add_module("stem", nn.Conv2d(3, 4, 3))
    net.add_module("layer1", nn.Sequential(nn.ReLU(), nn.ReLU()))
    net.add_module("layer3", nn.Sequential(nn.ReLU()))
    net.add_module("head", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))
    changed = replace(job, classifier=replace(job.classifier, module=net.eval()))
    # eleven modules with the net itself; a container is done after what it holds
    expected = {"stem": 1, "layer1.0": 2, "layer1.1": 3, "layer1": 4, "layer3.0": 5, "layer3": 6, "head": 10}
    for layer, done in expected.items():
        record = run_cell(one(GradCAM(), changed, layer), changed, METRICS, settings())
        assert float(record.columns["depth"]) == pytest.approx(done / 11)
    assert run_cell(one(GradCAM(), changed, "nowhere"), changed, METRICS, settings()).columns["depth"] == ""


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_the_batch_changes_nothing(job: Job, batch_size: int) -> None:
    cell = one(GradCAM(), job)
    base, other = (run_cell(cell, job, METRICS, settings(size)) for size in (2, batch_size))
    assert base.maps is not None
    np.testing.assert_allclose(other.maps, base.maps, atol=1e-7)
    np.testing.assert_allclose(other.metrics["mass"].values, base.metrics["mass"].values, atol=1e-6)


@pytest.fixture(scope="module")
def seven() -> Job:
    """Seven images whose probabilities differ much by image and class; the last batch of 2 or 5 is incomplete."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        net = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)
        ).eval()
        nn.init.normal_(net[4].weight, std=2)
        images = torch.randn(7, 3, 12, 10) + torch.randn(7, 3, 1, 1)
    masks = torch.arange(7).view(7, 1, 1) >= torch.arange(120).view(1, 12, 10) % 8
    labels = torch.tensor([3, 0, 1, 2, 2, 0, 1])
    batch = ImageSet([f"{i}.png" for i in range(7)], images, labels, masks)
    return Job(
        Classifier("net", net, "random-4", Preprocessing()), "toys", batch, labels.flip(0), {"seed": 0, "target": "x"}
    )


def alone(job: Job, n: int, target: int, steps: int, insertion: bool) -> float:
    """Return the area under one image's curve in float64, computed one point at a time."""
    net, image = copy.deepcopy(job.classifier.module).double(), job.image_set.images[n].double()
    relevance = job.image_set.images[n, 0] * (1 + target) + job.image_set.images[n, 1]  # what Aimed says
    order = relevance.flatten().argsort(descending=True).tolist()
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
class Aimed(Method):
    """A method whose map depends on the image and on the target."""

    explains: ClassVar[Literal["layer", "input"]] = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return images[:, 0] * (1 + targets.view(-1, 1, 1)) + images[:, 1]


@dataclass(frozen=True)
class ReadsAll(Metric):
    """A metric: the target's logit + 10 times the map's sum in the mask + 100 times that of a second explanation."""

    higher_is_better: ClassVar[bool] = True

    def __call__(self, explained: Explained) -> Tensor:
        assert explained.masks is not None
        assert len(explained.images) <= explained.batch_size
        with torch.no_grad():
            logits = explained.model(explained.images).gather(1, explained.targets[:, None])[:, 0]
        inside = (explained.maps * explained.masks).sum((1, 2))
        return (
            logits
            + 10 * inside
            + 100 * explained.explain(explained.model, explained.images, explained.targets).abs().sum((1, 2))
        )


@pytest.mark.parametrize("batch_size", [1, 2, 5, 16])
def test_every_image_is_scored_with_its_own_target_mask_and_map(seven: Job, batch_size: int) -> None:
    metrics = {"all": ReadsAll(), "deletion": Deletion(steps=8), "insertion": Insertion(steps=8, baseline="zero")}
    record = run_cell(one(Aimed(), seven), seven, metrics, settings(batch_size))
    assert record.status == "ok", record.reason
    for n, target in enumerate(seven.targets.tolist()):
        image, mask = seven.image_set.images[n].double(), seven.image_set.masks[n]
        with torch.no_grad():
            logit = copy.deepcopy(seven.classifier.module).double()(image[None])[0, target]
        relevance = image[0] * (1 + target) + image[1]
        expected = logit + 10 * relevance[mask].sum() + 100 * relevance.abs().sum()
        assert record.metrics["all"].values[n] == pytest.approx(expected.item(), rel=1e-5)
        for name, insertion in (("deletion", False), ("insertion", True)):
            assert record.metrics[name].values[n] == pytest.approx(alone(seven, n, target, 8, insertion), abs=1e-5)
        assert (record.images[n], record.targets[n]) == (f"{n}.png", target)
    assert np.ptp(record.metrics["deletion"].values) > 0.1


@pytest.mark.parametrize("rule", ["predicted", "second", "label", "2"])
@pytest.mark.parametrize("batch_size", [2, 5])
def test_every_rule_gives_each_image_the_target_that_it_has_alone(seven: Job, rule: str, batch_size: int) -> None:
    logits = predict(seven.classifier, seven.image_set.images, batch_size, torch.device("cpu"))
    targets = choose_targets(rule, logits, seven.image_set.labels, seven.classifier)
    record = run_cell(one(Aimed(), seven), replace(seven, targets=targets), {"all": ReadsAll()}, settings(batch_size))
    for n, image in enumerate(seven.image_set.images):
        with torch.no_grad():
            ranked = seven.classifier.module(image[None])[0].argsort(descending=True).tolist()
        alone = {"predicted": ranked[0], "second": ranked[1], "label": [3, 0, 1, 2, 2, 0, 1][n], "2": 2}[rule]
        assert record.targets[n] == alone
        np.testing.assert_allclose(record.maps[n], image[0] * (1 + alone) + image[1], rtol=1e-6)


@dataclass(frozen=True)
class Flat(Method):
    """A method whose maps are constant, and NaN for class 3."""

    explains: ClassVar[Literal["layer", "input"]] = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        maps = torch.full((len(images), 3, 3), 0.1)
        maps[targets == 3, 0, 0] = torch.nan
        return maps


@pytest.mark.parametrize("batch_size", [1, 2, 5, 16])
def test_each_image_has_its_share_of_ties_and_its_range(seven: Job, batch_size: int) -> None:
    metrics = {"bounded": Deletion(steps=8, tie_orders=2), "plain": Deletion(steps=8)}
    tried = {
        name: Deletion(steps=8, **options)
        for name, options in {"a": {"ties": "raster"}, "b": {"ties": "reversed"}, "c": {"seed": 1}}.items()
    }
    record = run_cell(one(Flat(), seven), seven, {**metrics, **tried}, settings(batch_size))
    bounded, plain = record.metrics["bounded"], record.metrics["plain"]
    assert record.status == "ok", record.reason
    known = seven.targets.numpy() != 3
    np.testing.assert_array_equal(bounded.tied, np.where(known, 1.0, np.nan))
    np.testing.assert_array_equal(bounded.values, plain.values)
    scores = np.stack([plain.values, *(record.metrics[name].values for name in tried)])
    np.testing.assert_allclose(bounded.tie_low, scores.min(0), atol=1e-6)
    np.testing.assert_allclose(bounded.tie_high, scores.max(0), atol=1e-6)
    assert (bounded.tie_high - bounded.tie_low)[known].min() > 1e-3
    assert np.isnan(bounded.tie_low[~known]).all()
    assert plain.tie_low is None
    assert plain.tie_high is None


@pytest.mark.parametrize("wrong", [lambda maps: maps.mean(), lambda maps: maps.flatten(1), lambda maps: maps[:1, 0, 0]])
def test_a_metric_that_gives_no_number_an_image_is_an_error(job: Job, wrong: Callable[[Tensor], Tensor]) -> None:
    @dataclass(frozen=True)
    class Wrong(Metric):
        higher_is_better: ClassVar[bool] = True

        def __call__(self, explained: Explained) -> Tensor:
            return wrong(explained.maps)

    record = run_cell(one(Red(), job), job, {"wrong": Wrong()}, settings())
    assert record.status == "error"
    assert "metric wrong gave" in record.reason
    assert "expected (N,)" in record.reason


@dataclass(frozen=True)
class Wide(Red):
    """One map per channel, where one per image is expected."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return images


def test_a_method_that_gives_no_map_per_image_is_an_error(job: Job) -> None:
    record = run_cell(one(Wide(), job), job, METRICS, settings())
    assert record.status == "error"
    assert record.reason == "ValueError: the method gave (2, 3, 8, 8) for 2 images, expected (N, h, w)"


def test_a_metric_that_lacks_an_image_is_an_error(job: Job) -> None:
    batches = list(explained_batches(one(Red(), job), job, job.image_set.images[:, 0], torch.device("cpu"), 2))
    with pytest.raises(ValueError, match="metric mass scored 3 images of 5"):
        score("mass", MeanInMask(), [batches[0], batches[-1]], torch.zeros(5))


def test_out_of_memory_goes_on_with_the_same_result(job: Job) -> None:
    def fail(size: int) -> None:
        if size > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    full, halved = (run_cell(one(m, job), job, METRICS, settings(4)) for m in (Red(), red_after(fail)))
    assert halved.status == "ok", halved.reason
    np.testing.assert_array_equal(halved.maps, full.maps)
    np.testing.assert_array_equal(halved.metrics["mass"].values, full.metrics["mass"].values)


def test_out_of_memory_while_timing_a_method_with_a_batch_of_its_own_loses_nothing(job: Job) -> None:
    @dataclass(frozen=True)
    class Greedy(Red):
        batch_size: int = 16

        def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
            if self.batch_size > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().__call__(model, images, targets, layer)

    record = run_cell(one(Greedy(), job), job, METRICS, settings(8))
    assert record.status == "ok", record.reason
    assert record.maps is not None
    assert record.timing[0]["batch_size"] == 2


def test_another_activation_is_another_cell_though_no_tensor_tells(job: Job) -> None:
    before = one(Red(), job).key
    job.classifier.module[1] = nn.Tanh()
    assert one(Red(), job).key != before


def test_the_identity_is_kept_beside_the_numbers(job: Job, tmp_path: Path) -> None:
    store, cell = Store(tmp_path), one(Red(), job)
    store.write(run_cell(cell, job, METRICS, settings()))
    (record,) = store.read()
    assert digest_json(record.identity) == cell.key == record.key


def test_a_failure_is_a_record_that_names_it(job: Job) -> None:
    def fail(size: int) -> None:
        raise KeyError("nothing here")

    record = run_cell(one(red_after(fail), job), job, METRICS, settings())
    assert (record.status, record.reason) == ("error", "KeyError: 'nothing here'")


def test_a_method_that_does_not_fit_is_skipped_with_its_reason(job: Job) -> None:
    @dataclass(frozen=True)
    class Refusing(Red):
        def unsupported(self, model: nn.Module, layer: str) -> str | None:
            return "not this model"

    record = run_cell(one(Refusing(), job), job, METRICS, settings())
    assert (record.status, record.reason, record.metrics) == ("skipped", "not this model", {})


class Statuses(Observer):
    """The statuses of the cells, and a check that each is announced before it ends."""

    def __init__(self) -> None:
        self.announced: list[Cell] = []
        self.found: list[str] = []

    def begins(self, cell: Cell) -> None:
        self.announced.append(cell)

    def ended(self, cell: Cell, status: str) -> None:
        assert self.announced[-1] is cell
        self.found.append(status)


def statuses(plan: Plan, store: Store) -> list[str]:
    observer = Statuses()
    run(plan, store, observer)
    return observer.found


def test_an_unknown_layer_of_one_cell_does_not_stop_the_others(job: Job, tmp_path: Path) -> None:
    store = Store(tmp_path)
    listed = list(cells({"m": GradCAM()}, ["nowhere", "0"], job.identity()))
    assert statuses(Plan(job, listed, METRICS, settings(), 0.5), store) == ["error", "ok"]


def test_a_finished_cell_is_never_computed_again(job: Job, tmp_path: Path) -> None:
    calls: list[int] = []
    cell = one(red_after(calls.append), job)
    plan = Plan(job, [cell], METRICS, settings(8), 0.5)
    for expected in ("ok", "done"):
        assert statuses(plan, Store(tmp_path)) == [expected]
    first = len(calls)
    statuses(plan, Store(tmp_path))
    assert len(calls) == first


def test_degenerate_maps_are_flagged_per_image(job: Job, tmp_path: Path) -> None:
    images = job.image_set.images.clone()
    images[1] = 0
    images[3, 0, 0, 0] = float("nan")
    batch = ImageSet(job.image_set.names, images, job.image_set.labels, job.image_set.masks)
    changed = Job(job.classifier, "toys", batch, job.targets, job.settings)
    record: Record = run_cell(one(Red(), changed), changed, METRICS, settings())
    assert record.flags == ["", "all zero", "", "not finite", ""]


@dataclass(frozen=True)
class Halves(Method):
    """A method whose maps have two values, which upsampling turns into many."""

    explains: ClassVar[Literal["layer", "input"]] = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]]).expand(len(images), 2, 3)


def test_flags_are_of_the_raw_map_and_the_share_of_ties_of_what_is_ranked(job: Job) -> None:
    """Of the raw map 4 of 6 cells are equal; once it is upsampled, another share of the pixels is."""
    record = run_cell(one(Halves(), job), job, METRICS, settings())
    assert record.flags == ["mostly tied"] * 5
    ranked = upsample(torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]]]), (8, 8))
    assert tied_share(ranked) > 4 / 6
    for measured in record.metrics.values():
        np.testing.assert_array_equal(measured.tied, np.full(5, tied_share(ranked)))


@dataclass(frozen=True)
class Attached(Method):
    """A method whose maps still belong to an autograd graph."""

    explains: ClassVar[Literal["layer", "input"]] = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return images[:, 0] * torch.ones((), requires_grad=True)


def test_maps_that_hang_on_a_graph_are_taken_off_it(job: Job) -> None:
    record = run_cell(one(Attached(), job), job, METRICS, settings())
    assert (record.status, record.reason) == ("ok", "")
