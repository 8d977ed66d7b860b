"""Tests of estimates: the passes that are estimated are those that are counted, and nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from heatmark.benchmarks import api
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.durations import duration
from heatmark.benchmarks.sweep.estimate import Cost, Estimate, estimate, together
from heatmark.benchmarks.sweep.prepare import Plan, prepare
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.methods.base import Method
from heatmark.methods.engine.cost import share_behind
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.random_map import RandomMap
from heatmark.methods.rise import RISE
from heatmark.methods.score_cam import ScoreCAM
from heatmark.metrics.avg_sensitivity import AvgSensitivity
from heatmark.metrics.base import Metric
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.difference import Difference
from heatmark.metrics.insertion import Insertion
from heatmark.metrics.lerf import LeRF
from heatmark.metrics.max_sensitivity import MaxSensitivity
from heatmark.metrics.morf import MoRF
from heatmark.metrics.mu_fidelity import MuFidelity
from heatmark.metrics.parameter_randomisation import ParameterRandomisation
from tests.benchmarks.sweep.toys import Forwards, Mean, Red, Toys, classifier, swept, toys

SECONDS = 0.5


def planned(
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    root: Path,
    data: Toys | None = None,
    model: Classifier | None = None,
    **options: object,
) -> Plan:
    asked = SweepSettings(**({"device": "cpu", "batch_size": 2, "timing": False, "block_size": 3} | options))
    return prepare(model or classifier(), data or toys(), methods, metrics, asked, JobRecord(root, {}).batch_size)


def estimated(
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    root: Path,
    data: Toys | None = None,
    **options: object,
) -> Estimate:
    return estimate(planned(methods, metrics, root, data, **options), Store(root), lambda _: SECONDS)


def passes(found: Estimate) -> dict[str, float]:
    return {cost.name or cost.part: cost.passes for cost in found.costs}


@pytest.mark.parametrize(
    ("methods", "metrics"),
    [
        ({"red": Red()}, {"deletion": Deletion(steps=4)}),
        ({"red": Red()}, {"deletion": Deletion(), "insertion": Insertion(steps=7)}),
        ({"a": Red(), "b": RandomMap()}, {"morf": MoRF(steps=4), "lerf": LeRF(steps=4), "logit": MoRF(score="logit")}),
        ({"red": Red()}, {"a": Deletion(steps=5), "b": Deletion(steps=5, rule="mean")}),
        ({"rise": RISE(masks=7)}, {"mean": Mean()}),
        ({"score_cam": ScoreCAM()}, {"mean": Mean()}),
        ({"rise": RISE(masks=3)}, {"near": MaxSensitivity(samples=2)}),
        ({"rise": RISE(masks=3)}, {"near": MaxSensitivity(samples=2), "mean": AvgSensitivity(samples=2)}),
        ({"a": Red(), "b": RandomMap()}, {"mu": MuFidelity(samples=3, cells=3)}),
    ],
    ids=[
        "deletion",
        "two fills",
        "shared ends",
        "one path",
        "rise",
        "score_cam",
        "further maps",
        "equal further maps",
        "once per image",
    ],
)
def test_the_estimated_passes_are_those_that_are_counted(
    methods: Mapping[str, Method], metrics: Mapping[str, Metric], tmp_path: Path
) -> None:
    model = classifier()
    forwards = Forwards(model.module)
    found = estimate(planned(methods, metrics, tmp_path, model=model), Store(tmp_path), lambda _: SECONDS)
    before, by_name = forwards.images, passes(found)
    planned(methods, metrics, tmp_path, model=model)
    in_preparing = forwards.images - before
    swept(tmp_path, methods, metrics, model=model)
    silent = sum(by_name[name] for name, method in methods.items() if isinstance(method, Red))  # runs no pass
    assert found.passes - silent == forwards.images - before - 2 * in_preparing


@dataclass(frozen=True)
class Redder(Red):
    """A method that orders pixels as :class:`Red` does."""

    def __call__(self, model: nn.Module, images: torch.Tensor, targets: torch.Tensor, layer: str) -> torch.Tensor:
        return 2 * super().__call__(model, images, targets, layer) + 1


def test_maps_that_order_pixels_alike_share_their_curves(tmp_path: Path) -> None:
    counted = []
    for methods in ({"red": Red()}, {"red": Red(), "redder": Redder()}):
        model = classifier()
        forwards = Forwards(model.module)
        swept(tmp_path / str(len(methods)), methods, {"deletion": Deletion()}, model=model)
        counted.append(forwards.images)
    assert counted[0] == counted[1]


def test_methods_of_one_layer_share_a_pass(tmp_path: Path) -> None:
    found = estimated({"a": GradCAM(), "b": LayerCAM()}, {"mean": Mean()}, tmp_path)
    assert passes(found)["a"] == 2 * (4 + 4 + 2)  # blocks of 3, 3 and 1 pictures in batches of 2
    assert passes(found)["b"] == 0
    assert [cost.remark for cost in found.costs if cost.part == "method"] == ["", "shared"]


def test_what_says_nothing_is_assumed_or_unknown(tmp_path: Path) -> None:
    found = estimated({"red": Red()}, {"mean": Mean(), "gain": Difference("mean", "other"), "other": Mean()}, tmp_path)
    assert Cost("method", "red", 20.0, "assumed") in found.costs
    assert found.unknown == ["mean", "other"]
    assert "unknown" in "\n".join(found.lines())
    assert f"at least {duration(found.seconds)}, without mean, other" in "\n".join(found.lines())


def test_further_maps_cost_what_the_method_says(tmp_path: Path) -> None:
    anew = {"points": ParameterRandomisation(points=3), "all": ParameterRandomisation(points="all")}
    metrics = {"near": MaxSensitivity(samples=5), **anew}
    found = estimated({"cam": GradCAM(), "red": Red()}, metrics, tmp_path)
    assert passes(found)["near"] == 2 * (4 + 4 + 2) * (6 + 5 * 2.0)  # 2 methods, 6 forwards, 5 maps of two passes
    assert passes(found)["points"] == 2 * (4 + 4 + 2) * 3 * 2.0
    assert [cost.remark for cost in found.costs if cost.part == "metric"] == ["assumed", "assumed", "unknown"]
    assert found.unknown == ["all"]


def test_what_a_remark_means_and_what_other_runs_bring_is_said(tmp_path: Path) -> None:
    said = "\n".join(estimated({"red": Red()}, {"mean": Mean()}, tmp_path, reuse=["a/theirs"]).lines())
    assert "  assumed: two passes per map, because the method does not say what it costs\n" in said
    assert "shared" not in said
    assert "  reuse: what theirs has is taken over, so it costs less than is said below\n" in said


def test_nothing_is_written(tmp_path: Path) -> None:
    root = tmp_path / "run"
    asked = SweepSettings(device="cpu", block_size=3)  # its batch size is tuned
    api.estimate(classifier(), toys(), {"red": Red()}, {"deletion": Deletion(steps=2)}, asked, JobRecord(root, {}))
    assert not root.exists()


def test_what_is_stored_costs_nothing(tmp_path: Path) -> None:
    methods, metrics = {"rise": RISE(masks=3)}, {"deletion": Deletion(steps=2)}
    swept(tmp_path, methods, metrics, toys(5))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = estimated(methods, metrics, tmp_path, toys(5))
    assert (done.passes, done.stored["maps"], done.stored["scores"], done.bytes) == (0, (5, 5), (5, 5), 0)
    grown = estimated(methods, metrics, tmp_path, toys(7))
    assert grown.stored["maps"] == (5, 7)
    assert passes(grown) == {"rise": 2 * 2 * 3, "predictions": 4, "deletion": 4 + 4}  # one more in blocks 2 and 3
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_map_that_was_not_kept_is_computed_again_for_a_new_metric(tmp_path: Path) -> None:
    swept(tmp_path, {"rise": RISE(masks=3)}, {"deletion": Deletion(steps=2)}, toys(3), keep_maps="none")
    more = {"deletion": Deletion(steps=2), "insertion": Insertion(steps=2)}
    assert passes(estimated({"rise": RISE(masks=3)}, more, tmp_path, toys(3)))["rise"] == 4 * 3
    swept(tmp_path, {"random": RandomMap()}, {"deletion": Deletion(steps=2)}, toys(3))
    assert passes(estimated({"random": RandomMap()}, more, tmp_path, toys(3))) == {
        "random": 0,
        "insertion": 10 + 4 * 4,
    }  # ends once


def test_another_target_rule_is_another_job(tmp_path: Path) -> None:
    swept(tmp_path, {"rise": RISE(masks=3)}, {"deletion": Deletion(steps=2)}, toys(3))
    other = estimated({"rise": RISE(masks=3)}, {"deletion": Deletion(steps=2)}, tmp_path, toys(3), target="second")
    assert other.stored["maps"] == (0, 3)


def test_a_skipped_cell_says_why_and_costs_nothing(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Picky(Red):
        def unsupported(self, model: nn.Module, layer: str) -> str | None:
            return "needs a transformer"

    found = estimated({"picky": Picky(), "random": RandomMap()}, {"deletion": Deletion(steps=2)}, tmp_path)
    assert (found.cells, found.skipped) == (1, {"picky at input": "needs a transformer"})
    assert "  skipped picky at input: needs a transformer" in found.lines()


def test_a_method_that_fails_in_saying_its_cost_is_assumed(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Rude(Red):
        def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float | None:
            raise RuntimeError("no")

    found = estimated({"rude": Rude()}, {"deletion": Deletion(steps=2)}, tmp_path)
    assert [cost.remark for cost in found.costs if cost.name == "rude"] == ["assumed"]


def test_time_is_that_of_the_passes_and_timing_stops_early_for_slow_methods(tmp_path: Path) -> None:
    metrics = {"deletion": Deletion(steps=1)}
    slow = estimated({"rise": RISE(masks=99)}, metrics, tmp_path, timing=True)
    assert passes(slow)["timing"] == 2 * 2 * (1 + 99)  # a warm-up and one round, of two images each
    fast = estimate(planned({"rise": RISE(masks=9)}, metrics, tmp_path, timing=True), Store(tmp_path), lambda _: 1e-6)
    assert passes(fast)["timing"] == 6 * 2 * (1 + 9)
    assert slow.seconds == slow.passes * SECONDS


def test_what_would_be_reused_is_named_and_the_time_an_upper_bound(tmp_path: Path) -> None:
    found = estimated({"red": Red()}, {"deletion": Deletion(steps=3)}, tmp_path, reuse=["runs/base"])
    assert "  reuse: what base has is taken over, so it costs less than is said below" in found.lines()
    assert any(line.startswith("  time: up to ") for line in found.lines())
    plain = estimated({"red": Red()}, {"deletion": Deletion(steps=3)}, tmp_path)
    assert any(line.startswith("  time: about ") for line in plain.lines())
    assert "reused" not in " ".join(plain.lines())


def test_jobs_together() -> None:
    one = Estimate("net on toys", 1, {}, 2, {}, [Cost("method", "a", 10)], 0.5, 2, "cpu", {"maps": 2_000_000})
    assert together([one, one]) == "2 jobs together: 20 passes, about 0:10, up to 4.0 MB"


def test_the_disk_estimate_is_that_of_the_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = Toys(rng.integers(0, 255, (40, 64, 64, 3)).astype(np.uint8), tuple(n % 4 for n in range(40)))
    methods, metrics = {"red": Red(), "grad_cam": GradCAM()}, {"deletion": Deletion()}
    guessed = estimated(methods, metrics, tmp_path, data, block_size=64)
    swept(tmp_path, methods, metrics, data, block_size=64)
    size = sum(path.stat().st_size for path in (tmp_path / "store").rglob("*.parquet"))
    assert 0.5 < guessed.bytes / size < 2


def test_share_behind_a_layer() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 8)).eval()
    assert share_behind(module, "0", (4,)) == pytest.approx(3 / 4)
    assert share_behind(module, "2", (4,)) == 0
    assert not any(m._forward_hooks for m in module.modules())
    assert torch.is_grad_enabled()
