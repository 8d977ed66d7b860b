"""Names of what was skipped or failed, as the summary and the page write them."""

from collections.abc import Sequence

import pandas as pd


def named_troubles(rows: pd.DataFrame, columns: Sequence[str], between: str) -> list[str]:
    """Return the names of the cells of some rows, each once: with its metric, and with its image or their number.

    Args:
        rows: rows of the results table that are skipped or errors.
        columns: columns whose values, where there are any, are part of a name.
        between: what stands between two of them.
    """
    return [
        between.join(filter(None, [*map(str, key[:-1]), str(key[-1]), _images(part["image"])]))
        for key, part in rows.groupby([*columns, "metric"], sort=False)
    ]


def _images(images: "pd.Series[str]") -> str:
    names = [name for name in images.unique() if name]
    return "" if not names else f"({names[0]})" if len(names) == 1 else f"({len(names)} images)"
