"""What tells the settings of one run apart."""

import pandas as pd

VARYING = ("weights", "device", "precision")


def varying(results: pd.DataFrame) -> list[str]:
    """Return which of weights, device and precision a reader must be told: weights where one model has several."""
    known = {name: results[results[name] != ""] for name in VARYING}
    weights = known["weights"].groupby("model")["weights"].nunique()
    several = {name: rows[name].nunique() > 1 for name, rows in known.items()} | {"weights": bool((weights > 1).any())}
    return [name for name in VARYING if several[name]]
