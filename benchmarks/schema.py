"""Columns that a run's tables share."""

DIGESTS = ["weights_digest", "images_digest"]
"""The first 12 hex digits of two SHA-256 (``""`` where unknown): of the network as it is run (preprocessing,
architecture, parameters and buffers), and of the decoded pictures before that, whatever their names. Names can collide;
these cannot."""

SETTING = ["dataset", "images_digest", "target_rule", "model", "weights", "weights_digest", "device", "precision"]
"""What tells one setting from another: numbers that differ in any of these are never mixed."""

CELL_KEY = ["cell", "layer", "method", "implementation", *SETTING]
"""What every row of a cell carries."""

OF_CELLS = ["options", "depth"]
"""What the rows of results say of their cell besides: the method's options (JSON; ``""`` where unknown), and how far
its layer lies in the model, in (0, 1] (NaN where unknown and for ``input``)."""
