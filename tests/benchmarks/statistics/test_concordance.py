"""Judges made from results: which there are, and which of them are independent."""

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.statistics.concordance import DESCRIPTIVE, HYPOTHESIS, concordance, judges


@pytest.fixture
def two_models(results, repeating) -> pd.DataFrame:
    """On one model HiResCAM repeats Grad-CAM, on the other not; an adapter repeats Grad-CAM on both."""
    low = {"metric": "deletion", "definition": "deletion:rise-2018", "higher_is_better": False}
    gap = {"grad_cam": [0.5, 0.7], "hires_cam": [0.5, 0.7], "pgc_grad_cam": [0.5, 0.7], "layer_cam": [0.3, 0.2]}
    mlp = {"grad_cam": [0.5, 0.7], "hires_cam": [0.6, 0.9], "pgc_grad_cam": [0.5, 0.7], "layer_cam": [0.3, 0.2]}
    random = {("input", "random"): [0.1, 0.15]}
    return pd.concat(
        [
            repeating(results(gap | random, model="resnet"), {"hires_cam": "grad_cam", "pgc_grad_cam": "grad_cam"}),
            repeating(results(mlp | random, model="vgg"), {"pgc_grad_cam": "grad_cam"}),
            repeating(
                results({("a", "grad_cam"): [0.1, 0.2], ("b", "grad_cam"): [0.3, 0.1]} | random, model="vgg", **low), {}
            ),
        ],
        ignore_index=True,
    )


def test_judges_are_comparisons_at_a_layer(two_models: pd.DataFrame) -> None:
    table = judges(two_models)
    same = ["dataset", "images_digest", "target_rule", "weights", "weights_digest", "device", "precision", "definition",
            "images"]  # fmt: skip
    assert table.index.droplevel(same).tolist() == [
        ("resnet", "insertion", "last"), ("vgg", "deletion", "a"), ("vgg", "deletion", "b"),
        ("vgg", "insertion", "last"),
    ]  # fmt: skip
    assert table.columns.tolist() == ["grad_cam", "hires_cam", "layer_cam", "random"]
    np.testing.assert_allclose(
        table.to_numpy(),
        [
            [0.6, 0.6, 0.25, 0.125],
            [-0.15, np.nan, np.nan, -0.125],
            [-0.2, np.nan, np.nan, -0.125],
            [0.6, 0.75, 0.25, 0.125],
        ],
    )


def test_concordance_rows(two_models: pd.DataFrame) -> None:
    table = concordance(two_models).set_index(["across", "definition"])
    assert table.index.tolist() == [
        ("models", "deletion:rise-2018"), ("models", "insertion:rise-2018"), ("models and metrics", "")
    ]  # fmt: skip
    models = table.loc[("models", "insertion:rise-2018")]
    # ranks 1.5 1.5 3 4 and 2 1 3 4: sums 3.5 2.5 6 8, S = 18.5; W = 12·18.5 / (4·60 − 2·6)
    assert models["w"] == pytest.approx(222 / 228)
    assert (models["model"], models["n_judges"], models["n_methods"]) == ("", 2, 4)
    # one judge's order given, 24 permutations of the other's; 222/228 or more: W is the larger the nearer 2 1 3 4
    assert (models["permutations"], models["n_independent"], models["p_error"]) == (24, 2, 0)
    assert models["p_value"] == pytest.approx(2 / 24)
    assert models["hypothesis"] == HYPOTHESIS
    assert table.loc[("models and metrics", ""), "left_out"] == "hires_cam, layer_cam"


def test_deletion_and_insertion_are_no_two_judges(results) -> None:
    values = {name: [0.1 * i, 0.12 * i] for i, name in enumerate("abcdef")}
    down = {name: [1 - x for x in column] for name, column in values.items()}
    low = {"metric": "deletion", "definition": "deletion:rise-2018", "higher_is_better": False}
    one = pd.concat([results(values), results(down, **low)])
    (row,) = concordance(one).to_dict("records")
    assert (row["across"], row["w"], row["n_judges"], row["n_independent"]) == ("metrics", pytest.approx(1), 2, 1)
    assert np.isnan(row["p_value"])
    assert row["hypothesis"] == DESCRIPTIVE
    both = concordance(pd.concat([one, results(values, model="n"), results(down, model="n", **low)]))
    found = both.set_index(["across", "model"])[["n_judges", "n_independent", "p_value"]]
    assert found.loc[("models and metrics", "")].tolist() == [4, 2, pytest.approx(1 / 720)]
    assert found.loc[("models", ""), "p_value"].tolist() == [pytest.approx(1 / 720)] * 2
    assert found.loc["metrics", "p_value"].isna().all()


def test_layers_of_one_model_are_no_two_judges(results) -> None:
    values = {(layer, name): [0.1 * i, 0.12 * i] for i, name in enumerate("abcd") for layer in ("early", "late")}
    (row,) = concordance(results(values)).to_dict("records")
    assert (row["across"], row["n_judges"], row["n_independent"]) == ("models", 2, 1)
    assert np.isnan(row["p_value"])


def test_two_checkpoints_of_one_label_are_two_judges(results) -> None:
    values = {name: [0.1 * i, 0.12 * i] for i, name in enumerate("abcd")}
    turned = {name: [-x for x in column] for name, column in values.items()}
    frame = pd.concat([results(values, weights="best"), results(turned, weights="best", weights_digest="d2")])
    (row,) = concordance(frame).to_dict("records")
    assert (row["n_judges"], row["n_independent"], row["w"]) == (2, 2, 0)


def test_judges_of_other_images_are_not_together(results) -> None:
    values = {name: [0.1 * i, 0.12 * i] for i, name in enumerate("abcd")}
    one, other = results(values), results(values, model="n")
    assert concordance(pd.concat([one, other.assign(image="b" + other["image"])])).empty
    # one picture in two sizes is one image
    assert len(concordance(pd.concat([one, other.assign(images_digest="i2")]))) == 1
    # but one model with two sets of pictures of the same names has two sets of judges
    again = one.assign(images_digest="i2", cell="x" + one["cell"])
    assert concordance(pd.concat([one, again])).empty


def test_a_judge_has_its_means_over_the_same_images(results) -> None:
    table = judges(results({"a": [0.9, 0.7, 0.1], "b": [0.8, 0.6, np.nan]}))
    assert table.iloc[0].to_dict() == {"a": pytest.approx(0.8), "b": pytest.approx(0.7)}


def test_nothing_scored(results) -> None:
    assert concordance(results({"grad_cam": [1.0]}, metric="")).empty
