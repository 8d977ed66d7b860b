"""Cards from end to end: sound and planted unsound metrics on the shapes, in Python and on the command line."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

import heatmark as hm
from heatmark.benchmarks.cards.scoring import by_variant
from heatmark.benchmarks.cards.variants import RANDOM, Variant
from heatmark.metrics.base import Explained, Metric, Scores
from heatmark.metrics.pointing_game import PointingGame

Heatmark = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Constant(Metric):
    """The same number whatever the map."""

    higher_is_better: ClassVar[bool | None] = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(torch.full((len(batch.maps),), 0.5))


@dataclass(frozen=True)
class Size(Metric):
    """How large a map's values are."""

    higher_is_better: ClassVar[bool | None] = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(batch.maps.abs().mean(dim=(1, 2)))


@dataclass(frozen=True)
class Flipped(PointingGame):
    """The pointing game with its direction the wrong way round."""

    higher_is_better: ClassVar[bool | None] = False


@dataclass(frozen=True)
class Unrepeatable(Metric):
    """Noise that follows no seed."""

    higher_is_better: ClassVar[bool | None] = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(torch.from_numpy(np.random.default_rng().random(len(batch.maps))))


@dataclass(frozen=True)
class AnotherModel(Metric):
    """A metric that explains again, which maps made elsewhere cannot."""

    higher_is_better: ClassVar[bool | None] = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(batch.explain(batch.model, batch.images, batch.targets).mean(dim=(1, 2)))


METRICS = {
    "insertion": "insertion(steps=6,baseline=mean)",
    "energy_inside": "energy_inside",
    "gini_index": "gini_index",
    "constant": Constant(),
    "size": Size(),
    "flipped": Flipped(),
    "unrepeatable": Unrepeatable(),
    "another_model": AnotherModel(),
}


@pytest.fixture(scope="module")
def found() -> "hm.Cards":
    """Cards on sixteen shapes of the trained network."""
    return hm.cards(METRICS, "shapes_residual", "shapes", ["grad_cam"], limit=16, progress=False)


def verdicts(found: "hm.Cards", metric: str) -> dict[str, str]:
    rows = found.table[found.table["metric"] == metric]
    return dict(zip(rows["test"], rows["verdict"], strict=True))


def test_sound_metrics_pass(found: "hm.Cards") -> None:
    assert verdicts(found, "insertion")["order"] == "passes"
    assert verdicts(found, "energy_inside")["degradation"] == "passes"
    assert verdicts(found, "gini_index")["order"] == "not applicable"
    assert found.passed("gini_index")


def test_deletion_passes_the_order_of_pictures_without_masks() -> None:
    pictures = [sample.image for sample in hm.load_images("shapes", limit=16)]
    found = hm.cards("deletion(steps=6,baseline=mean)", "shapes_residual", pictures, ["grad_cam"], progress=False)
    (row,) = found.table[found.table["test"] == "order"].to_dict("records")
    assert row["verdict"] == "passes"
    assert row["sentence"].endswith("; no masks")


def test_a_card_says_what_the_pictures_lack() -> None:
    pictures = [sample.image for sample in hm.load_images("shapes", limit=2)]
    found = hm.cards("energy_inside", "shapes_residual", pictures, ["grad_cam"], progress=False)
    assert set(found.table["sentence"]) == {"no value: the dataset has no masks"}


def test_a_constant_fails(found: "hm.Cards") -> None:
    card = verdicts(found, "constant")
    assert {test for test, verdict in card.items() if verdict == "fails"} == {
        "order", "degradation", "separation", "agreement",
    }  # fmt: skip
    assert not found.passed("constant")


def test_a_sign_flipped_metric_fails(found: "hm.Cards") -> None:
    card = verdicts(found, "flipped")
    assert (card["order"], card["separation"], card["agreement"]) == ("fails", "fails", "fails")


def test_a_metric_that_only_looks_at_the_size_of_a_map_fails(found: "hm.Cards") -> None:
    card = verdicts(found, "size")
    assert (card["order"], card["degradation"], card["scale"]) == ("fails", "fails", "not applicable")


def test_a_metric_that_does_not_repeat_fails(found: "hm.Cards") -> None:
    assert verdicts(found, "unrepeatable")["repeats"] == "fails"


