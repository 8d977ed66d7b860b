"""The timing table: what each cell's method costs, one row per device and batch size."""

from collections.abc import Sequence

import pandas as pd

from heatmark.benchmarks.schema import CELL_KEY
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.asked import Asked

TIMED = [
    "batch_size", "threads", "latency_ms", "latency_iqr_ms", "forward_ms", "cost_in_forwards", "peak_memory_mib",
    "repeats",
]  # fmt: skip
TIMING = [*CELL_KEY, *TIMED]


def timing_rows(store: Store, settings: Sequence[Asked]) -> pd.DataFrame:
    """Return one row per cell, device and batch size that was timed, in the order of the results table.

    Args:
        store: the run's store.
        settings: what is asked for.
    """
    parts = [batch.to_pandas() for batch in store.batches("timings", ["maps", "status", *TIMED])]
    if not parts or not settings:
        return pd.DataFrame(columns=TIMING)
    timed = pd.concat(parts, ignore_index=True).drop_duplicates(["key", "row"], keep="last")
    timed = timed[timed["status"] == "ok"]
    cells = pd.concat([a.cells for a in settings], ignore_index=True)
    return cells.merge(timed.drop(columns="status"), on="maps")[TIMING]
