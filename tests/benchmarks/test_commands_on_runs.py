"""Tests of the commands on a run's folder, as a person types them."""

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from heatmark.benchmarks import requests
from heatmark.benchmarks.runs.status import Count, status
from tests.benchmarks.runs.made import ENTRIES, elsewhere, put_all, request, say, write
from tests.benchmarks.tables.test_diff import results

Heatmark = Callable[..., tuple[int, str, str]]
RUNS = Path("results/runs")


@pytest.fixture
def run(heatmark: Heatmark) -> Path:
    """A finished run named ``mine``, in the folder in which the commands run."""
    put_all(write(RUNS / "mine", request()))
    return RUNS / "mine"


@pytest.mark.parametrize("given", ["mine", "results/runs/mine", "./results/runs/mine/"])
def test_status_takes_a_name_or_a_path(given: str, heatmark: Heatmark, run: Path) -> None:
    code, out, _ = heatmark("status", given)
    assert code == 0
    assert "net on shapes predicted done 12 0 0" in " ".join(out.split())
    assert "to continue" not in out
    assert not (run / "logs").exists()


def test_status_gives_the_line_that_continues_and_missing_work_is_no_error(heatmark: Heatmark, run: Path) -> None:
    write(run, request(facts={"status": "running", "shard_size": 10_000}))
    say(run, f"{'j' * 32}.0-of-1", elsewhere(0.0))
    code, out, _ = heatmark("status", "mine")
    assert code == 0
    assert out.splitlines()[-3:] == [
        f"died: {'j' * 32}.0-of-1; last line of its log: none",
        "to continue:",
        "heatmark sweep model=net 'name=my run'",
    ]
    assert max(map(len, out.splitlines()[:-3])) <= 80
    assert "\x1b" not in out


def test_forget_and_clean(heatmark: Heatmark, run: Path) -> None:
    code, out, _ = heatmark("forget", "mine", "method=rise", "layer=[layer3,layer4]")
    assert code == 1  # there is no layer4
    code, out, _ = heatmark("forget", "mine", "method=rise")
    assert (code, out.splitlines()[0]) == (0, "removed rise at layer3 of net on shapes")
    code, out, _ = heatmark("clean", "mine", "dry_run=true")
    assert code == 0
    assert out.startswith("would be removed: 13 rows that nothing asks for (in 5 parts)")
    assert heatmark("clean", "mine")[1].startswith("removed: 13 rows")
    assert heatmark("clean", "mine")[1].startswith("removed: 0 rows")


def test_a_metric_is_forgotten_though_it_is_no_option_of_hydras(heatmark: Heatmark, run: Path) -> None:
    assert heatmark("forget", "mine", "metric=pointing")[0] == 0
    assert [metric.name for metric in requests.current(run)[0].metrics] == ["deletion", "srg"]
    code, _, err = heatmark("forget", "mine", "metric=deletoin")
    assert (code, "did you mean deletion?" in err) == (1, True)


def test_rename(heatmark: Heatmark, run: Path) -> None:
    assert heatmark("rename", "mine", "yours")[:2] == (0, "results/runs/mine is now results/runs/yours\n")
    assert (RUNS / "yours" / "requests").is_dir()
    code, _, err = heatmark("rename", "yours", "../out")
    assert (code, "expected one path component" in err) == (1, True)
    assert "did you mean yours?" in heatmark("rename", "your", "theirs")[2]


def test_merge(heatmark: Heatmark, tmp_path: Path) -> None:
    for number, folder in enumerate((RUNS / "a", tmp_path / "usb" / "b", RUNS / "c")):
        entry = ENTRIES[number]
        put_all(write(folder, request(shard=(number, 3), entries=[entry], facts={"shard_size": 1})), [entry])
    assert heatmark("merge", "a", "usb/b", "c", "into=all")[0] == 0
    assert status(RUNS / "all", 0.0)[0].rows == Count(done=12)
    assert status(RUNS / "a", 0.0)[0].rows == Count(done=4)
    assert heatmark("merge", "a", "usb/b")[0] == 0
    assert status(RUNS / "a", 0.0)[0].rows == Count(done=8)


@pytest.mark.parametrize("words", [["forget", "mine", "method=rise"], ["rename", "mine", "b"], ["clean", "mine"]])
def test_a_run_that_runs_is_not_changed(
    words: list[str], heatmark: Heatmark, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(run, "j", elsewhere(100.0))
    monkeypatch.setattr(f"heatmark.benchmarks.commands.{words[0]}.time.time", lambda: 200.0)
    code, _, err = heatmark(*words)
    assert (code, "a sweep runs in results/runs/mine" in err) == (1, True)


def test_diff_fails_where_anything_differs(heatmark: Heatmark) -> None:
    for name, value in (("a", 0.5), ("b", 0.25)):
        (RUNS / name).mkdir(parents=True)
        results({"value": value}, {"layer": "layer4"}).to_parquet(RUNS / name / "results.parquet")
    code, out, err = heatmark("diff", "a", "b")
    assert code == 1
    assert "heatmark diff: results/runs/a and results/runs/b differ in 1 of 2 cells and metrics, 2 rows" in err
    assert "layer4" not in out
    code, out, _ = heatmark("diff", "a", "results/runs/b", "tolerance=0.3")
    assert (code, out) == (0, "equal: 2 cells and metrics, 2 rows\n")


def test_freeze(heatmark: Heatmark, run: Path) -> None:
    pd.DataFrame({"value": [0.5]}).to_parquet(run / "results.parquet")
    code, out, _ = heatmark("freeze", "mine")
    assert code == 0
    assert out.startswith("results/frozen/mine (0.0 MB)")
    assert (Path("results/frozen/mine") / "requests").is_dir()
    assert heatmark("freeze", "mine", "to=elsewhere")[0] == 0
    assert Path("elsewhere/frozen.json").exists()


def test_export_needs_a_folder(heatmark: Heatmark, run: Path) -> None:
    code, _, err = heatmark("export", "mine")
    assert (code, "to has no value; give it as to=…" in err) == (1, True)
    assert heatmark("export", "mine", "to=published", "maps=true")[0] == 0
    assert {"export.json", "requests", "results.parquet", "store"} <= {p.name for p in Path("published").iterdir()}
    assert "published exists" in heatmark("export", "mine", "to=published")[2]
    assert heatmark("status", "published")[0] == 0


def test_commands_on_a_run_import_nothing_that_it_names(
    heatmark: Heatmark, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    write(run, request(facts={"config": {"model": {"_target_": "trap.Model"}}}))
    pd.DataFrame({"value": [0.5]}).to_parquet(run / "results.parquet")
    put_all(write(RUNS / "other", request(written=2.0, facts={"config": {"_target_": "trap.Model"}})))
    for words in (
        ["status", "mine"], ["merge", "mine", "other"], ["freeze", "mine"], ["export", "mine", "to=out"],
        ["forget", "mine", "method=rise"],
        ["clean", "mine"], ["rename", "mine", "yours"],
    ):  # fmt: skip
        assert heatmark(*words)[0] == 0, words
    assert "trap" not in sys.modules
