"""The columns in which the settings of a run differ, and which the page therefore shows."""

import pandas as pd

VARYING = ("weights", "device", "precision")


def varying(results: pd.DataFrame) -> list[str]:
    """Return those of weights, device and precision of which a run has several; of weights, for one model."""
    known = {name: results[results[name] != ""] for name in VARYING}
    weights = known["weights"].groupby("model")["weights"].nunique()
    several = {name: rows[name].nunique() > 1 for name, rows in known.items()} | {"weights": bool((weights > 1).any())}
    return [name for name in VARYING if several[name]]
