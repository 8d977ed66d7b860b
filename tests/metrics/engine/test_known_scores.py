"""Tests of known scores: equal perturbed images are scored once, and every score stays the same to the bit."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from heatmark.metrics.base import Explained, Metric, Path
from heatmark.metrics.engine import known_scores
from heatmark.metrics.engine.imputed_path import ImputedPath
from heatmark.metrics.engine.known_scores import FILLED, INTACT, KnownScores, place_of, scored_once, set_digests
from heatmark.metrics.engine.pixel_path import PixelPath
from heatmark.metrics.faithfulness_correlation import FaithfulnessCorrelation
from heatmark.metrics.infidelity import Infidelity
from heatmark.metrics.mu_fidelity import MuFidelity
from heatmark.metrics.sensitivity_n import SensitivityN


class Counting(nn.Module):
    """A small network that counts the images it has seen."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
        self.images = 0

    def forward(self, images: Tensor) -> Tensor:
        self.images += len(images)
        logits: Tensor = self.net(images)
        return logits


@pytest.fixture
def batch() -> Explained:
    model = Counting().eval()
    images = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model(images)
    model.images = 0
    maps = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(2))
    return Explained(
        model, images, torch.tensor([0, 1, 2]), maps, None, lambda *_: maps, batch_size=1,
        known=KnownScores(["a", "b", "c"], {}),
        normalisation=(torch.zeros(3), torch.ones(3)),
    )  # fmt: skip


def seen(batch: Explained) -> int:
    assert isinstance(batch.model, Counting)
    return batch.model.images


def known(batch: Explained) -> KnownScores:
    assert batch.known is not None
    return batch.known


def passes(batch: Explained, *paths: Path) -> list[int]:
    """Return how many images each path has the model score, one path after the other."""
    counts = []
    for path in paths:
        before = seen(batch)
        path.curve(batch)
        counts.append(seen(batch) - before)
    return counts


def test_digests_are_of_sets_whatever_the_order_inside() -> None:
    ranks = torch.tensor([[0, 1, 2, 3], [1, 0, 2, 3], [3, 2, 1, 0]])
    counts = torch.tensor([[0, 1, 2, 4]]).expand(3, -1)
    first, swapped, last = set_digests(ranks, counts)
    assert first[0] == swapped[0] == last[0] == INTACT
    assert first[3] == swapped[3] == last[3] == FILLED
    assert first[2] == swapped[2] != last[2]
    assert len({first[1], swapped[1], last[1]}) == 3  # the pixels 0, 1 and 3 alone


def test_digests_of_all_sets_of_ten_pixels_differ() -> None:
    sets = [[bool(number >> pixel & 1) for pixel in range(10)] for number in range(1, 1023)]
    ranks = torch.tensor([[*(sorted(range(10), key=lambda p: not s[p]).index(p) for p in range(10))] for s in sets])
    digests = set_digests(ranks, torch.tensor([[sum(s)] for s in sets]))
    assert len({row[0] for row in digests}) == 1022


def test_an_intact_image_is_the_same_whatever_the_fill() -> None:
    assert place_of("a", "logit", "zero", INTACT) == place_of("a", "logit", "mean", INTACT)
    assert place_of("a", "logit", "zero", FILLED) != place_of("a", "logit", "mean", FILLED)
    assert place_of("a", "logit", "zero", INTACT) != place_of("a", "probability", "zero", INTACT)


def test_what_is_known_is_not_computed() -> None:
    asked: list[Sequence[tuple[int, int]]] = []

    def compute(images: Tensor, points: Tensor) -> Tensor:
        asked.append(list(zip(images.tolist(), points.tolist(), strict=True)))
        return 10.0 * images + points

    there: dict[known_scores.Place, float] = {("x",): 7.0}
    found = scored_once(there, [[("p",), ("x",)], [("x",), ("q",)]], compute)
    assert found.tolist() == [[0.0, 7.0], [7.0, 11.0]]
    assert asked == [[(0, 0), (1, 1)]]
    assert there == {("x",): 7.0, ("p",): 0.0, ("q",): 11.0}


