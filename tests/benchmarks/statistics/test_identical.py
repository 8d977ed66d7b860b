"""Methods that are one method: found from values, on each model by itself."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.statistics.identical import same_as

BASE = [0.31, 0.42, 0.17, 0.25]


def found(table: pd.DataFrame) -> dict[str, str]:
    return {trial.split("-")[-1]: stand.split("-")[-1] for trial, stand in same_as(table).items()}


def test_our_own_stands_for_its_repeats(results) -> None:
    noisy = np.array(BASE) * (1 + 1e-5)
    table = results({"captum_a": noisy, "hires_cam": BASE, "pgc_b": BASE, "grad_cam": BASE, "random": BASE[::-1]})
    assert found(table) == dict.fromkeys(["captum_a", "hires_cam", "pgc_b"], "grad_cam")


def test_one_image_or_one_metric_that_differs_is_enough(results) -> None:
    other = [*BASE[:-1], BASE[-1] + 0.01]
    assert found(results({"a": BASE, "b": other})) == {}
    insertion = results({"a": BASE, "b": BASE})
    deletion = results({"a": BASE, "b": other}, metric="deletion", definition="deletion:rise-2018")
    assert found(insertion) == {"b": "a"}
    assert found(pd.concat([insertion, deletion])) == {}


def test_models_do_not_vouch_for_each_other(results) -> None:
    table = pd.concat([results({"a": BASE, "b": BASE}, model="m"), results({"a": BASE, "b": BASE[::-1]}, model="n")])
    assert same_as(table) == {"m-last-b": "m-last-a"}


def test_equal_hits_prove_nothing(results) -> None:
    hits = [1.0, 1, 0, 1, 1, 1]
    assert found(results({"a": hits, "b": hits}, metric="pointing_game")) == {}
    assert found(results({"a": [0.5], "b": [0.5]})) == {}


def test_undefined_in_the_same_places(results) -> None:
    holed = [np.nan, *BASE]
    assert found(results({"a": holed, "b": holed})) == {"b": "a"}
    assert found(results({"a": holed, "b": [0.5, *BASE]})) == {}
    nothing = [np.nan] * 5
    assert found(results({"a": nothing, "b": nothing})) == {}


@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_low_scores_are_no_excuse(results, scale: float) -> None:
    close = np.array(BASE) * scale
    assert found(results({"a": close, "b": close * 1.01})) == {}


@pytest.mark.parametrize(("odd", "gap", "same"), [(1, 0.02, True), (1, 0.08, False), (3, 0.02, False)])
def test_rounding_may_reorder_pixels_of_a_few_images(results, odd: int, gap: float, same: bool) -> None:
    values = np.linspace(0.4, 0.6, 20)
    moved = values + np.where(np.arange(20) < odd, gap * values.mean(), 0.0)
    assert found(results({"a": values, "b": moved})) == ({"b": "a"} if same else {})
