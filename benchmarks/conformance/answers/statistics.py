"""Known answers of statistics: small tables whose right numbers are published or computed by hand."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from heatmark.benchmarks.conformance.answers.answer import answer, holds
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.statistics.comparisons import comparisons
from heatmark.benchmarks.statistics.concordance import concordance, judges
from heatmark.benchmarks.statistics.effects import rank_biserial
from heatmark.benchmarks.statistics.friedman import critical_difference, friedman
from heatmark.benchmarks.statistics.groups import singletons
from heatmark.benchmarks.statistics.intervals import RESAMPLES, bca, bca_of_groups
from heatmark.benchmarks.statistics.kendall import kendall_w
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.statistics.paired import holm, wilcoxon
from heatmark.benchmarks.statistics.pairwise import pairwise
from heatmark.benchmarks.statistics.power import images_needed, images_to_separate
from heatmark.benchmarks.statistics.ranks import rank_intervals
from heatmark.benchmarks.statistics.variants import told_apart
from heatmark.benchmarks.tables.repeats import repeat

SAMPLE = np.array([0.11, 0.52, 0.31, 0.94, 0.27, 0.66, 0.05, 0.48, 0.73, 0.39])
FACTS = {
    "dataset": "toy", "images_digest": "i", "target_rule": "predicted", "model": "net", "weights": "best",
    "weights_digest": "x", "device": "cpu", "precision": "fp32", "layer": "last", "implementation": "heatmark",
    "group": "", "target": "1", "metric": "insertion", "definition": "insertion", "higher_is_better": True,
    "status": "ok", "reason": "",
}  # fmt: skip


def table(values: dict[str, list[float]], **facts: object) -> pd.DataFrame:
    """Return a results table of values by method and image, with other columns by keyword."""
    shared = FACTS | facts
    return pd.DataFrame(
        [
            {**shared, "cell": f"{shared['model']}-{shared['weights_digest']}-{method}", "method": method,
             "image": f"{position:02}", "value": value}
            for method, column in values.items() for position, value in enumerate(column)
        ]
    )  # fmt: skip


def statistics_answers() -> Iterator[Finding]:
    """Yield whether statistics of small tables are right."""
    parts = (_agreement, _tests, _intervals, _groups, _comparisons, _directions, _blocks, _families, _flags, _repeats)
    for part in parts:
        yield from part()


def _cell(frame: pd.DataFrame, row: object, column: str) -> float:
    values: dict[object, float] = frame[column].to_dict()
    return values[row]


def _agreement() -> Iterator[Finding]:
    six = pd.DataFrame([[6.0, 5, 4, 3, 2, 1]] * 2)
    # by χ²: 5 degrees of freedom at 10, .075
    yield answer("kendall_w", "two_judges_agree", kendall_w(six).p_value, 1 / 720)
    yield answer("kendall_w", "one_model_twice", kendall_w(pd.concat([six, six]), list("mnmn")).p_value, 1 / 720)
    yield answer("kendall_w", "one_model_alone", kendall_w(six, ["m", "m"]).p_value, np.nan)
    # Siegel (1956), table N: three judges of three methods, χ²ᵣ = 4.667, p = .194
    siegel = kendall_w(pd.DataFrame([[3.0, 2, 1], [3, 2, 1], [2, 3, 1]]))
    yield answer("kendall_w", "siegel_w", siegel.w, 7 / 9)
    yield answer("kendall_w", "siegel_p", siegel.p_value, 0.194, 5e-4)
    yield answer("kendall_w", "ties_agree", kendall_w(pd.DataFrame([[2.0, 1, 1], [2, 1, 1]])).w, 1)
    # 9! permutations are drawn, not enumerated; where none is as extreme, p is 1 in 10 000 and never 0
    yield answer("kendall_w", "drawn", kendall_w(pd.DataFrame([np.arange(9.0)] * 3)).p_value, 1e-4)
    values = {name: [0.1 * i, 0.12 * i] for i, name in enumerate("abcd")}
    down = {name: [1 - x for x in column] for name, column in values.items()}
    both = pd.concat([table(values), table(down, metric="deletion", definition="deletion", higher_is_better=False)])
    yield answer("concordance", "deletion_insertion", float(concordance(both)["p_value"].iloc[0]), np.nan)


def _tests() -> Iterator[Finding]:
    # signed ranks 1, 2, 3, −4: 14 of the 16 sign patterns are as extreme
    yield answer("wilcoxon", "exact_small", float(wilcoxon(np.array([[0.1], [0.2], [0.3], [-0.4]]))[0]), 14 / 16)
    found = holm(np.array([0.04, 0.01, 0.03, 0.02, np.nan]))
    for position, expected in enumerate((0.06, 0.04, 0.06, 0.06, np.nan)):
        yield answer("holm", f"by_hand_{position}", float(found[position]), expected)
    # G*Power, two dependent means, two-sided, α = .05, power .8
    yield answer("images_needed", "published_example", float(images_to_separate(np.array([0.5]))[0]), 34)
    values = {"a": [0.5, 0.7, 0.9, 0.4], "b": [0.1, 0.2, 0.3, 0.1], "c": [0.45, 0.9, 0.8, 0.5]}
    pairs = pairwise(pd.concat([table(values), table(values, model="other")]))
    least = float(pairs["p_value"].min())
    yield answer("pairwise", "least_p", least, 2 / 16)
    yield answer("pairwise", "holm_in_table", float(pairs["p_holm"].min()), 3 * least)
    yield answer("pairwise", "holm_overall", float(pairs["p_holm_family"].min()), 6 * least)
    planned = images_needed(pairwise(table(values)))
    yield answer("images_needed", "level_of_three", float(planned["alpha"].iloc[0]), 0.05 / 3)
    yield answer("pairwise", "against_one", len(pairwise(table(values), control="c")), 2)
    layers = pd.concat([table(values), table(values, layer="early").assign(cell=lambda rows: "e" + rows["cell"])])
    yield answer("pairwise", "at_its_layer", len(pairwise(layers, control="c")), 4)


def _intervals() -> Iterator[Finding]:
    low, high = bca(SAMPLE[:, None], seed=7)[:, 0]
    library = stats.bootstrap(
        (SAMPLE,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(7)
    ).confidence_interval
    yield answer("bca", "scipy_low", float(low), float(library.low))
    yield answer("bca", "scipy_high", float(high), float(library.high))
    alone = bca_of_groups(SAMPLE[:, None], singletons(len(SAMPLE)), seed=7)[:, 0]
    yield answer("bca_of_groups", "singletons_low", float(alone[0]), float(low))
    yield answer("bca_of_groups", "singletons_high", float(alone[1]), float(high))


def _groups() -> Iterator[Finding]:
    """Yield statistics of five groups of two images, which are those of the groups' means."""
    values = {"a": SAMPLE.tolist(), "b": SAMPLE[::-1].tolist(), "c": (SAMPLE**2).tolist()}
    frame = table(values).assign(group=["g0", "g0", "g1", "g1", "g2", "g2", "g3", "g3", "g4", "g4"] * 3)
    means = {name: np.array(column).reshape(5, 2).mean(axis=1) for name, column in values.items()}
    expected = bca(np.stack([means["a"]], axis=1), seed=3)[:, 0]
    found = bca_of_groups(SAMPLE[:, None], np.repeat(np.arange(5), 2), seed=3)[:, 0]
    yield answer("bca_of_groups", "means_of_groups", float(found[0]), float(expected[0]))
    # one group of eight ones, eight of a zero each: drawn twice, the large one makes up 16 of 23 images
    high = bca_of_groups(np.repeat([[1.0], [0.0]], 8, axis=0), np.array([0] * 8 + list(range(1, 9))), seed=3)[1, 0]
    yield holds("bca_of_groups", "uneven", "" if high > 0.55 else "a large group counts as a small one")
    ranked = leaderboard(frame).set_index("method")
    yield answer("leaderboard", "n_groups", _cell(ranked, "a", "n_groups"), 5)
    alone = leaderboard(frame.assign(group="")).set_index("method")
    wider = {name: _cell(table, "a", "ci_high") - _cell(table, "a", "ci_low") for name, table in
             (("groups", ranked), ("images", alone))}  # fmt: skip
    yield holds("leaderboard", "interval", "" if wider["groups"] != wider["images"] else "groups change no interval")
    later = pd.concat([frame.assign(group=""), frame.assign(cell="later " + frame["cell"])])
    yield answer(
        "comparisons", "groups_added_later", sum(comparison.unit == "groups" for comparison in comparisons(later)), 1
    )
    # a wins on every image of one group, b by less on those of the other, which is drawn twice with 1/4
    two = table({"a": [1.0] * 20 + [0.0] * 20, "b": [0.0] * 20 + [0.2] * 20}).assign(
        group=(["p"] * 20 + ["q"] * 20) * 2
    )
    yield answer("leaderboard", "groups_rank_high", _cell(leaderboard(two).set_index("method"), "a", "rank_high"), 2)
    row, single = (
        pairwise(each).query("method_a == 'a' and method_b == 'c'").iloc[0] for each in (frame, frame.assign(group=""))
    )
    same = row["ci_low"] == single["ci_low"]
    yield holds("pairwise", "interval", "groups change no interval" if same else "")
    # an independent count of the sign patterns of five differences
    d = means["a"] - means["c"]
    ranks = stats.rankdata(np.abs(d))
    sums = [abs(float(np.dot(signs, ranks))) for signs in product((-1, 1), repeat=5)]
    share = np.mean(np.array(sums) >= abs(float(np.dot(np.sign(d), ranks))) - 1e-9)
    yield answer("pairwise", "groups_p", float(row["p_value"]), float(share))
    test = friedman(frame).iloc[0]
    yield answer("friedman", "groups", float(test["statistic"]), float(stats.friedmanchisquare(*means.values())[0]))
    yield answer("friedman", "n_blocks", float(test["n_blocks"]), 5)


