"""The tests of a card on synthetic scores, whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest

from heatmark.benchmarks.cards.agreement import agreement, agreements, tau
from heatmark.benchmarks.cards.degradation import degradation, fall, page
from heatmark.benchmarks.cards.order import one_sided, order
from heatmark.benchmarks.cards.repeats import repeats
from heatmark.benchmarks.cards.scale import movement, scale
from heatmark.benchmarks.cards.separation import separation
from heatmark.benchmarks.cards.variants import FAILS, NOT_APPLICABLE, PASSES, RANDOM, SHARES, TRUTH, Judged, Variant
from heatmark.benchmarks.statistics.defined import Floats

REAL, INVERTED = Variant("real", "m"), Variant("inverted", "m")
SCALED, SHIFTED = Variant("scaled", "m"), Variant("shifted", "m")
N = 10
NOISE = np.arange(N) / 1000
"""Small differences of images, so that no two are equal."""


def scores(level: float, sign: int = 1) -> Floats:
    """Ten images with a mean of about this level."""
    return level + sign * NOISE


def sound(**change: Floats) -> Judged:
    """A sound metric: 1.0 for the truth, .8 for the method's maps, .4 for random, .1 for inverted ones."""
    values = {TRUTH: scores(1.0), REAL: scores(0.8), RANDOM: scores(0.4, -1), INVERTED: scores(0.1)}
    values |= {Variant("shuffled", "m", share): scores(0.8 - share / 250) for share in SHARES}
    values |= {SCALED: values[REAL], SHIFTED: values[REAL]}
    values |= {Variant(kind, "" if kind in ("truth", "random") else "m"): given for kind, given in change.items()}
    again = {variant: values[variant] for variant in (REAL, RANDOM)}
    return Judged("metric", True, values, again, again, "", frozenset({"scaled", "shifted"}))


def flipped(judged: Judged) -> Judged:
    """The same scores under a metric that says lower is better."""
    return replace(judged, higher_is_better=False)


def test_the_order_of_a_sound_metric_passes() -> None:
    found = order(sound())
    assert (found.verdict, found.figure, found.n) == (PASSES, 1.0, N)
    assert found.p_value == pytest.approx(3 / 2**N), "the smallest of ten signs, times three steps"
    assert found.sentence == "truth > random: 10/10, p = .003"
    assert found.because == ""


def test_a_step_that_does_not_hold_fails_and_is_named() -> None:
    found = order(sound(real=scores(0.4, 1)[::-1] - 0.009))
    assert found.verdict == FAILS
    assert found.sentence.startswith("m > random: all 10 equal")
    assert found.because == "it does not rank m above random: above on 0 of 10 pictures, equal on 10, p = 1.000"
    below = order(sound(truth=scores(0.3)))
    assert (below.verdict, below.figure, below.sentence) == (FAILS, 0.0, "truth > random: 0/10, p = 1.000")
    assert below.details.count(";") == 3, "every step is said"


def test_that_the_truth_is_above_real_maps_is_told_and_not_judged() -> None:
    found = order(sound(truth=scores(0.7)))
    assert found.verdict == PASSES, "the pixels that move a prediction most need not fill the object"
    assert found.details.endswith("truth > m: 0/10, p = 1.000 (not judged)")


def test_a_metric_of_placement_may_rank_inverted_maps_above_random_ones() -> None:
    signs_alike = sound(inverted=scores(0.7))
    assert order(signs_alike).verdict == FAILS
    found = order(replace(signs_alike, placement=True))
    assert found.verdict == PASSES
    assert "random > −m: 0/10, p = 1.000 (not judged)" in found.details


def test_a_metric_whose_direction_is_wrong_fails_every_step() -> None:
    found = order(flipped(sound()))
    assert found.verdict == FAILS
    assert found.sentence.endswith("(+2)")
    assert "p < " not in found.details


def test_lower_is_better_is_turned_round() -> None:
    turned = {variant: -values for variant, values in sound().values.items()}
    assert order(replace(flipped(sound()), values=turned)).verdict == PASSES


def test_without_masks_the_truth_is_left_out() -> None:
    found = order(sound(truth=np.full(N, np.nan)))
    assert (found.verdict, found.details.count(";")) == (PASSES, 1), "two steps"
    assert found.sentence.endswith("; no masks")


def test_masks_on_too_few_pictures_are_not_judged() -> None:
    some = np.where(np.arange(N) < 5, scores(0.1), np.nan)
    found = order(sound(truth=some))
    assert (found.verdict, found.sentence.endswith("; too few masks")) == (PASSES, True)
    assert order(sound(truth=np.where(np.arange(N) < 6, scores(0.1), np.nan))).verdict == FAILS


