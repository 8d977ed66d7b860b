"""Tests of the command ``heatmark figures``."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from heatmark.benchmarks.cli import dispatch
from heatmark.benchmarks.figures import rank_heatmap
from heatmark.benchmarks.figures.tables import Tables
from heatmark.benchmarks.statistics.tables import statistics


def test_figures_tables_and_statistics_are_written(
    published: Callable[[], Path], tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    run = published()
    assert dispatch(["figures", "small", f"results_dir={run.parent}"]) == 0
    said = capsys.readouterr().out
    assert "skipped: net_a, net_b: the run keeps no pictures of it; run the same heatmark sweep again" in said
    for name in ("curves", "pareto", "critical_difference"):
        assert (run / "figures" / f"{name}.pdf").exists()
        assert f"{name}.pdf, .png" in said
    assert len(list((run / "tables").glob("*.tex"))) == 2
    expected = statistics(tables.results)
    assert list(expected) == ["leaderboard", "friedman", "pairwise", "concordance"]
    for name, table in expected.items():
        pd.testing.assert_frame_equal(pd.read_parquet(run / "statistics" / f"{name}.parquet"), table, check_dtype=False)
        assert len(pd.read_csv(run / "statistics" / f"{name}.csv")) == len(table)
    pairs = expected["pairwise"]
    best = pairs[(pairs["model"] == "net_a") & (pairs["method_a"] == "grad_cam") & (pairs["method_b"] == "random")]
    assert (best["difference"] > 0.4).all()
    assert (best["needed"] <= 4).all()


def test_a_figure_that_fails_is_reported_and_all_else_is_written(
    published: Callable[[], Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(tables: Tables) -> str:
        raise RuntimeError("no ink")

    monkeypatch.setattr(rank_heatmap, "draw", broken)
    run = published()
    assert dispatch(["figures", "small", f"results_dir={run.parent}"]) == 1
    said = capsys.readouterr()
    assert "failed: RuntimeError: no ink" in said.out
    assert "could not draw rank_heatmap" in said.err
    assert (run / "figures" / "pareto.pdf").exists()
    assert not (run / "figures" / "rank_heatmap.pdf").exists()
    assert (run / "statistics" / "pairwise.parquet").exists()
    assert len(list((run / "tables").glob("*.tex"))) == 2


def test_a_run_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["figures", "nowhere", f"results_dir={tmp_path}"]) == 1
    assert "no run 'nowhere' in" in capsys.readouterr().err


def test_compare_tests_one_method_against_every_other(
    published: Callable[[], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = published()
    assert dispatch(["figures", "small", f"results_dir={run.parent}", "compare=random"]) == 0
    pairs = pd.read_parquet(run / "statistics" / "pairwise.parquet")
    assert set(pairs["method_b"]) == {"random"}
    assert set(pairs["n_pairs"]) == {4}  # two methods at two layers; all pairs would be ten
    assert dispatch(["figures", "small", f"results_dir={run.parent}", "compare=grad_camm"]) == 1
    assert "no method 'grad_camm' to compare with: did you mean grad_cam" in capsys.readouterr().err
