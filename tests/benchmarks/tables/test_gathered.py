"""Tests of the tables' reader: it refuses those of an older version, and reads them gathered again."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from heatmark.benchmarks.figures.tables import load
from heatmark.benchmarks.report.page import page
from heatmark.benchmarks.tables.gather import gather
from heatmark.benchmarks.tables.gathered import read_table

from .. import synthetic

READERS: list[Callable[[Path], object]] = [
    load,
    lambda run: page(run, None, pictures=False),
    lambda run: read_table(run / "results.parquet"),
]
LATER = ["weights_digest", "images_digest", "group", "tied", "depth", "maps", "map_of"]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a run whose tables are of a version that knew neither digests nor groups."""
    run = tmp_path / "mine"
    asked = synthetic.request([synthetic.cell("grad_cam"), synthetic.cell("random")], synthetic.entries(2))
    synthetic.timings(run, asked.cells)
    gather(synthetic.write(run, asked, synthetic.random_numbers()))
    for name in ("results", "timing"):
        file = run / f"{name}.parquet"
        pd.read_parquet(file).drop(columns=LATER, errors="ignore").to_parquet(file)
    return run


@pytest.mark.parametrize("reader", READERS)
def test_tables_of_an_older_version_are_refused(old: Path, reader: Callable[[Path], object]) -> None:
    with pytest.raises(ValueError, match=r"results\.parquet lacks .*digest.*, map_of: .*heatmark gather name=mine"):
        reader(old)


@pytest.mark.parametrize("reader", READERS)
def test_tables_gathered_again_are_read(old: Path, reader: Callable[[Path], object]) -> None:
    gather(old)
    reader(old)


def test_timing_needs_digests_alone(old: Path) -> None:
    with pytest.raises(ValueError, match=r"timing\.parquet lacks the columns weights_digest, images_digest: "):
        read_table(old / "timing.parquet")


def test_columns_and_cells_are_chosen_and_texts_are_shared(old: Path) -> None:
    results = gather(old)
    cell = results["cell"].iloc[-1]
    found = read_table(old / "results.parquet", ["method", "cell", "value"], [cell])
    expected = results.loc[results["cell"] == cell, ["method", "cell", "value"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)
    assert found["method"].iloc[0] is found["method"].iloc[1]
    assert read_table(old / "results.parquet", cells=[]).empty


def test_a_folder_named_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    run = tmp_path / "model=net"
    gather(
        synthetic.write(
            run, synthetic.request([synthetic.cell("rise")], synthetic.entries(1)), synthetic.random_numbers()
        )
    )
    assert read_table(run / "results.parquet")["model"].tolist() == ["net", "net"]