def _comparisons() -> Iterator[Finding]:
    """Yield means, ranks and gains of two checkpoints with one label, and ranks over the images that all share."""
    first = table({"a": [0.5, 0.7], "random": [0.1, 0.2]})
    other = table({"a": [0.2, 0.4], "random": [0.6, 0.7]}, weights_digest="y")
    ranked = leaderboard(pd.concat([first, other])).set_index(["weights_digest", "method"])
    yield answer("leaderboard", "two_checkpoints", len(ranked), 4)
    yield answer("leaderboard", "own_mean", _cell(ranked, ("x", "a"), "mean"), 0.6)
    yield answer("leaderboard", "own_rank", _cell(ranked, ("y", "a"), "rank"), 2)
    # the second image of the third has no value, and so no gain
    third = table({"a": [0.5, np.nan], "random": [0.1, 0.2]}, weights_digest="z")
    bare = table({"a": [0.5, 0.7, 0.9], "random": [0.1, 0.2, np.nan]})  # the control lacks an image: no gain there
    for digest, frame, gain in (("x", first, 0.45), ("y", other, -0.35), ("z", third, 0.4), ("bare", bare, 0.45)):
        yield answer("gains", digest, _cell(leaderboard(frame).set_index("method"), "a", "gain"), gain)
    lower = leaderboard(first.assign(metric="deletion", higher_is_better=False)).set_index("method")
    yield answer("gains", "lower_is_better", _cell(lower, "a", "gain"), -0.45)
    # b has the larger mean, on the images that are easy
    partial = table({"a": [0.9, 0.7, 0.1], "b": [0.8, 0.6, np.nan]})
    yield answer("judges", "same_images_mean", float(judges(partial)["a"].iloc[0]), 0.8)
    holed = leaderboard(partial).set_index("method")
    yield answer("leaderboard", "same_images_rank", _cell(holed, "b", "rank"), 2)
    yield answer("leaderboard", "same_images_mean", _cell(holed, "a", "mean_ranked"), 0.8)
    yield answer("leaderboard", "n_defined", _cell(holed, "b", "n"), 2)
    yield answer("leaderboard", "same_images_n", _cell(holed, "a", "n_ranked"), 2)


