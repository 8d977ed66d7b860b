"""Commands on a run with replicates: each of them takes all draws of a method with it, and tells draws apart."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
import torch
from torch import Tensor

from heatmark.benchmarks import requests
from heatmark.benchmarks.runs.clean import clean
from heatmark.benchmarks.runs.export import Parts, export
from heatmark.benchmarks.runs.forget import Which as Forgotten
from heatmark.benchmarks.runs.forget import forget
from heatmark.benchmarks.runs.freeze import freeze
from heatmark.benchmarks.runs.merge import merge
from heatmark.benchmarks.runs.rename import rename
from heatmark.benchmarks.runs.status import status
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.shards import parse_shard
from heatmark.benchmarks.tables.diff import EQUAL, diff
from heatmark.benchmarks.tables.gather import gather
from heatmark.benchmarks.verify.verify import verify
from heatmark.benchmarks.verify.which import Which
from heatmark.common.seeds import image_generator, replicate_seed
from heatmark.methods.random_map import RandomMap
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.deletion import Deletion
from tests.benchmarks.sweep.toys import Forwards, Red, classifier, swept, toys


@dataclass(frozen=True)
class Noise(Metric):
    """A metric that costs no pass: a number drawn from the batch's seed."""

    higher_is_better: ClassVar[bool | None] = True
    draws: ClassVar[bool] = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(torch.stack([torch.rand((), generator=image_generator(i, batch.seed)) for i in batch.images]))


METHODS = {"random": RandomMap(), "red": Red()}
METRICS: dict[str, Metric] = {"noise": Noise(), "deletion": Deletion(steps=2, ties="raster")}
ROWS = 4 * (5 * 2 + 3 + 1)
"""4 pictures: random under both metrics 5 times, red under noise 3 times and under deletion once."""


def sweep(root: Path, **options: Any) -> Path:
    swept(root, METHODS, METRICS, **({"dataset": toys(4), "replicates": 3} | options))
    return root


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = sweep(tmp_path_factory.mktemp("runs") / "finished")
    gather(root)
    return root


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def test_every_row_has_its_replicate(run: Path) -> None:
    results = gather(run)
    assert len(results) == ROWS
    assert not results.duplicated(["cell", "metric", "image", "replicate"]).any()
    assert results["replicate"].dtype == "int64"
    curves = pd.read_parquet(run / "curves.parquet")
    assert curves.groupby(["method", "replicate"]).size().to_dict() == {("red", 0): 4} | {
        ("random", n): 4 for n in range(5)
    }


def test_status_counts_draws(run: Path) -> None:
    (job,) = status(run, 0.0)
    assert (job.state, job.rows.done, job.rows.missing, job.rows.errors) == ("done", ROWS, 0, 0)
    shutil.rmtree(run / "store" / "scores")
    (job,) = status(run, 0.0)
    assert (job.state, job.rows.done, job.rows.missing) == ("stopped", 0, ROWS)


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(run: Path, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Interrupted(RandomMap):
        """Random maps that are interrupted at the second draw; the name is that of ``RandomMap``."""

        name: ClassVar[str] = "RandomMap"

        def __call__(self, model: Any, images: Tensor, targets: Tensor, layer: str) -> Tensor:
            if self.seed == replicate_seed(0, 1):
                raise KeyboardInterrupt
            return super().__call__(model, images, targets, layer)

    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path / "other", {**METHODS, "random": Interrupted()}, METRICS, toys(4), replicates=3)
    pd.testing.assert_frame_equal(gather(sweep(tmp_path / "other")), gather(run))


def test_shards_are_merged_into_the_table_of_one_process(run: Path, tmp_path: Path) -> None:
    parts = [sweep(tmp_path / str(n), shard=parse_shard(f"{n}/2")) for n in range(2)]
    merge(*parts)
    found = diff(gather(parts[1]), gather(run))
    assert found["verdict"].eq(EQUAL).all()
    assert found["entries"].sum() == ROWS


def test_diff_pairs_draws(run: Path) -> None:
    results = gather(run)
    one = (results["method"] == "red") & (results["replicate"] == 2) & (results["image"] == "1.png")
    other = results.assign(value=results["value"].where(~one, 9.0))
    found = diff(results, other).set_index(["method", "metric"])["different"]
    assert found.to_dict() == {
        ("red", "noise"): 1,
        ("red", "deletion"): 0,
        ("random", "noise"): 0,
        ("random", "deletion"): 0,
    }
    fewer = diff(results[results["replicate"] == 0], results).set_index(["method", "metric"])["missing"]
    assert fewer["red"].to_dict() == {"noise": 8, "deletion": 0}


