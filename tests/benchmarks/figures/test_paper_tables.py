"""Tests of the tables for a paper: their numbers, what is bold, and that the LaTeX compiles."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.figures.tables import Tables
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.tables.paper import Estimate, escape, latex, markdown, paper_tables


def test_means_are_those_of_the_leaderboard_and_the_best_is_bold(tables: Tables) -> None:
    table = next(iter(paper_tables(tables.results, tables.timing, tables.label)))
    ranked = leaderboard(tables.results).query("model == 'net_a' and metric == 'deletion'").set_index("cell")
    best = ranked["mean"].idxmin()
    text = f"{ranked.loc[best, 'mean']:.3f} ± {(ranked.loc[best, 'ci_high'] - ranked.loc[best, 'ci_low']) / 2:.3f}"
    found = [(str(cell), cell.best) for cell in table.entries["deletion ↓"]]
    assert found[0] == (text, True)
    assert [flag for _, flag in found] == [True, True, *[False] * (len(found) - 2)]  # grad_cam, and its repeat
    assert list(table.entries["method"][:2]) == ["Grad-CAM", "= Grad-CAM (pgc)"]
    assert list(table.entries["cost (forwards)"][:2]) == ["2.0", "6.0"]


def test_latex_has_booktabs_bold_and_the_definition(tables: Tables) -> None:
    text = latex(next(iter(paper_tables(tables.results, tables.timing))))
    assert text.count(r"\bfseries") == 4
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{llrrr}", r"deletion $\downarrow$",
                 r"pgc\_grad\_cam", "deletion:rise-2018[steps=4]", r"net\_a (shapes)"):  # fmt: skip
        assert part in text
    assert re.search(r"\\bfseries \d\.\d{3} \$\\pm\$ \d\.\d{3}", text)
    assert not re.search(r"(?<!\\)_", re.sub(r"\\label\{.*?\}", "", text))


def test_markdown_is_one_table_with_bold(tables: Tables) -> None:
    table = next(iter(paper_tables(tables.results, tables.timing)))
    lines = [line for line in markdown(table).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(table.entries)
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert markdown(table).count("**") == 8


def cell_of(tables: Tables, method: str, layer: str) -> str:
    rows = tables.results.query("model == 'net_a' and method == @method and layer == @layer")
    return str(rows["cell"].iloc[0])


def test_a_mean_over_fewer_images_shows_n_and_is_never_bold(tables: Tables) -> None:
    cell = cell_of(tables, "layer_cam", "features.15")
    frame = tables.results.copy()
    rows = (frame["cell"] == cell) & (frame["metric"] == "deletion")
    frame.loc[rows, "value"] = np.where(frame.loc[rows, "image"].isin(["image-0", "image-1"]), 0.01, np.nan)
    table = next(iter(paper_tables(frame, tables.timing)))
    cells = table.entries.set_index(["method", "layer"])["deletion ↓"]
    partial = cells["layer_cam", "features.15"]
    assert (str(partial), partial.best) == ("0.010 (n = 2)", False)
    assert cells["grad_cam", "features.15"].best
    assert sum(cell.best for cell in cells) == 2  # grad_cam, and its repeat
    assert "n: number of images on which the metric is defined" in table.caption
    assert "n: number" not in next(iter(paper_tables(tables.results, tables.timing))).caption


def test_equal_to_the_best_on_fewer_images_is_not_bold(tables: Tables) -> None:
    frame = tables.results[tables.results["model"] == "net_a"].assign(value=0.5)
    cell = cell_of(tables, "layer_cam", "features.15")
    frame.loc[(frame["cell"] == cell) & (frame["image"] == "image-0"), "value"] = np.nan
    cells = next(iter(paper_tables(frame, tables.timing))).entries.set_index(["method", "layer"])["deletion ↓"]
    bold = {key: cell.best for key, cell in cells.items()}
    assert not bold.pop(("layer_cam", "features.15"))
    assert str(cells["layer_cam", "features.15"]) == "0.500 (n = 11)"
    assert bold
    assert all(bold.values())


def test_cells_of_other_images_have_a_table_of_their_own(tables: Tables) -> None:
    cell = cell_of(tables, "layer_cam", "features.15")
    few = (tables.results["cell"] == cell) & ~tables.results["image"].isin(["image-0", "image-1"])
    found = list(paper_tables(tables.results[~few], tables.timing))
    assert [len(table.entries) for table in found] == [6, 1, 7]
    assert "means over 12 images ±" in found[0].caption
    assert "means over 2 images, other images or classes than in the previous table ±" in found[1].caption
    assert found[1].name == f"{found[0].name}-2"
    assert found[1].entries["layer"].tolist() == ["features.15"]
    assert "layer_cam" not in set(found[0].entries.query("layer == 'features.15'")["method"])


def test_a_metric_that_a_cell_lacks_is_a_dash(tables: Tables) -> None:
    cell = cell_of(tables, "layer_cam", "features.15")
    lacking = (tables.results["cell"] == cell) & (tables.results["metric"] == "insertion")
    table = next(iter(paper_tables(tables.results[~lacking], tables.timing)))
    cells = table.entries.set_index(["method", "layer"])
    assert str(cells.loc[("layer_cam", "features.15"), "insertion ↑"]) == "–"
    assert "nan" not in latex(table) + markdown(table)


def test_two_sets_of_options_are_two_rows(tables: Tables) -> None:
    other = tables.results[tables.results["method"] == "layer_cam"]
    other = other.assign(cell=other["cell"] + "b", value=other["value"] * 0.9 + 0.01, options='{"relu":false}')
    other["map_of"] = other["cell"]
    both = pd.concat([tables.results.assign(options='{"relu":true}'), other], ignore_index=True)
    names = next(iter(paper_tables(both, tables.timing, tables.label))).entries["method"]
    assert {"LayerCAM relu=true", "LayerCAM relu=false"} < set(names)
    assert "LayerCAM" not in set(names)


def test_an_undefined_number_is_a_dash() -> None:
    assert str(Estimate()) == "–"
    assert str(Estimate(0.25, float("nan"))) == "0.250"


def test_escape_leaves_no_command_in_a_name() -> None:
    assert escape(r"a_b & 5% \x") == r"a\_b \& 5\% \textbackslash{}x"


@pytest.mark.slow
def test_the_latex_compiles(tables: Tables, tmp_path: Path) -> None:
    engine = shutil.which("tectonic") or shutil.which("pdflatex")
    if engine is None:
        pytest.skip("neither tectonic nor pdflatex is on this machine")
    body = "\n".join(latex(table) for table in paper_tables(tables.results, tables.timing, tables.label))
    text = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + body + "\n\\end{document}\n"
    (tmp_path / "paper.tex").write_text(text, encoding="utf-8")
    options = [] if engine.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
    run = subprocess.run([engine, *options, "paper.tex"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 1000


def test_flagged_maps_are_counted_and_a_method_flagged_on_most_images_is_never_bold(tables: Tables) -> None:
    cells = {cell_of(tables, method, "features.15"): images
              for method, images in (("grad_cam", 8), ("pgc_grad_cam", 8), ("layer_cam", 3))}  # fmt: skip
    frame = tables.results.copy()
    number = frame["image"].str.removeprefix("image-").astype(int)
    frame["status"] = frame["status"].mask(number < frame["cell"].map(cells).fillna(0), "degenerate")
    table = next(iter(paper_tables(frame, tables.timing)))
    cells = table.entries.set_index(["method", "layer"])["deletion ↓"]
    best = cells["grad_cam †", "features.15"]
    assert (best.flagged, best.best) == (8, False)
    assert cells["= pgc_grad_cam †", "features.15"].flagged == 8
    mine = frame[(frame["cell"] == cell_of(tables, "layer_cam", "features.15")) & (frame["metric"] == "deletion")]
    unflagged = mine.loc[mine["status"] == "ok", "value"].mean()
    assert f"[3: {unflagged:.3f}]" in str(cells["layer_cam", "features.15"])
    assert sum(cell.best for cell in cells) == 2  # of the others: grad_cam at the earlier layer, and its repeat
    assert "†: flagged on most images, never in bold" in table.caption
    assert r"$\dagger$" in latex(table)


def test_two_checkpoints_of_one_label_are_two_tables(tables: Tables) -> None:
    mine = tables.results[tables.results["model"] == "net_a"]
    both = [mine.assign(weights="best", weights_digest=digest, cell=mine["cell"] + digest, map_of="")
            for digest in ("1111aaaa", "2222bbbb")]  # fmt: skip
    both[1]["value"] += 0.125
    first, second = paper_tables(pd.concat(both, ignore_index=True), tables.timing)
    assert "net_a (best #1111)" in first.caption
    assert "net_a (best #2222)" in second.caption
    assert first.name != second.name
    assert "not looked for" in first.caption
    gap = [b.mean - a.mean for a, b in zip(first.entries["deletion ↓"], second.entries["deletion ↓"], strict=True)]
    np.testing.assert_allclose(gap, 0.125)


def test_groups_are_counted_and_resampled(tables: Tables) -> None:
    number = tables.results["image"].str.removeprefix("image-").astype(int)
    grouped = tables.results.assign(group="p" + (number // 3).astype(str))
    table = next(iter(paper_tables(grouped, tables.timing)))
    assert "over 4 groups of images, whole groups resampled" in table.caption
    assert "groups" not in next(iter(paper_tables(tables.results, tables.timing))).caption
