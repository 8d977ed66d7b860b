"""Kendall's τ between definitions, by hand."""

import pandas as pd
import pytest

from heatmark.benchmarks.statistics.agreement import agreement

SCORES = {"a": [0.1, 0.2, 0.1], "b": [0.3, 0.3, 0.4], "c": [0.5, 0.6, 0.5]}


def test_by_hand(results) -> None:
    low = {"metric": "deletion", "higher_is_better": False}
    turned = {"a": SCORES["b"], "b": SCORES["a"], "c": SCORES["c"]}
    high = {"metric": "insertion", "definition": "insertion:rise-2018", "higher_is_better": True}
    table = pd.concat(
        [
            results(SCORES, definition="deletion:one", **low),
            results(turned, definition="deletion:two", **low),
            results(SCORES, **high),
        ],
        ignore_index=True,
    )
    found = agreement(table).set_index(["one", "other"])
    assert found["tau"].to_dict() == pytest.approx(
        {
            ("deletion:one", "deletion:two"): 1 / 3,  # two pairs of methods agree, one does not
            ("deletion:one", "insertion:rise-2018"): -1.0,  # what is low is best here, and worst there
            ("deletion:two", "insertion:rise-2018"): -1 / 3,
        }
    )
    assert (found["low"] <= found["tau"] + 1e-9).all()
    assert (found["tau"] <= found["high"] + 1e-9).all()
    assert set(found["n_methods"]) == {3}
    assert set(found["n_units"]) == {3}


def test_definitions_of_two_models_are_not_compared(results) -> None:
    table = pd.concat([results(SCORES, model="vgg"), results(SCORES, model="resnet", definition="other")])
    assert agreement(table).empty


def test_an_interval_is_of_resampled_images_and_equal_means_are_a_tie(results) -> None:
    low = {"metric": "deletion", "higher_is_better": False}
    steady = {"a": [0.1] * 4, "b": [0.2] * 4, "c": [0.3] * 4}
    flat = {"a": [0.3, 0.1, 0.2], "b": [0.1, 0.2, 0.3], "c": [0.2, 0.3, 0.1]}  # equal means, in three sums
    mixed = {"a": [0.1, 0.1, 0.1, 0.3], "b": [0.2] * 4, "c": [0.3] * 4}  # a is worse than b in the last image alone
    row = agreement(pd.concat([results(v, definition=n, **low) for n, v in (("1", steady), ("2", mixed))])).iloc[0]
    assert (row["tau"], row["low"], row["high"]) == pytest.approx((1, 1 / 3, 1))
    found = agreement(pd.concat([results(v, definition=n, **low) for n, v in (("1", SCORES), ("2", flat))]))
    assert found["tau"].isna().all()


def test_one_image_has_no_interval(results) -> None:
    one = {name: values[:1] for name, values in SCORES.items()}
    table = pd.concat([results(one, metric="m", definition=name) for name in ("m:one", "m:two")], ignore_index=True)
    (row,) = agreement(table).to_dict("records")
    assert (row["tau"], row["n_units"]) == (pytest.approx(1.0), 1)
    assert pd.isna([row["low"], row["high"]]).all()
