"""Tests of the summary on the terminal: the statistics' numbers, at every width, and what is said beside them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from heatmark.benchmarks.conformance.answers.statistics import table
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.tables.summary import show, tables_of
from heatmark.benchmarks.tables.texts import cost_text, decimals, interval, shortened, wrapped

COST = pd.DataFrame({"cell": ["net-x-a"], "cost_in_forwards": [1.5], "weights_digest": "x", "images_digest": "i"})
DEEP = "encoder.layers.encoder_layer_11.ln_1"


def flagged(frame: pd.DataFrame, **images: list[str]) -> pd.DataFrame:
    hit = [image in images.get(method, []) for method, image in zip(frame["method"], frame["image"], strict=True)]
    return frame.assign(status=np.where(hit, "degenerate", "ok"))


def printed(results: pd.DataFrame, width: int = 120, timing: pd.DataFrame = COST) -> list[str]:
    console = Console(width=width)
    with console.capture() as said:
        for group in tables_of(results, timing, width):
            console.print(group, crop=False)
    return [line.rstrip() for line in said.get().splitlines()]


def words(results: pd.DataFrame, width: int = 120) -> str:
    return " ".join(" ".join(printed(results, width)).split())


def metrics(values: dict[str, list[float]], **facts: object) -> pd.DataFrame:
    """Return deletion, the values, insertion, one less these, and a size without a direction."""
    other = {name: [1 - x for x in column] for name, column in values.items()}
    down = table(values, metric="deletion", definition="deletion[steps=7]", higher_is_better=False, **facts)
    up = table(other, definition="insertion[steps=7]", **facts)
    size = table(values, metric="size", definition="size", **facts)
    both = pd.concat([down, up, size], ignore_index=True)
    return both.assign(higher_is_better=both["higher_is_better"].astype("boolean").mask(both["metric"] == "size"))


MANY = {
    **{f"captum_integrated_gradients_{i}": list(np.linspace(0.01 * i, 0.4 + 0.013 * i, 6)) for i in range(22)},
    "grad_cam": [0.1, 0.3, 0.2, 0.5, 0.4, 0.15], "random": [0.6, 0.7, 0.5, 0.9, 0.4, 0.8],
    "centre_prior": [0.02, 0.01, 0.03, 0.05, 0.04, 0.01],
}  # fmt: skip


def test_numbers_are_those_of_the_leaderboard() -> None:
    results = table({"a": [0.9, 0.2, 0.3], "random": [0.3, 0.25, 0.4]})
    row = leaderboard(results).set_index("method").loc["a"]
    low, high = (f"{row[name]:.3f}".removeprefix("0") for name in ("ci_low", "ci_high"))
    ends = (f"{row[name]:.3f}".replace("0.", ".") for name in ("gain_low", "gain_high"))
    lines = printed(results)
    assert lines[1].split() == ["#", "method", "layer", "insertion", "↑", "gain", "over", "random", "cost"]
    assert " ".join(lines[2].split()) == f"1 a last 0.467 [{low}, {high}] +.150 [{', '.join(ends)}] 1.50"
    assert lines[3].split()[:4] == ["2", "random", "last", "0.317"]
    assert "faithful" not in " ".join(lines)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_number_is_cut_at_any_width(width: int) -> None:
    results = metrics(MANY, layer=DEEP)
    lines, board = printed(results, width), leaderboard(results)
    said = " ".join(lines)
    for _, row in board.iterrows():
        low, high = (f"{row[name]:.3f}".replace("0.", ".", 1) for name in ("ci_low", "ci_high"))
        assert f"{row['mean']:.3f} [{low}, {high}]" in said
    letters = "".join(said.split())
    assert all(name in letters for name in ("gradients_21", "centre_prior", "11.ln_1"))
    if width >= 60:
        assert max(map(len, lines)) <= width


def test_metrics_stand_side_by_side_where_there_is_room() -> None:
    results = metrics(MANY, layer=DEEP)
    assert [line for line in printed(results, 120) if "deletion ↓" in line and "insertion ↑" in line]
    narrow = printed(results, 80)
    assert not [line for line in narrow if "deletion ↓" in line and "insertion ↑" in line]
    assert "#: rank by deletion ↓;" in words(results, 120)
    assert "rank by" not in words(results, 80)


def test_ranks_repeats_and_controls_are_in_order() -> None:
    values = {"centre_prior": [0.9, 0.9], "b": [0.7, 0.8], "twin": [0.7, 0.8], "c": [0.7, 0.8], "random": [0.1, 0.2]}
    results = table(values)
    marked = results.assign(map_of=results["cell"].replace({"net-x-twin": "net-x-b"}))
    rows = [line.split() for line in printed(marked)[2:7]]
    assert [row[:3] for row in rows] == [
        ["2.5", "b", "last"], ["2.5", "=", "twin"], ["2.5", "c", "last"], ["1", "centre_prior", "last"],
        ["4", "random", "last"],
    ]  # fmt: skip
    assert "=: the maps and rank of the method above" in words(marked)


def test_flags_and_undefined_scores_are_counted_and_explained() -> None:
    results = flagged(table({"a": [0.9, 0.2, 0.3], "random": [0.3, np.nan, 0.4]}), a=["00", "01"])
    lines = printed(results)
    assert lines[1].split()[-4:] == ["random", "n", "flags", "cost"]
    assert lines[2].split()[-3:] == ["3", "2!", "1.50"]
    assert lines[3].split()[-1] == "2"
    said = words(results)
    assert "n: images where it is defined; ranks are over those where all are (2)" in said
    assert "flags: degenerate maps (!: most, so the rank means little)" in said
    plain = words(table({"a": [0.9, 0.2, 0.3], "random": [0.3, 0.2, 0.4]}))
    assert "flags" not in plain
    assert "n: images" not in plain


def test_one_image_has_no_intervals() -> None:
    said = words(table({"a": [0.9], "random": [0.3]}))
    assert "scores of 1 image, without intervals" in said
    assert "0.900 +.600 1.50" in said
    assert "[95 %" not in said
    assert "±" not in said


def test_a_metric_without_any_value_is_shown_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    COST.to_parquet(tmp_path / "timing.parquet")
    results = table({"a": [np.nan, np.nan], "random": [np.nan, np.nan]})
    assert [line.split()[:4] for line in printed(results)[2:4]] == [
        ["–", "a", "last", "–"],
        ["–", "random", "last", "–"],
    ]
    show(results, tmp_path, [])
    assert "no score is defined" in capsys.readouterr().out


def test_a_descriptive_metric_has_a_mean_and_neither_rank_nor_gain() -> None:
    size = table({"a": [5.0, 7.0], "random": [90.0, 80.0]}, metric="size", definition="size")
    lines = printed(size.assign(higher_is_better=pd.array([None] * 4, dtype="boolean")))
    assert lines[1].split() == ["method", "layer", "size", "cost"]
    assert lines[2].split()[:3] == ["a", "last", "6.00"]


def test_checkpoints_of_one_name_and_cells_without_groups_have_tables_of_their_own() -> None:
    before = table({"a": [0.1, 0.1, 0.9, 0.9]})
    after = before.assign(cell="later", group=["p", "p", "q", "q"])
    other = table({"a": [0.1, 0.2, 0.3]}, weights_digest="y")
    said = words(pd.concat([before, after, other]))
    assert said.count("over 4 images, of 2 groups") == 1
    assert said.count("over 4 images;") == 1
    assert "net (best #x) on toy" in said
    assert "net (best #y) on toy" in said


def test_two_definitions_of_a_metric_are_named_by_these() -> None:
    results = table({"a": [0.1, 0.2]}, definition="insertion[steps=7]")
    other = table({"a": [0.3, 0.2]}, definition="insertion[steps=14]")
    said = words(pd.concat([results, other]), 60)
    assert "insertion[steps=7] # method layer ↑ cost" in said
    assert "insertion[ # method layer steps=14] ↑ cost" in said


def test_definitions_that_are_their_heading_are_not_repeated() -> None:
    values = {"a": [0.9, 0.2, 0.3], "random": [0.3, 0.25, 0.4]}
    assert "definitions: deletion[steps=7]; insertion[steps=7] " in f"{words(metrics(values))} ", "size is size"
    assert "definitions" not in words(metrics(values).query("metric == 'size'"))


def test_the_accuracy_is_that_of_the_labelled_images() -> None:
    correct = pd.array([True, False, None, True] * 2, dtype="boolean")
    results = table({"a": [0.1, 0.2, 0.3, 0.4], "b": [0.1, 0.2, 0.3, 0.4]}).assign(correct=correct)
    assert printed(results)[0] == "net (best) on toy, top-1 66.7 % of 3 labelled images"
    assert printed(results.assign(correct=correct.isna()).assign(correct=None))[0] == "net (best) on toy"


def test_what_is_piped_is_100_letters_wide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    COST.to_parquet(tmp_path / "timing.parquet")
    monkeypatch.delenv("COLUMNS", raising=False)
    results = metrics(MANY)
    widths = []
    for columns in ("", "60"):
        if columns:
            monkeypatch.setenv("COLUMNS", columns)
        show(results, tmp_path, [])
        lines = capsys.readouterr().out.splitlines()
        widths.append(max(len(line) for line in lines if str(tmp_path) not in line))
    assert 80 < widths[0] <= 100
    assert widths[1] <= 60


def test_errors_of_images_are_said_once_per_cell_and_a_run_without_scores_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    COST.to_parquet(tmp_path / "timing.parquet")
    results = table({"a": [np.nan, np.nan, 0.5], "b": [0.1, 0.2, 0.3]})
    failed = results["value"].isna()
    results = results.assign(status=np.where(failed, "error", "ok"), reason=np.where(failed, "KeyError", ""))
    show(results, tmp_path, [])
    assert "error: net last a insertion (2 images): KeyError" in " ".join(capsys.readouterr().out.split())
    show(results[failed].assign(metric="", definition="", image=""), tmp_path, [])
    assert "there is no score: everything was skipped or failed" in " ".join(capsys.readouterr().out.split())
    show(results.iloc[:0], tmp_path, [])
    assert "there is no score yet" in capsys.readouterr().out


def test_texts_of_numbers_and_names() -> None:
    assert interval(0.0594, 0.0481, 0.0722, 3) == "0.059 [.048, .072]"
    assert interval(-0.0594, -0.0722, 0.0481, 3, sign=True) == "-.059 [-.072, .048]"
    assert interval(0.5, np.nan, np.nan, 3) == "0.500"
    assert interval(np.nan, np.nan, np.nan, 3) == "–"
    assert interval(1.5e-5, 1e-5, 2e-5, decimals([1.5e-5, 2e-5])) == "1.50e-05 [1.00e-05, 2.00e-05]"
    assert [decimals([size, np.nan]) for size in (0.5, 9.9, 10, 250, 99999, 1e7)] == [3, 3, 2, 1, 0, -1]
    assert decimals([np.nan]) == 3
    assert [cost_text(cost) for cost in (0.02, 1.5, 93.77, 168.06, np.nan)] == ["0.02", "1.50", "93.8", "168", ""]
    assert wrapped("captum_integrated_gradients", 15) == "captum_\nintegrated_\ngradients"
    assert wrapped("abcdefgh", 3) == "abc\ndef\ngh"
    assert wrapped("rise masks=4000", 15) == "rise masks=4000"
    assert shortened([DEEP, "input"], 14) == {DEEP: "…layer_11.ln_1", "input": "input"}
    assert shortened(["block.a.ln_1", "block.b.ln_1"], 6)["block.a.ln_1"] == "block.\na.ln_1"


def test_importing_the_summary_does_not_import_scipy() -> None:
    code = "import sys; from heatmark.benchmarks.tables import gather, summary; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
