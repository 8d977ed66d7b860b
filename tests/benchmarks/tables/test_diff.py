import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.tables.diff import DIFFERENT, EQUAL, FIRST_ONLY, SECOND_ONLY, diff


def results(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return a results table of these rows, whose other columns are the same."""
    same = {
        "model": "net", "weights": "w", "layer": "layer3", "method": "grad_cam", "options": "{}", "dataset": "shapes",
        "target_rule": "predicted", "metric": "deletion", "definition": "deletion:1", "implementation": "heatmark",
        "device": "cpu", "precision": "fp32", "weights_digest": "d", "images_digest": "i", "cell": "k", "image": "a",
        "replicate": 0, "status": "ok", "target": "3", "value": 0.5,
    }  # fmt: skip
    return pd.DataFrame([{**same, **row} for row in rows])


def only(found: pd.DataFrame) -> tuple[int, int, int, float, str]:
    (row,) = found.to_dict("records")
    return row["entries"], row["different"], row["missing"], row["largest"], row["verdict"]


def test_the_same_bits_are_equal_in_any_order() -> None:
    a = results({"image": "a", "value": 0.1}, {"image": "b", "value": math.nan, "status": "error"})
    assert only(diff(a, a[::-1])) == (2, 0, 0, 0.0, EQUAL)


def test_keys_digests_and_devices_do_not_matter() -> None:
    other = results({"cell": "k2", "device": "cuda", "images_digest": "j", "weights_digest": "e"})
    assert only(diff(results({}), other))[-1] == EQUAL


def test_the_last_bit_and_the_sign_of_zero_matter() -> None:
    for value, other in ((0.5, float(np.nextafter(0.5, 1.0))), (0.0, -0.0)):
        _, different, _, largest, verdict = only(diff(results({"value": value}), results({"value": other})))
        assert (different, verdict) == (1, DIFFERENT)
        assert 0 < largest < 1e-15
        assert only(diff(results({"value": value}), results({"value": other}), 1e-12))[-1] == EQUAL


def test_the_largest_difference_of_a_cell_is_told() -> None:
    a = results({"image": "a", "value": 0.1}, {"image": "b", "value": 0.2}, {"image": "c", "value": 0.3})
    b = results({"image": "a", "value": 0.1}, {"image": "b", "value": 0.25}, {"image": "c", "value": 0.1})
    assert only(diff(a, b)) == (3, 2, 0, pytest.approx(0.2), DIFFERENT)
    assert only(diff(a, b, 0.1))[1] == 1


@pytest.mark.parametrize("change", [{"status": "degenerate"}, {"target": "4"}, {"value": math.nan}])
def test_another_status_target_or_nan_is_no_tolerable_difference(change: dict[str, Any]) -> None:
    assert only(diff(results({}), results(change), 1e9)) == (1, 1, 0, math.inf, DIFFERENT)


def test_what_is_on_one_side_is_missing_on_the_other() -> None:
    a = results({}, {"image": "b"}, {"layer": "layer4"})
    b = results({}, {"method": "rise"})
    found = diff(a, b).set_index(["layer", "method"])
    assert found["verdict"].to_dict() == {
        ("layer3", "grad_cam"): DIFFERENT, ("layer4", "grad_cam"): FIRST_ONLY, ("layer3", "rise"): SECOND_ONLY,
    }  # fmt: skip
    assert found["missing"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("column", ["options", "definition", "target_rule", "weights", "dataset", "model", "metric"])
def test_cells_are_paired_by_every_name(column: str) -> None:
    assert sorted(diff(results({}), results({column: "x"}))["verdict"]) == [SECOND_ONLY, FIRST_ONLY]


def test_cells_of_one_name_are_told_apart_by_the_rest() -> None:
    a = results({"precision": "fp32", "value": 0.1}, {"precision": "bf16", "value": 0.2})
    assert diff(a, a[::-1])["verdict"].tolist() == [EQUAL, EQUAL]


def test_a_tolerance_below_zero_is_named() -> None:
    with pytest.raises(ValueError, match="tolerance is -1"):
        diff(results({}), results({}), -1)
