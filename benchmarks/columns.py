"""Columns that a run's tables share."""

SETTING = ["dataset", "target_rule", "model", "weights", "device", "precision"]
"""What tells one setting from another: numbers that differ in any of these are never mixed."""

TRIAL = ["trial", "layer", "method", "implementation", *SETTING]
"""What every row of a trial carries."""
