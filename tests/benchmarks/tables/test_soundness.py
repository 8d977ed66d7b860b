"""Metrics that fail their cards, on leaderboards: marked and dim, never best, and only where the card is theirs."""

from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from heatmark.benchmarks.conformance.answers.statistics import table
from heatmark.benchmarks.report.table import fail_everywhere, rows
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.tables.paper import Estimate, paper_tables
from heatmark.benchmarks.tables.soundness import unsound
from heatmark.benchmarks.tables.summary import tables_of

WHY = "it does not tell random maps from a's: d_z = +0.50 takes 34 pictures, there are 6"
VALUES = {
    "a": [0.9, 0.8, 0.7, 0.9, 0.8, 0.7],
    "b": [0.5, 0.6, 0.4, 0.5, 0.6, 0.4],
    "random": [0.3, 0.2, 0.1, 0.2, 0.3, 0.2],
}
NO_TIMING = pd.DataFrame({"cell": pd.Series(dtype=str), "cost_in_forwards": [], "latency_ms": []})


def results() -> pd.DataFrame:
    """Insertion, under which a is first, and its reverse, under which b is first and a is below random."""
    other = {"a": [0.1] * 6, "b": [0.9, 0.8, 0.9, 0.8, 0.7, 0.9], "random": [0.3, 0.2, 0.4, 0.2, 0.3, 0.2]}
    both = [table(VALUES, definition="insertion[steps=7]"), table(other, metric="morf", definition="morf")]
    return pd.concat(both, ignore_index=True)


def cards(folder: Path, **change: str) -> dict[tuple[str, ...], str]:
    facts = {name: str(results()[name].iloc[0]) for name in ("target_rule", "weights_digest", "images_digest")}
    card = {"definition": "insertion[steps=7]", **facts, "test": "separation", "verdict": "fails", "because": WHY}
    pd.DataFrame([card | change, card | {"definition": "morf", "verdict": "passes", "because": ""}]).to_parquet(
        folder / "cards.parquet"
    )
    return unsound(folder)


def printed(failed: dict[tuple[str, ...], str], styled: bool = False) -> str:
    console = Console(width=140, force_terminal=styled, color_system="standard" if styled else None)
    with console.capture() as said:
        for group in tables_of(results(), NO_TIMING, 140, failed):
            console.print(group)
    return said.get()


def test_a_run_without_cards_looks_as_before(tmp_path: Path) -> None:
    assert unsound(tmp_path) == {}
    assert "‡" not in printed({})


def test_a_metric_that_fails_is_marked_and_said_why(tmp_path: Path) -> None:
    said = " ".join(printed(cards(tmp_path)).split())
    assert "insertion ↑ ‡" in said
    assert "morf ↑ ‡" not in said
    assert f"‡ insertion fails its card on this data: {WHY}" in said
    assert "#: rank by morf ↑" in said, "the first that does not fail leads"


def test_on_a_terminal_its_numbers_are_dim(tmp_path: Path) -> None:
    lines = printed(cards(tmp_path), styled=True).splitlines()
    (of_b,) = [line for line in lines if " b " in line]
    assert "\x1b[2m" in of_b
    assert "\x1b[2m" not in next(line for line in printed({}, styled=True).splitlines() if " b " in line)


@pytest.mark.parametrize(
    "change",
    [
        {"definition": "insertion[steps=8]"}, {"weights_digest": "other"}, {"images_digest": "other"},
        {"target_rule": "second"}, {"verdict": "passes"}, {"test": "agreement"},
    ],
)  # fmt: skip
def test_a_card_of_another_definition_or_other_data_marks_nothing(change: dict[str, str], tmp_path: Path) -> None:
    assert "‡" not in printed(cards(tmp_path, **change))


def test_in_paper_tables_it_has_no_best(tmp_path: Path) -> None:
    (made,) = paper_tables(results(), NO_TIMING, failed=cards(tmp_path))
    best = {name: [e.best for e in made.entries[name] if isinstance(e, Estimate)] for name in made.entries}
    assert not any(best["insertion ↑ ‡"])
    assert any(best["morf ↑"])
    assert f"‡: insertion fails its card on this data: {WHY}. " in made.caption


def test_in_the_report_every_score_says_why(tmp_path: Path) -> None:
    found = rows(leaderboard(results()), NO_TIMING, cards(tmp_path))
    assert {row.scores["insertion[steps=7]"].unsound for row in found} == {WHY}
    assert {row.scores["morf"].unsound for row in found} == {""}
    assert fail_everywhere(found) == {"insertion[steps=7]"}
    assert found[0].facts["method"] == "b", "sorted by the first metric that does not fail"


def test_a_method_that_is_first_and_below_random_is_named() -> None:
    assert "a: first by insertion, below random by morf" in printed({})
    assert "b: first" not in printed({})