def _directions() -> Iterator[Finding]:
    """Yield statistics of deletion, where lower is better, in two definitions, and of scores equal but for rounding."""
    values = {"a": [0.1, 0.2, 0.3], "b": [0.4, 0.6, 0.5], "c": [0.1 + 0.2 - 0.2, 0.2, 0.1 + 0.2]}
    lower = table(values, metric="deletion", definition="deletion", higher_is_better=False)
    ranked = leaderboard(lower).set_index("method")
    for method, rank in (("a", 1.5), ("b", 3), ("c", 1.5)):
        yield answer("leaderboard", f"lower_is_better_{method}", _cell(ranked, method, "rank"), rank)
    pair = pairwise(lower).query("method_a == 'a' and method_b == 'b'").iloc[0]
    yield answer("pairwise", "difference", float(pair["difference"]), 0.3)
    d = np.array([0.3, 0.4, 0.2])
    yield answer("pairwise", "d_z", float(pair["d_z"]), float(d.mean() / d.std(ddof=1)))
    yield answer("pairwise", "rank_biserial", float(pair["rank_biserial"]), 1)
    two = pd.concat([lower, lower.assign(definition="deletion[steps=7]", cell="t" + lower["cell"])])
    yield answer("leaderboard", "two_definitions", len(leaderboard(two)), 6)
    # ranks −1, 2, 3 and a zero that does not count: (5 − 1) / 6, and Fisher's interval stays within [−1, 1]
    r, low, high = rank_biserial(np.array([[-0.1], [0.2], [0.3], [0.0]]), 0.95)[:, 0]
    yield answer("rank_biserial", "by_hand", float(r), 4 / 6)
    yield holds("rank_biserial", "interval", "" if -1 <= low <= r <= high <= 1 else f"it is {low:.3g} to {high:.3g}")