def test_forget_takes_all_draws(run: Path) -> None:
    assert len(forget(run, Forgotten(method=["random"]))) == 1
    (request,) = requests.current(run)
    assert [cell.method for cell in request.cells] == ["red"]
    assert len(gather(run)) == 4 * 4
    assert len(forget(run, Forgotten(metric=["noise"]))) == 1
    assert len(gather(run)) == 4
    clean(run, 0.0, 1e9)
    kept = Store(run).present("maps", [c.key for c in requests.current(run)[0].cells])
    assert sum(map(len, kept.values())) == 4
    assert sum(len(rows) for rows in Store(run).batches("maps", ["status"])) == 4


def test_clean_keeps_all_draws(run: Path) -> None:
    assert clean(run, 0.0, 1e9).rows == 0


def test_a_renamed_frozen_or_exported_run_has_all_draws(run: Path, tmp_path: Path) -> None:
    results = gather(run)
    rename(run, tmp_path / "new")
    freeze(tmp_path / "new", tmp_path / "frozen")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "frozen" / "results.parquet"), pd.read_parquet(tmp_path / "new" / "results.parquet")
    )
    export(tmp_path / "new", tmp_path / "out", Parts(), gather)
    pd.testing.assert_frame_equal(gather(tmp_path / "out"), results)


def test_what_another_run_has_is_reused_draw_by_draw(run: Path, tmp_path: Path) -> None:
    model = classifier()
    counter = Forwards(model.module)
    sweep(tmp_path / "new", model=model, reuse=[str(run)])
    assert counter.images == 2, "twice the first picture, and nothing else"
    pd.testing.assert_frame_equal(gather(tmp_path / "new"), gather(run))


def test_verify_recomputes_each_draw(run: Path) -> None:
    found = verify(run, classifier(), toys(4), METHODS, METRICS, Which(images=2, device="cpu"))
    assert found["verdict"].eq(EQUAL).all()
    assert len(found) == ROWS / 2
    table = pd.read_parquet(run / "results.parquet")
    one = (table["method"] == "random") & (table["replicate"] == 4) & (table["metric"] == "noise")
    table.assign(value=table["value"].mask(one, 0.5)).to_parquet(run / "results.parquet")
    found = verify(run, classifier(), toys(4), METHODS, METRICS, Which(images=4, device="cpu"))
    wrong = found[found["verdict"] != EQUAL]
    assert wrong[["method", "metric", "replicate"]].drop_duplicates().to_numpy().tolist() == [["random", "noise", 4]]
    assert len(wrong) == 4


def test_a_draw_that_nobody_asked_for_is_told(run: Path) -> None:
    table = pd.read_parquet(run / "results.parquet")
    more = table[table["method"] == "red"].assign(replicate=7)
    pd.concat([table, more]).to_parquet(run / "results.parquet")
    found = verify(run, classifier(), toys(4), METHODS, METRICS, Which(images=4, device="cpu"))
    assert found.groupby("replicate")["verdict"].unique().map(list).to_dict() == {
        **{n: ["equal"] for n in range(5)}, 7: ["cannot"],
    }  # fmt: skip


def test_timings_are_of_the_first_draw(tmp_path: Path) -> None:
    sweep(tmp_path, timing=True, repeats=1, max_seconds=0.01)
    gather(tmp_path)
    timing = pd.read_parquet(tmp_path / "timing.parquet")
    assert sorted(timing["method"]) == ["random", "red"]
    assert set(timing["cell"]) == set(pd.read_parquet(tmp_path / "results.parquet")["cell"])


def test_methods_are_compared_by_their_first_draw(tmp_path: Path) -> None:
    methods = {"random": RandomMap(), "random(seed=1)": RandomMap(seed=1), "again": replace(RandomMap())}
    swept(tmp_path, methods, METRICS, toys(4))
    results = gather(tmp_path)
    of = results.drop_duplicates("cell").set_index("method")
    assert of["map_of"].to_dict() == {
        "random": of.loc["again", "cell"], "again": of.loc["again", "cell"],
        "random(seed=1)": of.loc["random(seed=1)", "cell"],
    }  # fmt: skip
    assert results.groupby("cell")["map_of"].nunique().eq(1).all()
    assert results.groupby("method").size().to_dict() == dict.fromkeys(methods, 4 * 5 * 2)
