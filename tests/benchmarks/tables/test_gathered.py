"""Tests of the tables' reader: it refuses those of an older version, and reads them gathered again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.figures.tables import load
from heatmark.benchmarks.report.page import page
from heatmark.benchmarks.store import Measured, Record, Store
from heatmark.benchmarks.tables.gather import gather
from heatmark.benchmarks.tables.gathered import read_table

COLUMNS = {
    "model": "net", "weights": "own", "layer": "last", "method": "grad_cam", "implementation": "heatmark",
    "dataset": "shapes", "target_rule": "predicted", "device": "cpu", "precision": "fp32",
}  # fmt: skip
READERS: list[Callable[[Path], object]] = [
    load,
    lambda run: page(run, None, pictures=False),
    lambda run: read_table(run / "results.parquet"),
]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a run whose cells and tables are of a version that knew neither digests nor groups."""
    run = tmp_path / "mine"
    measured = {"deletion": Measured("deletion:rise-2018", False, np.array([0.25, 0.5]))}
    Store(run).write(Record("k", COLUMNS, images=["a", "b"], targets=[1, 2], flags=["", ""], metrics=measured))
    gather(run)
    for name in ("results", "timing", "curves"):
        file = run / f"{name}.parquet"
        later = ["weights_digest", "images_digest", "group", "tied", "depth"]
        pd.read_parquet(file).drop(columns=later, errors="ignore").to_parquet(file)
    return run


@pytest.mark.parametrize("reader", READERS)
def test_tables_of_an_older_version_are_refused(old: Path, reader: Callable[[Path], object]) -> None:
    with pytest.raises(ValueError, match=r"results\.parquet lacks .*digest.*, group: .*heatmark gather name=mine"):
        reader(old)


@pytest.mark.parametrize("reader", READERS)
def test_tables_gathered_again_are_read(old: Path, reader: Callable[[Path], object]) -> None:
    gather(old)
    reader(old)


@pytest.mark.parametrize("reader", READERS)
def test_a_table_without_cells_is_to_be_swept_again(old: Path, reader: Callable[[Path], object]) -> None:
    gather(old)
    for name in ("results", "timing", "curves"):
        file = old / f"{name}.parquet"
        pd.read_parquet(file).rename(columns={"cell": "trial"}).to_parquet(file)
    with pytest.raises(ValueError, match=r"results\.parquet lacks the columns cell: .*, sweep again under"):
        reader(old)


def test_only_results_need_groups(old: Path) -> None:
    with pytest.raises(ValueError, match=r"timing\.parquet lacks the columns weights_digest, images_digest: "):
        read_table(old / "timing.parquet")
