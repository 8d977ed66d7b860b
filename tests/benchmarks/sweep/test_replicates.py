"""Replicates: which draws a sweep computes, what a finished run lacks of more of them, and what its tables say."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.replicates import Redrawn, redraw, rounds
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.benchmarks.tables.gather import gather
from heatmark.common.seeds import image_generator, redrawn, replicate_seed
from heatmark.methods.fusion import FusedLayers
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.random_map import RandomMap
from heatmark.methods.rise import RISE
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.difference import Difference
from heatmark.metrics.insertion import Insertion
from heatmark.metrics.max_sensitivity import MaxSensitivity
from tests.benchmarks.sweep.toys import Forwards, Mean, Red, classifier, swept, told, toys

RASTER = {"deletion": Deletion(steps=2, ties="raster")}
DRAWN = {"deletion": Deletion(steps=2)}


@dataclass(frozen=True)
class Noise(Metric):
    """A metric that costs no pass: a number drawn from the batch's seed."""

    higher_is_better: ClassVar[bool | None] = True
    draws: ClassVar[bool] = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(torch.stack([torch.rand((), generator=image_generator(i, batch.seed)) for i in batch.images]))


@dataclass(frozen=True)
class Seeded(GradCAM):
    """A method with a seed, to be held by another."""

    seed: int = 0


