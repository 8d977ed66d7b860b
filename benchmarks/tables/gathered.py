"""A reader of the tables that ``heatmark gather`` writes; tables of older versions are refused."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pyarrow.dataset as ds


def read_table(path: Path, columns: Sequence[str] | None = None, cells: Collection[str] | None = None) -> pd.DataFrame:
    """Return a table (results, timing or curves) of a run, its texts as plain strings.

    Args:
        path: its parquet file.
        columns: names of the columns to read; None reads all.
        cells: ids of the cells whose rows are read; None reads all.

    Raises:
        ValueError: where an older version of Heatmark gathered it.
    """
    table = ds.dataset(path, format="parquet")
    if "cell" not in table.schema.names or (path.stem == "results" and "map_of" not in table.schema.names):
        raise ValueError(
            f"{path} was gathered by an older version of Heatmark; gather it again with heatmark gather "
            f"name={path.parent.name} (and results_dir=, where that is given), or sweep again under another name"
        )
    wanted = None if cells is None else pc.field("cell").isin(list(cells))
    frame: pd.DataFrame = table.to_table(columns=columns, filter=wanted).to_pandas(deduplicate_objects=True)
    return frame
