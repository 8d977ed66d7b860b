"""The columns of a run's tables, in their order.

``cell`` is the id of a method's cell in a setting, ``maps`` the key of its maps in the store, which several may share,
and ``map_of`` the cell whose maps it repeats, or itself (``""`` where it has none).
"""

import pyarrow as pa

from heatmark.benchmarks.schema import CELL_KEY, OF_CELLS

TIES = ["tied", "tie_low", "tie_high"]
RESULTS = [
    *CELL_KEY, *OF_CELLS, "maps", "map_of", "image", "group", "target", "metric", "definition", "value", *TIES,
    "higher_is_better", "status", "reason",
]  # fmt: skip
TIMED = [
    "batch_size", "threads", "latency_ms", "latency_iqr_ms", "forward_ms", "cost_in_forwards", "peak_memory_mib",
    "repeats",
]  # fmt: skip
TIMING = [*CELL_KEY, *TIMED]
CURVES = ["cell", "image", "metric", "definition", "fraction", "score"]

NUMBERS = {*TIMED, "depth", "value", *TIES}
LISTS = {"fraction", "score"}


def schema(columns: list[str]) -> pa.Schema:
    """Return the types of a table's columns: float64, lists of float32, a nullable boolean, and texts."""
    return pa.schema([(name, _type(name)) for name in columns])


def _type(name: str) -> pa.DataType:
    if name in NUMBERS:
        return pa.float64()
    if name in LISTS:
        return pa.list_(pa.float32())
    return pa.bool_() if name == "higher_is_better" else pa.string()