@dataclass(frozen=True)
class Fading(RandomMap):
    """Random maps that are undefined in one draw."""

    def __call__(self, model: Any, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        maps = super().__call__(model, images, targets, layer)
        return maps * torch.nan if self.seed == replicate_seed(0, 3) else maps


def table(root: Path, *args: Any, **options: Any) -> pd.DataFrame:
    swept(root, *args, **options)
    return gather(root)


def by_replicate(results: pd.DataFrame, method: str, metric: str) -> dict[int, list[float]]:
    """Return the scores, in the order of the images, by replicate."""
    rows = results[(results["method"] == method) & (results["metric"] == metric)].sort_values("image")
    return {int(number): part["value"].tolist() for number, part in rows.groupby("replicate")}  # type: ignore[call-overload]


def single(root: Path, seed: int, metrics: Mapping[str, Metric]) -> list[float]:
    """Return the scores of random maps of one seed, without any replicate."""
    alone = type("Alone", (RandomMap,), {"replicates": 1, "__doc__": RandomMap.__doc__, "name": "RandomMap"})
    return by_replicate(
        table(root, {"random": dataclass(frozen=True)(alone)(seed=seed)}, metrics), "random", "deletion"
    )[0]


def test_a_seed_of_a_replicate_is_fixed_and_that_of_the_first_is_the_seed() -> None:
    assert [replicate_seed(7, 0), replicate_seed(-1, 0)] == [7, -1]
    assert [replicate_seed(0, n) for n in (1, 2)] == [1953385799, 999258599], "a change outdates stored replicates"
    assert len({replicate_seed(seed, n) for seed in range(20) for n in range(20)}) == 400


def test_what_draws_nothing_is_itself() -> None:
    for thing in (GradCAM(), Red(), Deletion(ties="raster"), Mean(), MaxSensitivity()):
        assert redrawn(thing, 1) is thing
    assert redrawn(RandomMap(seed=3), 2) == RandomMap(seed=replicate_seed(3, 2))
    assert redrawn(RISE(masks=9), 1) == RISE(masks=9, seed=replicate_seed(0, 1))
    assert redrawn(Deletion(), 1).path.seed == replicate_seed(0, 1)
    assert redrawn(Deletion(ties="raster", baseline="normal"), 1).path.fill_seed == replicate_seed(0, 1)
    fused = FusedLayers(Seeded(), ["a"])
    assert redrawn(fused, 1) == FusedLayers(Seeded(seed=replicate_seed(0, 1)), ["a"])


def test_a_metric_that_draws_from_the_batch_is_drawn_with_another_seed() -> None:
    batch = Explained(
        torch.nn.Identity(), torch.rand(3, 3, 4, 4), torch.zeros(3), torch.rand(3, 4, 4), None, None, seed=5
    )
    again = redraw(Noise(), 2)
    assert again == Redrawn(Noise(), 2)
    assert torch.equal(again(batch).values, Noise()(replace(batch, seed=replicate_seed(5, 2))).values)
    assert (again.higher_is_better, again.needs, again.passes((4, 4))) == (True, frozenset(), None)
    assert redraw(Noise(), 0) == Noise()


def test_each_draw_of_a_cell_meets_one_draw_of_a_metric_and_any_other_cell_all() -> None:
    still = [Cell("input", "red", Red(), "red")]
    drawing = [Cell("input", "random", redrawn(RandomMap(), n), f"random-{n}", n) for n in range(5)]
    found = rounds([*still, *drawing], {"mean": Mean(), "noise": Noise()}, 2)
    met = {(cell.key, judge.name, judge.draw) for each in found for cell in each.cells for judge in each.judges}
    own = {(f"random-{n}", name, n if n < 2 else 0) for n in range(5) for name in ("mean", "noise")}
    assert met == own | {("red", "mean", 0), ("red", "noise", 0), ("red", "noise", 1)}
    assert len(rounds([*still, *drawing], {"mean": Mean()}, 2)) == 1


def test_the_random_control_is_the_mean_of_five_draws(tmp_path: Path) -> None:
    results = table(tmp_path / "five", {"random": RandomMap(seed=2), "red": Red()}, RASTER)
    draws = by_replicate(results, "random", "deletion")
    alone = [single(tmp_path / str(n), replicate_seed(2, n), RASTER) for n in range(5)]
    assert draws == dict(enumerate(alone))
    assert list(by_replicate(results, "red", "deletion")) == [0]
    row = leaderboard(results).set_index("method").loc["random"]
    assert row["mean"] == pytest.approx(np.mean(alone), abs=1e-12)
    means = np.mean(alone, axis=1)
    assert row["draws"] == 5
    assert row[["draws_sd", "draws_low", "draws_high"]].tolist() == pytest.approx(
        [np.std(means, ddof=1), min(means), max(means)]
    )
    assert row["n"] == 7
    assert results.groupby("method")["cell"].nunique().to_dict() == {"random": 1, "red": 1}
    summary = pd.read_csv(tmp_path / "five" / "summary.csv").set_index("method")
    assert summary.loc["red", "draws"] == 1
    assert np.isnan(summary.loc["red", "draws_sd"])


def test_a_gain_over_random_is_over_the_mean_of_its_draws(tmp_path: Path) -> None:
    results = table(tmp_path, {"random": RandomMap(), "red": Red()}, RASTER)
    draws = by_replicate(results, "random", "deletion")
    expected = np.mean(np.mean(list(draws.values()), axis=0) - by_replicate(results, "red", "deletion")[0])
    assert leaderboard(results).set_index("method").loc["red", "gain"] == pytest.approx(expected)


def test_a_drawn_metric_of_a_fixed_map_is_drawn_three_times(tmp_path: Path) -> None:
    metrics = {"noise": Noise(), "mean": Mean()}
    results = table(tmp_path / "three", {"red": Red()}, metrics, replicates=3)
    found = by_replicate(results, "red", "noise")
    for number in range(3):
        again = table(tmp_path / str(number), {"red": Red()}, metrics, seed=replicate_seed(0, number))
        assert found[number] == by_replicate(again, "red", "noise")[0]
    assert list(by_replicate(results, "red", "mean")) == [0]
    ranked = leaderboard(results).set_index("metric")
    assert ranked.loc["noise", "mean"] == pytest.approx(np.mean(list(found.values())))
    assert ranked["draws"].to_dict() == {"noise": 3, "mean": 1}
    assert results["maps"].nunique() == 1


def test_growth_computes_only_the_new_draws(tmp_path: Path) -> None:
    model, methods, metrics = classifier(), {"random": RandomMap(), "red": Red()}, {**DRAWN, "mean": Mean()}
    first = table(tmp_path / "a", methods, metrics, model=model)
    before = _stored(tmp_path / "a")
    grown = table(tmp_path / "a", methods, metrics, model=model, replicates=3)
    after = _stored(tmp_path / "a")
    count = {artefact: (len(before[artefact]), len(rows)) for artefact, rows in after.items()}
    # draws 1 and 2 of deletion of red, and of draws 1 and 2 of random; mean is the same for all
    assert count == {"maps": (42, 42), "curves": (42, 42 + 4 * 7), "scores": (84, 84 + 4 * 7)}
    assert by_replicate(grown, "red", "deletion")[0] == by_replicate(first, "red", "deletion")[0]
    assert by_replicate(grown, "random", "deletion")[0] == by_replicate(first, "random", "deletion")[0]
    assert list(by_replicate(grown, "red", "deletion")) == [0, 1, 2]
    whole = table(tmp_path / "b", methods, metrics, model=model, replicates=3)
    pd.testing.assert_frame_equal(whole, grown)
    counter = Forwards(model.module)
    swept(tmp_path / "a", methods, metrics, model=model, replicates=3)
    assert counter.images == 2, "twice the first picture, and nothing else"


def _stored(root: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        artefact: told(pa.concat_tables(map(pq.read_table, sorted((root / "store" / artefact).glob("*/*.parquet")))))
        for artefact in ("maps", "curves", "scores")
    }


def test_fewer_draws_take_rows_out_of_the_table_and_more_bring_them_back(tmp_path: Path) -> None:
    three = table(tmp_path, {"red": Red()}, {"noise": Noise()}, replicates=3)
    assert list(by_replicate(table(tmp_path, {"red": Red()}, {"noise": Noise()}), "red", "noise")) == [0]
    pd.testing.assert_frame_equal(table(tmp_path, {"red": Red()}, {"noise": Noise()}, replicates=3), three)


def test_maps_that_are_not_kept_are_computed_once_for_all_draws_of_a_metric(tmp_path: Path) -> None:
    model, cam = classifier(), {"cam": GradCAM()}
    counter = Forwards(model.module)
    for replicates in (1, 4):
        counter.images = 0
        options = {"model": model, "keep_maps": "none", "replicates": replicates}
        swept(tmp_path / str(replicates), cam, {"noise": Noise()}, toys(2), **options)
        assert counter.images == 6, "twice the first picture, predictions, maps"


def test_a_derived_metric_has_the_draws_of_its_terms(tmp_path: Path) -> None:
    metrics: dict[str, Metric] = {
        "deletion": Deletion(steps=2), "insertion": Insertion(steps=2, ties="raster"),
        "insertion_minus_deletion": Difference("insertion", "deletion"),
    }  # fmt: skip
    results = table(tmp_path, {"red": Red(), "random": RandomMap()}, metrics, replicates=2)
    for method, number, count in (("red", 2, 2), ("random", 5, 5)):
        insertion, deletion, both = (
            by_replicate(results, method, name) for name in ("insertion", "deletion", "insertion_minus_deletion")
        )
        assert len(both) == len(deletion) == number
        assert len(insertion) == (1 if method == "red" else count)
        for r, values in both.items():
            assert values == (np.array(insertion.get(r, insertion[0])) - deletion[r]).tolist()


def test_an_image_that_one_draw_leaves_undefined_is_undefined(tmp_path: Path) -> None:
    results = table(tmp_path, {"random": Fading(), "red": Red()}, RASTER)
    row = leaderboard(results).set_index("method").loc["random"]
    assert np.isnan(row["mean"])
    assert (row["n"], row["undefined"], row["draws"]) == (0, 7, 5)


def test_a_draw_that_fails_costs_no_other_anything(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Failing(RandomMap):
        def __call__(self, model: Any, images: Tensor, targets: Tensor, layer: str) -> Tensor:
            if self.seed == replicate_seed(0, 1):
                raise RuntimeError("no luck")
            return super().__call__(model, images, targets, layer)

    results = table(tmp_path, {"random": Failing()}, RASTER)
    failed = results[results["status"] == "error"]
    assert failed[["replicate", "reason", "image"]].to_numpy().tolist() == [[1, "RuntimeError: no luck", ""]]
    assert sorted(by_replicate(results, "random", "deletion")) == [0, 2, 3, 4]


@pytest.mark.parametrize("given", [0, -1, 1.5, True, "3"])
def test_replicates_are_a_whole_number_from_one(given: Any) -> None:
    with pytest.raises(ValueError, match=r"replicates is .*, expected a whole number of at least 1"):
        SweepSettings(replicates=given)