def test_ends_are_scored_once_per_image_and_fill(batch: Explained) -> None:
    assert passes(batch, PixelPath(steps=4)) == [3 * 5]
    other = replace(batch, maps=batch.maps.roll(1, 0))
    assert passes(other, PixelPath(steps=4)) == [3 * 3]
    assert passes(other, PixelPath(steps=4, fill="mean")) == [3 * 4]  # the intact image is known
    assert passes(other, PixelPath("lerf", steps=4, fill="mean")) == [3 * 3]
    assert passes(other, PixelPath(steps=4, score="logit")) == [3 * 5]


def test_equal_orders_share_their_curve_and_nested_steps_their_points(batch: Explained) -> None:
    assert passes(batch, PixelPath(steps=8), PixelPath(steps=4), PixelPath(steps=8, ties="raster")) == [3 * 9, 0, 0]
    scaled = replace(batch, maps=100 * batch.maps + 3)
    assert passes(scaled, PixelPath(steps=8)) == [0]
    assert passes(replace(batch, maps=-batch.maps), PixelPath(steps=8)) == [3 * 7]


def test_other_images_and_batch_sizes_share_nothing(batch: Explained) -> None:
    path = PixelPath(steps=4)
    path.curve(batch)
    others = replace(batch, known=KnownScores(["d", "e", "f"], known(batch).scores))
    assert passes(others, path) == [3 * 5]
    assert passes(replace(batch, known=None), path, path) == [3 * 5, 3 * 5]


@pytest.mark.parametrize(
    "path",
    [
        PixelPath(steps=5),
        PixelPath("lerf", steps=5, fill="blur"),
        PixelPath(steps=4, unit="patch", unit_size=3),
        ImputedPath(fractions=(0.2, 0.6)),
        ImputedPath("lerf", fractions=(0.2, 0.6), noise=0.0),
    ],
)  # fmt: skip
def test_known_scores_change_no_bit(batch: Explained, path: Path) -> None:
    alone = path.curve(replace(batch, known=None)).y
    other = replace(batch, maps=batch.maps.roll(1, 0))
    path.curve(other)
    assert torch.equal(path.curve(batch).y, alone)
    assert torch.equal(path.curve(batch).y, alone)
    assert torch.equal(path.curve(replace(batch, known=None)).y, alone)


def test_imputed_curves_are_known_as_a_whole(batch: Explained) -> None:
    path = ImputedPath(fractions=(0.2, 0.6))
    assert passes(batch, path, path, replace(path, order="lerf"), replace(path, seed=1)) == [6, 0, 6, 6]
    assert passes(replace(batch, maps=2 * batch.maps), path) == [0]


@pytest.mark.parametrize(
    "metric",
    [
        MuFidelity(cells=4, samples=20),
        FaithfulnessCorrelation(cells=4, samples=20),
        SensitivityN(cells=4, samples=9),
        Infidelity(samples=9),
    ],
    ids=lambda metric: type(metric).__name__,
)
def test_subsets_and_perturbations_are_scored_once_whatever_the_map(batch: Explained, metric: Metric) -> None:
    assert metric.once_per_image
    alone = metric(replace(batch, known=None)).values
    before = seen(batch)
    assert torch.equal(metric(batch).values, alone)
    assert seen(batch) - before == 3 * metric.passes((8, 8))
    other = replace(batch, maps=batch.maps.roll(1, 0))
    found, before = metric(other).values, seen(batch)
    assert metric(other).values.tolist() == found.tolist()
    assert seen(batch) == before
    assert torch.equal(found, metric(replace(other, known=None)).values)
    assert not torch.equal(found, alone)
    assert seen(batch) - before == 3 * metric.passes((8, 8))
    assert not torch.equal(metric(replace(batch, seed=1)).values, alone)


def test_a_map_with_nan_is_no_image_s_neighbour(batch: Explained) -> None:
    maps = batch.maps.clone()
    maps[1, 0, 0] = torch.nan
    path = PixelPath(steps=4)
    whole = path.curve(replace(batch, known=None)).y
    some = path.curve(replace(batch, maps=maps)).y
    assert some[1].isnan().all()
    assert torch.equal(some[[0, 2]], whole[[0, 2]])
    assert {place[0] for place in known(batch).scores} == {"a", "c"}


def test_beyond_the_limit_only_ends_are_kept(batch: Explained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_scores, "LIMIT", 10)
    path = PixelPath(steps=4)
    assert passes(batch, path, path) == [3 * 5, 3 * 3]
    assert len(known(batch).scores) == 6
