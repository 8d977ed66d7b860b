"""Columns that a run's tables share."""

SETTING = ["dataset", "images_digest", "target_rule", "model", "weights", "weights_digest", "device", "precision"]
"""What tells one setting from another: numbers that differ in any of these are never mixed. Labels may collide; the
digests of the weights and of the image set do not."""

TRIAL = ["trial", "layer", "method", "implementation", *SETTING]
"""What every row of a trial carries."""

OF_TRIALS = ["options", "depth"]
"""What the rows of results say of their trial besides: the method's options (JSON; ``""`` where unknown), and how far
its layer lies in the model, in (0, 1] (NaN where unknown and for ``input``)."""