def test_what_no_outcome_on_so_many_pictures_could_show_is_said() -> None:
    def on(n: int) -> Judged:
        whole = sound()
        return replace(whole, values={variant: each[:n] for variant, each in whole.values.items() if variant != TRUTH})

    few = order(on(5))  # two steps: 2 / 2⁵ = .0625 is the least p-value, and 2 / 2⁶ = .031 on six pictures
    assert few.verdict == FAILS
    assert few.sentence.endswith("; no masks; too few pictures, 6 needed")
    assert few.because.endswith("; too few pictures, 6 needed")
    assert (order(on(6)).verdict, order(on(6)).sentence[-10:]) == (PASSES, "; no masks")


def test_undefined_images_are_left_out_of_a_step() -> None:
    some = scores(0.8)
    some[:4] = np.nan
    assert order(sound(real=some)).n == N - 4


def test_the_one_sided_test_by_hand() -> None:
    assert one_sided(np.array([1.0, 2.0, 3.0, 0.0])) == pytest.approx(1 / 8)
    assert one_sided(np.array([-1.0, -2.0, -3.0])) == 1.0
    assert one_sided(np.zeros(4)) == 1.0


def test_scores_that_fall_pass_degradation() -> None:
    found = degradation(sound())
    assert (found.verdict, found.n) == (PASSES, N)
    assert found.figure == 0.0
    assert found.p_value < 1e-6


def test_a_mean_that_is_level_from_the_middle_on_passes_degradation() -> None:
    """What has fallen as low as it can goes up and down by chance: here by 5 % of the range."""
    values = dict(sound().values)
    for share, level in zip(SHARES, (0.6, 0.4, 0.3, 0.31, 0.325, 0.315), strict=True):
        values[Variant("shuffled", "m", share)] = scores(level) + 0.05 * np.cos(share + 3 * np.arange(N))
    found = degradation(replace(sound(), values=values))
    assert found.verdict == PASSES
    assert 0 < found.figure <= 0.1


def test_scores_that_rise_or_stay_fail_degradation() -> None:
    assert degradation(flipped(sound())).figure == pytest.approx(1.0)
    assert degradation(flipped(sound())).because.startswith("it rises as more of m's maps is shuffled, from 0 to ")
    assert degradation(flipped(sound())).verdict == FAILS
    same = replace(sound(), values={variant: scores(0.5) for variant in sound().values})
    assert degradation(same).verdict == FAILS
    assert fall(same, "m")[1:] == (1.0, (0, 0, 0.0), (0, 0, 1.0), N)


def test_a_rise_between_two_steps_fails_degradation_and_a_dip_by_chance_does_not() -> None:
    values = dict(sound().values)
    values[Variant("shuffled", "m", 40)] = scores(0.9) + NOISE
    found = degradation(replace(sound(), values=values))
    assert found.sentence == "m: up from 0 to 40 %, p = .021", "ten signs, 21 pairs of steps"
    assert (found.verdict, round(found.p_value, 6)) == (FAILS, round(21 / 2**N, 6))
    values[Variant("shuffled", "m", 40)] = scores(0.721) + 0.03 * (-1.0) ** np.arange(N)
    found = degradation(replace(sound(), values=values))
    assert (found.verdict, found.figure < 0.1) == (PASSES, True)


def test_a_mean_that_goes_up_and_down_fails_degradation_though_images_agree_on_the_end() -> None:
    values = dict(sound().values)
    for share, level in zip(SHARES, (0.75, 0.8, 0.87, 0.5, 0.3, 0.1), strict=True):
        values[Variant("shuffled", "m", share)] = scores(level) + 0.15 * np.cos(share + np.arange(N))
    found = degradation(replace(sound(), values=values))
    assert found.verdict == FAILS
    assert found.figure > 0.1
    assert found.p_value < 0.05, "Page's test alone would let it pass"
    assert found.because.startswith("its mean rises as more of m's maps is shuffled, from 10 to 40 %, by ")


def test_a_mean_that_falls_by_one_image_alone_fails_degradation() -> None:
    values = dict(sound().values)
    for share in SHARES:
        values[Variant("shuffled", "m", share)] = scores(0.8 + share / 1e4)
        values[Variant("shuffled", "m", share)][0] -= share
    found = degradation(replace(sound(), values=values))
    assert found.verdict == FAILS
    assert found.figure == 0.0, "the mean falls from step to step"
    assert found.because == "it does not fall as m's maps are shuffled, Page's test: p = 1.000"


