"""The columns of stored artefacts and of a run's tables."""

import pyarrow as pa

SCHEMA = 1
"""The version of what is stored: of parts and of requests. Files of another version are refused, never guessed at."""

_SAID = {"status": pa.string(), "reason": pa.string()}

ARTEFACTS = {
    "predictions": pa.schema({"top": pa.list_(pa.int32()), "probability": pa.list_(pa.float32()), **_SAID}),
    "maps": pa.schema(
        {
            **_SAID,
            "flag": pa.string(),
            "tied": pa.float64(),
            "order": pa.string(),
            "signature": pa.binary(),
            "height": pa.int32(),
            "width": pa.int32(),
            "map": pa.binary(),
        }
    ),
    "curves": pa.schema({**_SAID, "x": pa.list_(pa.float32()), "y": pa.list_(pa.float32())}),
    "scores": pa.schema({**_SAID, **dict.fromkeys(("value", "tie_low", "tie_high"), pa.float64())}),
    "timings": pa.schema(
        {
            "maps": pa.string(),
            "device": pa.string(),
            **dict.fromkeys(("batch_size", "threads", "repeats"), pa.int32()),
            **dict.fromkeys(("latency_ms", "latency_iqr_ms", "forward_ms", "cost_in_forwards"), pa.float64()),
            "peak_memory_mib": pa.float64(),
            **_SAID,
        }
    ),
    "pictures": pa.schema({"picture": pa.binary()}),
}
"""The columns of each artefact beside ``key`` and ``row``, which identify a row.

``key`` is the digest of what computed the row (:mod:`heatmark.benchmarks.sweep.keys`), ``row`` names its image
(:func:`heatmark.benchmarks.requests.row`). ``status`` is ``ok`` or ``error``, ``reason`` says why a row is an error or
why its number is undefined, else ``""``. A map is float32 in C order, null where it is not kept; ``signature`` is a map
of 16 × 16 values in [0, 1] as float16; ``order`` is a digest of the order of the pixels of the map as it is scored.
``top`` and ``probability`` are the most probable classes and their probabilities. ``picture`` is a lossless
WebP file. The
``maps`` of a timing is the key of the cell's maps.
"""

DIGESTS = ["weights_digest", "images_digest"]
"""Digests of a network (preprocessing, architecture, parameters and buffers) and of a set of images (their digests,
without their names): the first 12 hex digits of a SHA-256, ``""`` where unknown. Different networks and sets of images
may have the same name, but not the same digest."""

SETTING = ["dataset", "images_digest", "target_rule", "model", "weights", "weights_digest", "device", "precision"]
"""Columns that identify a setting; scores that differ in any of them are never averaged or compared."""

CELL_KEY = ["cell", "layer", "method", "implementation", *SETTING]
"""Columns of every row of a cell, in all tables; ``cell`` is the cell's key."""

OF_CELLS = ["options", "depth"]
"""Further columns of a cell in the results: the method's options (JSON; ``""`` where unknown), and the depth of its
layer in the model, in (0, 1] (NaN where unknown, and for methods without a layer, whose layer is ``input``)."""
