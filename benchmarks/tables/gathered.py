"""A reader of the tables that ``heatmark gather`` writes; tables of older versions are refused."""

from pathlib import Path

import pandas as pd

from heatmark.benchmarks.schema import DIGESTS


def read_table(path: Path) -> pd.DataFrame:
    """Return a table (results, timing or curves) of a run.

    Args:
        path: its parquet file.

    Raises:
        ValueError: where an older version gathered it, without the key of the cell or what tells equal names apart.
    """
    frame = pd.read_parquet(path)
    if missing := [name for name in _needed(path) if name not in frame]:
        raise ValueError(
            f"{path} lacks the columns {', '.join(missing)}: an older version gathered it; gather it again from the "
            f"run's cells with heatmark gather name={path.parent.name} (and results_dir=, where that is given), or, "
            "where that finds no cells, sweep again under another name"
        )
    return frame


def _needed(path: Path) -> list[str]:
    return ["cell", *DIGESTS, "group"] if path.stem == "results" else ["cell", *DIGESTS]
