"""Pairs of methods, cell by cell."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from heatmark.benchmarks.statistics.paired import holm, paired_t
from heatmark.benchmarks.statistics.pairwise import COLUMNS, pairwise
from heatmark.benchmarks.statistics.power import images_needed


@pytest.fixture
def values(rng: np.random.Generator) -> dict[str, list[float]]:
    base = rng.uniform(size=30)
    noise = rng.normal(size=(3, 30)) * 0.05
    columns = {"grad_cam": base, "hires_cam": base, "layer_cam": base + 0.1 + noise[0], "random": base / 2 + noise[1]}
    columns["layer_cam"][4] = np.nan
    return columns


SAME = {"hires_cam": "grad_cam"}


def test_every_pair_of_competitors(results, values, repeating) -> None:
    table = pairwise(repeating(results(values), SAME))
    assert table.columns.tolist() == COLUMNS
    assert table[["label_a", "label_b"]].to_numpy().tolist() == [
        ["grad_cam", "layer_cam"], ["grad_cam", "random"], ["layer_cam", "random"]
    ]  # fmt: skip
    first, d = table.iloc[0], np.delete(values["grad_cam"] - values["layer_cam"], 4)
    assert (first["n"], first["undefined"]) == (29, 1)
    assert first["difference"] == pytest.approx(d.mean())
    assert first["ci_low"] < first["difference"] < first["ci_high"] < 0
    assert first["p_value"] == pytest.approx(stats.wilcoxon(d).pvalue)
    assert first["d_z"] == pytest.approx(d.mean() / d.std(ddof=1))
    assert first["d_z_low"] < first["d_z"] < first["d_z_high"]
    order = np.argsort(table["p_value"])
    assert table["p_holm"].iloc[order[0]] == pytest.approx(3 * table["p_value"].iloc[order[0]])


def test_positive_is_better_whatever_the_direction(results, values) -> None:
    up, down = (pairwise(results(values, higher_is_better=higher)) for higher in (True, False))
    for name in ("difference", "d_z", "rank_biserial"):
        np.testing.assert_allclose(up[name], -down[name])
    np.testing.assert_allclose(up["p_holm"], down["p_holm"])


def test_against_a_control_the_family_is_smaller(results, values, repeating) -> None:
    table = pairwise(repeating(results(values), SAME), control="random", test=paired_t)
    assert set(table["hypothesis"]) == {"the mean of paired differences is 0"}
    assert table[["label_a", "label_b"]].to_numpy().tolist() == [["grad_cam", "random"], ["layer_cam", "random"]]
    assert table["p_value"].iloc[0] == pytest.approx(stats.ttest_rel(values["grad_cam"], values["random"]).pvalue)
    assert table["p_holm"].min() == pytest.approx(2 * table["p_value"].min())


def test_another_method_may_stand_for_the_control(results, values, repeating) -> None:
    table = pairwise(repeating(results(values), SAME), control="hires_cam")
    assert set(table["label_b"]) == {"grad_cam"}
    with pytest.raises(ValueError, match=r"no method 'randm' .* did you mean random"):
        pairwise(results(values), control="randm")


def test_constant_differences_have_no_interval_and_no_effect_size(results) -> None:
    row = pairwise(results({"a": [0.25, 0.5, 0.75], "b": [0.5, 0.75, 1.0]})).iloc[0]
    assert row["difference"] == -0.25
    assert row[["ci_low", "ci_high", "d_z", "d_z_low", "rank_biserial_low"]].isna().all()
    assert (row["rank_biserial"], row["p_value"]) == (-1, 0.25)


def test_two_images_have_an_effect_size_without_an_interval(results) -> None:
    row = pairwise(results({"a": [0.25, 0.5], "b": [0.5, 1.0]})).iloc[0]
    assert row["d_z"] == pytest.approx(-0.375 / np.std([0.25, 0.5], ddof=1))
    assert row[["d_z_low", "d_z_high"]].isna().all()


def test_rounding_is_no_difference(results, rng: np.random.Generator) -> None:
    base = rng.uniform(0.2, 0.4, size=30)
    almost = results({"a": base, "b": base + 3e-17, "c": np.nextafter(base, 1)}).assign(definition="insertion:x")
    # the same values under a second metric that differs keep the three from being one method
    other = results({"a": base, "b": base * 2, "c": base * 3})
    table = pairwise(pd.concat([almost, other])).set_index(["definition", "label_a", "label_b"])
    rounding, real = table.loc["insertion:x"], table.loc["insertion:rise-2018"]
    assert len(rounding) == 3
    assert rounding[["p_value", "p_holm", "rank_biserial", "d_z"]].isna().all(axis=None)
    assert (rounding["difference"] == 0).all()
    assert (real["p_value"] < 1e-4).all()
    assert (table["n_pairs"] == 3).all()


def test_a_small_but_real_difference_counts(results, rng: np.random.Generator) -> None:
    base = rng.uniform(0.2, 0.4, size=30)
    step = 1e-8 * rng.uniform(1, 2, size=30)
    other = results({"a": base, "b": base * 2})
    small = results({"a": base, "b": base + step}).assign(definition="insertion:x")
    row = pairwise(pd.concat([small, other])).set_index("definition").loc["insertion:x"]
    assert row["p_value"] == pytest.approx(stats.wilcoxon(base, base + step).pvalue)


def test_pairs_do_not_mix_comparisons_and_tell_the_images_they_need(results, values, repeating) -> None:
    both = pd.concat([results(values, model="m"), results(values, model="n")])
    table = images_needed(pairwise(repeating(both, SAME)))
    np.testing.assert_allclose(table["alpha"], 0.05 / 3)  # of the comparison's pairs, not of all
    assert table.groupby("model").size().tolist() == [3, 3]
    assert (table["cell_a"].str[0] == table["cell_b"].str[0]).all()
    assert table["enough"].all()
    assert (table["needed_low"] <= table["needed"]).all()
    assert pairwise(results({"a": [1.0, 2.0]})).columns.tolist() == COLUMNS


def test_holms_family_is_all_that_a_reader_sees(results, values, repeating) -> None:
    both = pd.concat([results(values, model="m"), results(values, model="n", higher_is_better=False)])
    table = pairwise(repeating(both, SAME))
    assert set(table["n_pairs"]) == {3}
    assert set(table["n_family"]) == {6}
    assert table["p_holm"].min() == pytest.approx(3 * table["p_value"].min())
    assert table["p_holm_family"].min() == pytest.approx(6 * table["p_value"].min())
    np.testing.assert_allclose(table["p_holm_family"], holm(table["p_value"].to_numpy()))
    assert (table["p_holm_family"] >= table["p_holm"]).all()


def test_thirteen_methods_against_one_are_twelve_hypotheses(results, rng: np.random.Generator) -> None:
    frame = results({f"m{i:02}": rng.random(10) for i in range(13)})
    table = pairwise(frame, control="m03")
    assert len(table) == 12
    assert len(pairwise(frame)) == 78
    assert set(table["method_b"]) == {"m03"}
    np.testing.assert_allclose(table["p_holm"], holm(table["p_value"].to_numpy()))


def test_compared_with_one_at_its_own_layer(results, rng: np.random.Generator) -> None:
    names = [("early", "a"), ("early", "b"), ("last", "a"), ("last", "b"), ("input", "random")]
    table = pairwise(results({name: rng.random(6) for name in names}), control="a")
    assert sorted(map(tuple, table[["label_a", "label_b"]].to_numpy())) == [
        ("b @ early", "a @ early"), ("b @ last", "a @ last"), ("random", "a @ early"), ("random", "a @ last")
    ]  # fmt: skip


def test_groups_are_what_is_tested(results, rng: np.random.Generator) -> None:
    groups = np.repeat(np.arange(8), 3)
    a, b = rng.random((2, 24))
    frame = results({"a": a, "b": b}).assign(group=[f"g{i}" for i in [*groups, *groups]])
    row = pairwise(frame).iloc[0]
    d = (a - b).reshape(8, 3).mean(axis=1)
    assert (row["n"], row["n_groups"], row["unit"]) == (24, 8, "groups")
    assert row["p_value"] == pytest.approx(stats.wilcoxon(d).pvalue)
    assert row["d_z"] == pytest.approx(d.mean() / d.std(ddof=1))
    assert row["difference"] == pytest.approx((a - b).mean())
    assert row["hypothesis"] == "paired differences are distributed symmetrically about 0 (of groups' means)"
    alone = pairwise(frame.assign(group="")).iloc[0]
    assert alone["p_value"] == pytest.approx(stats.wilcoxon(a - b).pvalue)
    assert (alone["unit"], alone["hypothesis"]) == (
        "images", "paired differences are distributed symmetrically about 0",
    )  # fmt: skip


def test_flagged_images_of_either_are_counted(results) -> None:
    frame = results({"a": [0.1, 0.4, 0.3], "b": [0.3, 0.1, 0.2]})
    hit = (frame["method"] == "a") & (frame["image"] == "000") | (frame["image"] == "001")
    assert pairwise(frame.assign(status=np.where(hit, "degenerate", "ok")))["flagged"].tolist() == [2]