def _blocks() -> Iterator[Finding]:
    """Yield Demšar's (2006) CD = q √(k(k + 1) / 6N), q = 2.343 for three methods at .05, without blocks with NaN."""
    scores = pd.DataFrame({"a": [0.9, 0.8, 0.9, np.nan], "b": [0.5, 0.6, 0.7, 0.9], "c": [0.1, 0.7, 0.2, 0.1]})
    found = critical_difference(scores)
    yield answer("critical_difference", "demsar", found.difference, 2.343 * np.sqrt(12 / 18), 1e-3)
    for method, rank in (("a", 1), ("b", 7 / 3), ("c", 8 / 3)):
        yield answer("critical_difference", f"mean_rank_{method}", float(found.mean_ranks[method]), rank)
    yield answer("critical_difference", "n_blocks", found.n_blocks, 3)


def _families() -> Iterator[Finding]:
    """Yield Holm's correction over all comparisons, sample sizes with their interval, and labels told apart."""
    values = {"a": [0.9, 0.8, 0.9, 0.7], "b": [0.5, 0.6, 0.7, 0.9], "c": [0.1, 0.7, 0.2, 0.1]}
    tests = friedman(pd.concat([table(values), table(values, model="other")]))
    yield answer("friedman", "holm_overall", _cell(tests, 0, "p_holm_family"), 2 * _cell(tests, 0, "p_value"))
    effects = {"d_z": [-0.7, 0.3], "d_z_low": [-1.0, -0.1], "d_z_high": [-0.5, 0.7]}
    plan = images_needed(pd.DataFrame({**effects, "n_pairs": 3, "n_groups": 9}))
    right = images_to_separate(np.array([0.7, 1.0, 0.5]), alpha=0.05 / 3)
    for column, expected in zip(("needed", "needed_low", "needed_high"), right, strict=True):
        yield answer("images_needed", column, _cell(plan, 0, column), float(expected))
    endless = np.isposinf(_cell(plan, 1, "needed_high"))
    yield holds("images_needed", "through_zero", "" if endless else "an effect that may be 0 is planned for")
    checkpoints = pd.concat([table({"a": [0.5]}), table({"a": [0.7]}, weights_digest="y")])
    yield answer("told_apart", "two_checkpoints", told_apart(checkpoints)["weights"].nunique(), 2)
    options = pd.concat([table({"a": [x]}).assign(options=f'{{"x":{x}}}', cell=f"t{x}") for x in (1, 2)])
    yield answer("told_apart", "two_options", told_apart(options)["method"].nunique(), 2)
    alone = rank_intervals(np.array([[0.1, 0.2], [0.4, 0.3]]), np.array([0, 0]), seed=0)
    yield answer("rank_intervals", "one_group", float(alone[1, 0]), np.nan)


def _flags() -> Iterator[Finding]:
    frame = table({"a": [1.0, 0.2, 0.3, 0.4], "b": [0.3, 0.3, 0.4, 0.5], "c": [0.9, 0.9, 0.9, 0.9]})
    hit = (frame["method"] == "a") & (frame["image"] == "00") | (frame["method"] == "c") & (frame["image"] != "00")
    flagged = frame.assign(status=np.where(hit, "degenerate", "ok"))
    ranked = leaderboard(flagged).set_index("method")
    pair = pairwise(flagged).query("method_a == 'a' and method_b == 'c'")
    yield answer("pairwise", "flagged_either", float(pair["flagged"].iloc[0]), 4)
    yield answer("leaderboard", "flagged", _cell(ranked, "a", "flagged"), 1)
    yield answer("leaderboard", "mean_with", _cell(ranked, "a", "mean"), 0.475)
    yield answer("leaderboard", "mean_unflagged", _cell(ranked, "a", "mean_unflagged"), 0.3)
    yield answer("leaderboard", "n_unflagged", _cell(ranked, "a", "n_unflagged"), 3)
    yield answer("leaderboard", "rank_with", _cell(ranked, "b", "rank"), 3)
    yield answer("leaderboard", "rank_unflagged", _cell(ranked, "b", "rank_unflagged"), 1)
    yield answer("leaderboard", "rank_of_mostly", _cell(ranked, "c", "rank_unflagged"), np.nan)
    marked = ranked["mostly_flagged"].to_dict() == {"a": False, "b": False, "c": True}
    yield holds("leaderboard", "mostly_flagged", "" if marked else "a method flagged on most images is not marked")


def _repeats() -> Iterator[Finding]:
    maps = np.stack([SAMPLE, SAMPLE**2]).reshape(2, 2, 5)
    other = maps.copy()
    other[1, 0, 0] += 0.02
    yield holds("repeats", "one_map", "" if repeat(maps, 2 * maps + 1) else "a scaled map is another one")
    yield holds("repeats", "two_maps", "two different maps are one" if repeat(maps, other) else "")
    equal = leaderboard(table({"a": [0.5, 0.7], "b": [0.5, 0.7]}))
    said = (equal["same_as"] != "").any() or equal["maps_compared"].any()
    yield holds("repeats", "not_from_scores", "equal scores were taken for equal maps" if said else "")
