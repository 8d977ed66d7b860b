"""Names of columns that the tables of a run share."""

DIGESTS = ["weights_digest", "images_digest"]
"""Digests of a network (preprocessing, architecture, parameters and buffers) and of a set of images (their decoded
pixels before preprocessing, without their names): the first 12 hex digits of a SHA-256, ``""`` where unknown. Different
networks and sets of images may have the same name, but not the same digest."""

SETTING = ["dataset", "images_digest", "target_rule", "model", "weights", "weights_digest", "device", "precision"]
"""Columns that identify a setting; scores that differ in any of them are never averaged or compared."""

CELL_KEY = ["cell", "layer", "method", "implementation", *SETTING]
"""Columns of every row of a cell, in all tables; ``cell`` is the cell's key."""

OF_CELLS = ["options", "depth"]
"""Further columns of a cell in the results: the method's options (JSON; ``""`` where unknown), and the depth of its
layer in the model, in (0, 1] (NaN where unknown, and for methods without a layer, whose layer is ``input``)."""