def test_pages_test_by_its_normal_limit() -> None:
    """L = Σ j Rⱼ of ranks along the predicted order; here all agree: z = (14 n − 12 n) / √(2 n) with n = 2 images."""
    assert page(np.array([[3.0, 2.0, 1.0]] * 2)) == pytest.approx(0.0227501, abs=1e-6)


def test_scale_is_judged_where_the_definition_says_so() -> None:
    assert scale(sound()).verdict == PASSES
    moved = sound(shifted=scores(0.9))
    found = scale(moved)
    assert found.verdict == FAILS
    assert found.figure == pytest.approx(0.1 / (0.8 - 0.4 + 2 * NOISE.mean()))
    assert movement(moved, "scaled") == 0
    free = replace(moved, invariant=frozenset({"scaled"}))
    assert (scale(free).verdict, scale(free).figure) == (PASSES, 0.0)
    assert "as it may" in scale(free).sentence
    assert scale(replace(moved, invariant=frozenset())).verdict == NOT_APPLICABLE


def test_a_call_that_differs_fails_repeats() -> None:
    assert repeats(sound()).sentence == "equal to the bit; no seed moves it"
    again = {**sound().again, REAL: scores(0.8) + 1e-12}
    found = repeats(replace(sound(), again=again))
    assert (found.verdict, found.sentence) == (FAILS, "the same call differs, for 1 of 2 kinds of maps")


def test_another_seed_is_compared_with_the_spread() -> None:
    spread = sound().spread
    assert spread == pytest.approx(0.4 + 2 * NOISE.mean())
    for share, verdict in ((0.05, PASSES), (0.2, FAILS)):
        other = {**sound().again, RANDOM: sound().values[RANDOM] + share * spread}
        found = repeats(replace(sound(), reseeded=other))
        assert found.verdict == verdict
        assert found.figure == pytest.approx(share)


def test_the_number_of_images_that_separate() -> None:
    differences = np.array([1.0, -0.5] * 5)  # d_z = .25 / .7906 = .316, for which a paired t-test needs 81 images
    found = separation(sound(real=0.4 + differences, random=np.full(N, 0.4)))
    assert (found.verdict, found.figure, found.n) == (FAILS, 81, N)
    assert separation(sound()).verdict == PASSES
    assert separation(sound(real=scores(0.4, -1))).figure == np.inf


def test_a_real_map_below_random_fails_whatever_the_size() -> None:
    found = separation(flipped(sound()))
    assert found.verdict == FAILS
    assert found.sentence.startswith("m: below random, d_z = -")


def test_agreement_of_equal_and_of_opposite_orders() -> None:
    first, second = sound(), replace(sound(), metric="other")
    opposite = replace(flipped(sound()), metric="opposite")
    assert tau(first, second) == (1.0, 1.0, 1.0, N, 4)
    assert tau(first, opposite)[:3] == (-1.0, -1.0, -1.0)
    table = agreements([first, second, opposite])
    assert len(table) == 6
    assert agreement(first, table).verdict == PASSES, "with one of two"
    assert agreement(opposite, table).verdict == FAILS
    assert agreement(first, agreements([first])).verdict == NOT_APPLICABLE


def test_an_interval_of_agreement_is_wide_where_images_disagree() -> None:
    mixed = sound(random=np.where(np.arange(N) < 5, 0.2, 1.3))
    value, low, high, _, _ = tau(mixed, sound())
    assert low < value <= high
    assert tau(mixed, sound())[:3] == tau(mixed, sound())[:3]


def test_a_metric_that_ranks_nothing_is_not_tested_for_its_direction() -> None:
    described = replace(sound(), higher_is_better=None)
    found = [order(described), degradation(described), agreement(described, agreements([described]))]
    assert {each.verdict for each in found} == {NOT_APPLICABLE}
    assert scale(described).verdict == PASSES


def test_a_metric_without_values_says_why() -> None:
    nothing = {variant: np.full(N, np.nan) for variant in sound().values}
    empty = replace(sound(), values=nothing, again=dict(list(nothing.items())[:2]), reason="the image has no mask")
    found = [order(empty), degradation(empty), scale(empty), repeats(empty), separation(empty)]
    assert {(each.verdict, each.sentence) for each in found} == {(NOT_APPLICABLE, "no value: the image has no mask")}


def test_an_image_that_is_undefined_twice_repeats() -> None:
    some = scores(0.8)
    some[0] = np.nan
    assert repeats(sound(real=some)).verdict == PASSES
