"""The mean over replicates, before any other statistic, and the spread of their means, by hand."""

import math

import pandas as pd
import pytest

from heatmark.benchmarks.figures.pareto import faithfulness
from heatmark.benchmarks.figures.tables import on_common_images
from heatmark.benchmarks.statistics.comparisons import comparisons
from heatmark.benchmarks.statistics.gains import gains
from heatmark.benchmarks.statistics.leaderboard import leaderboard
from heatmark.benchmarks.statistics.pairwise import pairwise
from heatmark.benchmarks.statistics.replicates import averaged, spread
from heatmark.benchmarks.tables.draws import draws_text
from tests.benchmarks.statistics.conftest import Results

NAN = math.nan


@pytest.fixture
def drawn(results: Results) -> pd.DataFrame:
    """Three images: ``random`` in three draws, ``cam`` once."""
    draws = ([0.1, 0.2, 0.6], [0.3, 0.2, 0.0], [0.2, 0.5, 0.3])
    parts = [results({"random": values}, replicate=number) for number, values in enumerate(draws)]
    return pd.concat([results({"cam": [0.5, 0.5, 0.8]}), *parts], ignore_index=True)


def test_an_images_number_is_the_mean_of_its_draws(drawn: pd.DataFrame) -> None:
    found = averaged(drawn.sample(frac=1, random_state=3))
    assert found[found["method"] == "random"].sort_values("image")["value"].tolist() == pytest.approx([0.2, 0.3, 0.3])
    assert found[found["method"] == "cam"].sort_values("image")["value"].tolist() == [0.5, 0.5, 0.8]
    assert (found["replicate"] == 0).all()
    assert averaged(found) is found


def test_the_spread_is_that_of_the_draws_means(drawn: pd.DataFrame) -> None:
    means = [0.3, 0.5 / 3, 1 / 3]
    (row,) = spread(drawn).to_dict("records")
    assert row["draws"] == 3
    assert row["draws_sd"] == pytest.approx(pd.Series(means).std())
    assert (row["draws_low"], row["draws_high"]) == (pytest.approx(0.5 / 3), pytest.approx(1 / 3))
    ranked = leaderboard(drawn).set_index("method")
    assert ranked["draws"].to_dict() == {"cam": 1, "random": 3}
    assert ranked.loc["random", "mean"] == pytest.approx(0.8 / 3)
    assert (ranked.loc["random", "n"], ranked.loc["cam", "gain"]) == (3, pytest.approx((0.3 + 0.2 + 0.5) / 3))
    said = draws_text({"insertion ↑": leaderboard(drawn)})
    assert said.endswith("is a mean of draws: random (3 draws): insertion ↑ ±0.088")
    twice = draws_text({"insertion ↑": leaderboard(drawn), "lerf ↑": leaderboard(drawn)})
    assert twice.endswith("draws: random (3 draws): insertion ↑ ±0.088, lerf ↑ ±0.088"), "whose draws is said once"
    assert draws_text({"insertion": leaderboard(drawn[drawn["replicate"] == 0])}) == ""


def test_an_image_is_undefined_where_one_draw_is(drawn: pd.DataFrame) -> None:
    one = (drawn["method"] == "random") & (drawn["image"] == "001") & (drawn["replicate"] == 2)
    holed = drawn.assign(value=drawn["value"].mask(one), reason=drawn["reason"].mask(one, "constant"))
    found = averaged(holed).query("method == 'random'").set_index("image")
    assert found["value"].isna().to_dict() == {"000": False, "001": True, "002": False}
    assert found["reason"].to_dict() == {"000": "", "001": "constant", "002": ""}
    ranked = leaderboard(holed).set_index("method")
    assert ranked.loc["random", "mean"] == pytest.approx((0.2 + 0.3) / 2)
    assert (ranked.loc["random", "n"], ranked.loc["random", "undefined"]) == (2, 1)
    assert spread(holed)["draws_high"].item() == pytest.approx(0.35), "over the two images with all draws"
    assert sorted(set(on_common_images(holed)["image"])) == ["000", "002"]


def test_the_worst_status_of_the_draws_is_told(drawn: pd.DataFrame) -> None:
    flagged = drawn.assign(
        status=drawn["status"].mask((drawn["replicate"] == 1) & (drawn["image"] == "000"), "degenerate")
    )
    failed = flagged.assign(
        status=flagged["status"].mask((drawn["replicate"] == 2) & (drawn["image"] == "000"), "error")
    )
    for table, word in ((flagged, "degenerate"), (failed, "error")):
        found = averaged(table).query("method == 'random'").set_index("image")["status"]
        assert found.to_dict() == {"000": word, "001": "ok", "002": "ok"}


def test_tests_and_gains_are_of_the_means(drawn: pd.DataFrame) -> None:
    plain = averaged(drawn)
    for found, expected in (
        (pairwise(drawn), pairwise(plain)),
        *zip(map(gains, comparisons(drawn)), map(gains, comparisons(plain)), strict=True),
    ):
        pd.testing.assert_frame_equal(found, expected)


def test_insertion_minus_deletion_of_a_figure_is_that_of_the_means(drawn: pd.DataFrame) -> None:
    other = drawn.assign(metric="deletion", definition="deletion:1", value=0.1)
    found = faithfulness(pd.concat([drawn, other], ignore_index=True))
    assert len(found) == 2 * 3
    assert found[found["method"] == "random"]["value"].tolist() == pytest.approx([0.1, 0.2, 0.2])