def test_a_metric_that_needs_other_maps_is_not_tested(found: "hm.Cards") -> None:
    assert set(verdicts(found, "another_model").values()) == {"not applicable"}
    rows = found.table[found.table["metric"] == "another_model"]
    assert rows["sentence"].str.contains("made elsewhere").all()
    assert not found.passed("another_model")


def test_cards_show_themselves(found: "hm.Cards") -> None:
    assert "constant ↑: fails order, degradation, separation, agreement" in repr(found)
    assert "insertion ↑" in found._repr_html_()
    with pytest.raises(ValueError, match="no card of 'insertio': did you mean insertion"):
        found.passed("insertio")


def test_no_real_method() -> None:
    with pytest.raises(ValueError, match="at least one real method"):
        hm.cards("pointing_game", "shapes_residual", "shapes", "random", limit=2, progress=False)


def test_scores_are_paired_by_image() -> None:
    table = pd.DataFrame(
        [("random", "b", 2.0), ("m", "b", 4.0), ("m", "a", 3.0), ("random", "a", np.nan)],
        columns=["method", "image", "value"],
    ).assign(metric="x")
    values = by_variant(table, "x", [RANDOM, Variant("real", "m")], ["a", "b", "c"])
    np.testing.assert_array_equal(values[Variant("real", "m")], [3.0, 4.0, np.nan])
    np.testing.assert_array_equal(values[RANDOM], [np.nan, 2.0, np.nan])


def test_the_command_writes_cards_at_80_columns(heatmark: Heatmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = heatmark(
        "cards", "mine", "metric=[energy_inside,lerf,morf,srg]", "metric.lerf.steps=3", "metric.morf.steps=3",
        "method=[grad_cam,captum_saliency]", "dataset.limit=4", "dataset.size=32", "batch_size=4",
    )  # fmt: skip
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "energy_inside ↑" in out
    assert "1 of 4, maps" in err
    cards = pd.read_parquet(Path("results/runs/mine/cards.parquet"))
    assert cards.groupby("metric").size().to_dict() == dict.fromkeys(("energy_inside", "lerf", "morf", "srg"), 6)
    assert len(pd.read_csv("results/runs/mine/agreement.csv")) == 4 * 3
    assert set(cards["dataset"]) == {"shapes"}
    (srg,) = set(cards.loc[cards["metric"] == "srg", "definition"])
    assert srg.startswith("srg(+1 lerf"), "its terms are part of it, as in a run's tables"


def test_cards_of_a_run_mark_its_leaderboard(heatmark: Heatmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    small = ["dataset.size=32", "dataset.limit=6", "batch_size=4", "method=[grad_cam,random]", "metric=[lerf,entropy]"]
    assert heatmark("sweep", "t", *small, "metric.lerf.steps=3", "timing.phase=false")[0] == 0
    mine = ["cards", "run=t", "dataset.limit=4", "method=[grad_cam]", "batch_size=4"]
    code, out, _ = heatmark(*mine, "--dry-run")
    assert code == 0
    assert "4 pictures, 16 planted maps each, of 1 real methods" in out
    assert not Path("results/runs/t/cards.parquet").exists()
    assert heatmark(*mine)[0] == 0
    cards = pd.read_parquet("results/runs/t/cards.parquet")
    results = pd.read_parquet("results/runs/t/results.parquet")
    for name in ("definition", "weights_digest", "images_digest"):
        assert set(cards[name]) == set(results[name]), "those of all six pictures of the run"
    failed = set(cards.loc[(cards["verdict"] == "fails") & (cards["test"] != "agreement"), "metric"])
    _, out, _ = heatmark("gather", "t")
    assert "lerf" in failed, "four pictures are too few for any step of the order"
    assert "lerf fails its card on this data: it does not rank" in out


@pytest.mark.parametrize("settled", ["metric=[deletion]", "model=shapes_plain", "dataset.size=64", "seed=1"])
def test_a_run_settles_what_its_cards_judge(heatmark: Heatmark, settled: str) -> None:
    code, _, err = heatmark("cards", "run=t", settled)
    assert code == 1
    assert f"{settled.partition('=')[0]}: run=t judges the run's own" in err
