"""Paper tables: the numbers, the bold ones, and LaTeX that compiles."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.figures.tables import Tables
from benchmarks.paper_tables import Estimate, escape, latex, markdown, paper_tables
from benchmarks.statistics.leaderboard import leaderboard


def test_cells_are_the_leaderboards_and_the_best_is_bold(tables: Tables) -> None:
    table = next(iter(paper_tables(tables.results, tables.timing, tables.label)))
    board = leaderboard(tables.results).query("model == 'net_a' and metric == 'deletion'").set_index("trial")
    best = board["mean"].idxmin()
    text = f"{board.loc[best, 'mean']:.3f} ± {(board.loc[best, 'ci_high'] - board.loc[best, 'ci_low']) / 2:.3f}"
    found = [(str(cell), cell.best) for cell in table.cells["deletion ↓"]]
    assert found[0] == (text, True)
    assert [flag for _, flag in found] == [True, True, *[False] * (len(found) - 2)]  # grad_cam, and its repeat
    assert list(table.cells["method"][:2]) == ["Grad-CAM", "= Grad-CAM (pgc)"]
    assert list(table.cells["cost (forwards)"][:2]) == ["2.0", "6.0"]


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
    assert len(lines) == 2 + len(table.cells)
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert markdown(table).count("**") == 8


def test_an_undefined_number_is_a_dash() -> None:
    assert str(Estimate(float("nan"), float("nan"))) == "–"
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
