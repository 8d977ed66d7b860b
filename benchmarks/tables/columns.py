"""The columns of a run's five tables, in their order: name, type, unit and meaning. ``docs/tables.md`` is made of them.

What a person reads stands first, digests stand last.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from heatmark.benchmarks.schema import SETTING

TEXT, NUMBER, WHOLE, TRUTH = pa.string(), pa.float64(), pa.int64(), pa.bool_()
NUMBERS_OF_A_LIST, TEXTS = pa.list_(pa.float32()), pa.list_(TEXT)
TYPES = {
    TEXT: "text", NUMBER: "float64", WHOLE: "int64", TRUTH: "boolean", NUMBERS_OF_A_LIST: "list of float32",
    TEXTS: "list of text",
}  # fmt: skip
"""How each type is named."""


class Column(NamedTuple):
    """A column of a table: its name, its type, what it says, and its unit or range, ``""`` where it has none."""

    name: str
    kind: pa.DataType
    meaning: str
    unit: str = ""


SUBJECT = [
    Column("model", TEXT, "name of the model"),
    Column("weights", TEXT, "name of its weights, unique among those of one model"),
    Column("dataset", TEXT, "name of the dataset"),
    Column("target_rule", TEXT, "which class is explained: predicted, second, label, or a class"),
]
CELL = [
    Column("layer", TEXT, "dotted name of the layer; input for a method that explains the input"),
    Column("method", TEXT, "name of the method"),
    Column("implementation", TEXT, "library that the method is of"),
]
METRIC = [
    Column("metric", TEXT, "name of the metric; empty in a row of a skipped or failed cell or picture"),
    Column("definition", TEXT, "id of the metric's definition; rows of two definitions are never compared"),
]
IMAGE = Column("image", TEXT, "name of the picture in its dataset; empty in a row of a whole cell")
REPLICATE = Column("replicate", WHOLE, "number of the draw, from 0; 0 alone where nothing is drawn")
PICTURE = [
    Column("group", TEXT, "group (patient, video) of the picture; empty where it has none"),
    Column("label", TEXT, "name of the true class; empty where unknown"),
]
PREDICTED = [
    Column("predicted", TEXT, "name of the most probable class, its number where it has no name"),
    Column("correct", TRUTH, "whether that is the true class; null where this is unknown or no class of the model"),
    Column("probability", NUMBER, "the model's probability of the predicted class; NaN where unknown", "0 to 1"),
]
TARGET = [
    Column("target", TEXT, "number of the class explained"),
    Column("target_name", TEXT, "its name, its number where it has no name"),
]
SAID = [
    Column("status", TEXT, "ok, degenerate (the map ranks few pixels or none), error or skipped"),
    Column("reason", TEXT, "why a number is NaN, a map degenerate, or a cell or picture skipped or failed"),
]
MACHINE = [
    Column("device", TEXT, "kind of device: cpu, cuda, mps"),
    Column("precision", TEXT, "fp32 or bf16"),
]
CELL_ID = Column("cell", TEXT, "id of the cell in its setting, the same in all tables; empty in a row of no cell")
DIGESTS = [
    Column("weights_digest", TEXT, "digest of the network: preprocessing, architecture, weights", "12 hex digits"),
    Column("images_digest", TEXT, "digest of the set of images", "12 hex digits"),
]

RESULTS_COLUMNS = [
    *SUBJECT, *CELL,
    Column("options", TEXT, "options of the method that differ from their defaults", "JSON"),
    *METRIC, IMAGE, REPLICATE, *PICTURE, *PREDICTED, *TARGET,
    Column("value", NUMBER, "the score; NaN where undefined", "the metric's"),
    Column("tied", NUMBER, "share of the map's pixels whose value another pixel has", "0 to 1"),
    Column("tie_low", NUMBER, "least score over other orders of tied pixels, where asked for", "the metric's"),
    Column("tie_high", NUMBER, "greatest such score", "the metric's"),
    Column("higher_is_better", TRUTH, "direction of the metric; null for a descriptive one"),
    *SAID,
    Column("depth", NUMBER, "depth of the layer in the model; NaN where unknown", "share of modules, 0 to 1"),
    *MACHINE, CELL_ID,
    Column("maps", TEXT, "key of the replicate's maps in the store", "SHA-256"),
    Column("map_of", TEXT, "the cell whose maps (of replicate 0) it repeats, or itself; empty where not compared"),
    *DIGESTS,
]  # fmt: skip
IMAGES_COLUMNS = [
    *SUBJECT, IMAGE, Column("position", WHOLE, "place of the picture in its dataset, from 0"),
    *PICTURE, *TARGET, *PREDICTED,
    Column("top", TEXTS, "names of the five most probable classes, the most probable first; empty where unknown"),
    Column("top_probability", NUMBERS_OF_A_LIST, "their probabilities", "0 to 1"),
    Column("status", TEXT, "ok, or error: the picture cannot be explained"),
    Column("reason", TEXT, "why it cannot be explained"),
    *MACHINE, Column("digest", TEXT, "digest of the picture; empty where it cannot be read", "32 hex digits"), *DIGESTS,
]  # fmt: skip
CURVES_COLUMNS = [
    *SUBJECT, *CELL[:2], *METRIC, IMAGE, REPLICATE,
    Column("fraction", NUMBERS_OF_A_LIST, "fractions of pixels perturbed", "0 to 1"),
    Column("score", NUMBERS_OF_A_LIST, "the model's score at each fraction", "the metric's"),
    CELL_ID,
]  # fmt: skip
OF_TIMING = [
    Column("batch_size", WHOLE, "images per call"),
    Column("threads", WHOLE, "threads in use on a CPU"),
    Column("latency_ms", NUMBER, "median time of one call", "ms"),
    Column("latency_iqr_ms", NUMBER, "interquartile range of these times", "ms"),
    Column("forward_ms", NUMBER, "median time of a plain forward pass of the same batch, timed in turn", "ms"),
    Column("cost_in_forwards", NUMBER, "median time of a call over that of a plain forward pass", "forward passes"),
    Column("peak_memory_mib", NUMBER, "peak memory of one call; NaN where the device does not count it", "MiB"),
    Column("repeats", WHOLE, "number of timed calls"),
]
TIMING_COLUMNS = [*SUBJECT, *CELL, *OF_TIMING, *MACHINE, CELL_ID, *DIGESTS]
SUMMARY_COLUMNS = [
    *SUBJECT, *CELL,
    Column("label", TEXT, "name of the method, with its layer where several cells have the name"),
    *METRIC,
    Column("higher_is_better", TRUTH, "direction of the metric; empty for a descriptive one, which ranks nothing"),
    Column("mean", NUMBER, "mean score over the images where it is defined", "the metric's"),
    Column("ci_low", NUMBER, "lower bound of its interval (BCa, 95 %)", "the metric's"),
    Column("ci_high", NUMBER, "upper bound", "the metric's"),
    Column("n", WHOLE, "images where the score is defined"),
    Column("n_groups", WHOLE, "groups that these are of"),
    Column("unit", TEXT, "what is resampled: images or groups"),
    Column("undefined", WHOLE, "images where the score is undefined"),
    Column("flagged", WHOLE, "images whose map is degenerate"),
    Column("mostly_flagged", TRUTH, "whether these are over half of all"),
    Column("rank", NUMBER, "rank by mean_ranked, 1 the best"),
    Column("rank_low", NUMBER, "lower bound of its interval (bootstrap, 95 %)"),
    Column("rank_high", NUMBER, "upper bound"),
    Column("mean_ranked", NUMBER, "mean over the images where all competing methods are defined", "the metric's"),
    Column("n_ranked", WHOLE, "number of these images"),
    Column("draws", WHOLE, "draws that an image's score is the mean of; 1 where nothing is drawn"),
    Column("draws_sd", NUMBER, "standard deviation over draws of their mean scores; NaN for one", "the metric's"),
    Column("draws_low", NUMBER, "least of these mean scores", "the metric's"),
    Column("draws_high", NUMBER, "greatest of these mean scores", "the metric's"),
    Column("gain", NUMBER, "by how much it is better than the method random, paired by image", "the metric's"),
    Column("gain_low", NUMBER, "lower bound of its interval (BCa, 95 %)", "the metric's"),
    Column("gain_high", NUMBER, "upper bound", "the metric's"),
    Column("n_gain", WHOLE, "images where both are defined"),
    Column("mean_unflagged", NUMBER, "mean over images whose map is not degenerate", "the metric's"),
    Column("n_unflagged", WHOLE, "number of these images"),
    Column("rank_unflagged", NUMBER, "rank by mean_ranked_unflagged"),
    Column("mean_ranked_unflagged", NUMBER, "mean over the images where no map is degenerate", "the metric's"),
    Column("n_ranked_unflagged", WHOLE, "number of these images"),
    Column("same_as", TEXT, "label of the method whose maps and rank it has; empty where it repeats none"),
    Column("maps_compared", TRUTH, "whether repeats were looked for"),
    *MACHINE, CELL_ID, *DIGESTS,
]  # fmt: skip

TABLES: Mapping[str, tuple[str, Sequence[Column]]] = {
    "results.parquet": ("One row per picture, cell (a method at a layer), metric and replicate.", RESULTS_COLUMNS),
    "images.parquet": ("One row per setting and picture, those that cannot be explained too.", IMAGES_COLUMNS),
    "curves.parquet": ("One row per picture, cell, curve and replicate.", CURVES_COLUMNS),
    "timing.parquet": ("One row per cell, batch size and number of threads.", TIMING_COLUMNS),
    "summary.csv": ("The leaderboard: one row per cell and definition of a metric.", SUMMARY_COLUMNS),
}

RESULTS, IMAGES, CURVES, TIMED, TIMING, SUMMARY = (
    [column.name for column in columns]
    for columns in (RESULTS_COLUMNS, IMAGES_COLUMNS, CURVES_COLUMNS, OF_TIMING, TIMING_COLUMNS, SUMMARY_COLUMNS)
)
TIES = ["tied", "tie_low", "tie_high"]


def schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the names and types of a table's columns."""
    return pa.schema([(column.name, column.kind) for column in columns])


def documented() -> str:
    """Return the page ``docs/tables.md``."""
    lines = [
        "# The tables of a run",
        "",
        "`heatmark gather NAME` writes them into the run's folder. `benchmarks/tables/columns.py` makes this page.",
        "",
        f"A setting is what may not be mixed: {', '.join(SETTING)}.",
    ]
    for name, (rows, columns) in TABLES.items():
        lines += ["", f"## {name}", "", rows, "", "| column | type | unit, range | meaning |", "|---|---|---|---|"]
        lines += [f"| `{c.name}` | {TYPES[c.kind]} | {c.unit} | {c.meaning} |" for c in columns]
    return "\n".join(lines) + "\n"
