"""Labels of weights and of image sets, with the first letters of a digest where one label means two things."""

import pandas as pd

MARK = " #"
FEWEST_LETTERS = 4
LABELS = {
    "weights": ("weights_digest", ["model", "weights"]),
    "dataset": ("images_digest", ["model", "weights", "weights_digest", "dataset"]),
}
"""Label to the column of its digest, and to the columns within which it may have only one digest. Two models may see
one dataset in two sizes and so have two digests of it: that is no collision."""


def labels_told_apart(results: pd.DataFrame) -> pd.DataFrame:
    """Return results in which the labels of weights and dataset are unique within a model, such as ``best #1a2b``."""
    for label, (digest, within) in LABELS.items():
        known = results[digest].where(results[digest] != "")
        several = known.groupby([results[name] for name in within]).transform("nunique") > 1
        if (again := several & known.notna()).any():
            named = results[label] + MARK + results[digest].map(_letters(known[again])).fillna("")
            results = results.assign(**{label: results[label].mask(again, named)})
    return results


def own_label(label: str) -> str:
    """Return a label without what :func:`labels_told_apart` added."""
    return label.partition(MARK)[0]


def _letters(digests: "pd.Series[str]") -> dict[str, str]:
    """Return the first letters of every digest, as many as make all of them distinct."""
    every = pd.Series(digests.unique(), dtype=object)
    longest = int(every.str.len().max()) if len(every) else 0
    n = next((n for n in range(FEWEST_LETTERS, longest) if every.str[:n].is_unique), longest)
    return {digest: digest[:n] for digest in every}
