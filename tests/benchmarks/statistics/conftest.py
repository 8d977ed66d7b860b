"""Results tables as a sweep leaves them, with values of one's choice."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.tables.columns import NUMBER, RESULTS, RESULTS_COLUMNS, TRUTH, WHOLE

Results = Callable[..., pd.DataFrame]


@pytest.fixture
def results() -> Results:
    """Return a maker of tables: ``method or (layer, method) → values by image``, all else by keyword."""

    def make(values: dict[str | tuple[str, str], list[float]], **facts: object) -> pd.DataFrame:
        shared = {
            "model": "net", "weights": "w", "dataset": "shapes", "target_rule": "predicted", "device": "cpu",
            "precision": "fp32", "metric": "insertion", "definition": "insertion:rise-2018",
            "higher_is_better": True, "status": "ok", "weights_digest": "d1", "images_digest": "i1",
            "replicate": 0,
        } | facts  # fmt: skip
        rows = []
        for name, column in values.items():
            layer, method = name if isinstance(name, tuple) else ("last", name)
            library = {"pgc": "pytorch_grad_cam", "captum": "captum"}.get(method.split("_")[0], "heatmark")
            cell = f"{shared['model']}-{layer}-{method}"
            for image, value in enumerate(np.asarray(column, dtype=float)):
                own = {"cell": cell, "layer": layer, "method": method, "implementation": library}
                rows.append({**shared, **own, "image": f"{image:03d}", "target": "1", "value": value})
        frame = pd.DataFrame(rows, columns=[name for name in RESULTS if name != "map_of"])
        kinds = {column.name: column.kind for column in RESULTS_COLUMNS if column.name in frame}
        texts = [name for name, kind in kinds.items() if kind not in (NUMBER, TRUTH, WHOLE)]
        frame[texts] = frame[texts].astype(object).fillna("")
        order = ["dataset", "model", "layer", "method", "cell"]
        typed = {NUMBER: "float64", TRUTH: "boolean", WHOLE: "int64"}
        frame = frame.astype({name: typed[kind] for name, kind in kinds.items() if kind in typed})
        return frame.sort_values(order, kind="stable", ignore_index=True)

    return make


@pytest.fixture
def repeating() -> Callable[[pd.DataFrame, dict[str, str]], pd.DataFrame]:
    """Return what says which methods have the maps of which: what is found in a run's raw maps."""

    def mark(frame: pd.DataFrame, same: dict[str, str]) -> pd.DataFrame:
        cell = frame.drop_duplicates("cell")
        place = {(t.model, t.layer, t.method): t.cell for t in cell.itertuples()}
        found = {t.cell: place.get((t.model, t.layer, same.get(t.method, t.method)), t.cell) for t in cell.itertuples()}
        return frame.assign(map_of=frame["cell"].map(found))

    return mark


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)
