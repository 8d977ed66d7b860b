"""Planted maps, and which metrics must not notice a map's scale."""

import torch

from heatmark.benchmarks.cards.invariant import BOTH, SCALED, invariant
from heatmark.benchmarks.cards.planted import planted, shuffled
from heatmark.benchmarks.cards.variants import RANDOM, SHARES, TRUTH, Variant
from heatmark.benchmarks.face.things import metrics_of
from heatmark.metrics.base import Explained, Metric, Scores

MAP = torch.arange(400.0).view(20, 20)


def test_a_share_of_the_values_changes_places() -> None:
    places = []
    for share in SHARES:
        found = shuffled(MAP, share, seed=3)
        moved = set((found != MAP).nonzero().mul(torch.tensor([20, 1])).sum(1).tolist())
        places.append(moved)
        assert sorted(found.flatten().tolist()) == MAP.flatten().tolist(), "no value is lost"
        assert share / 100 * 400 * 0.9 < len(moved) <= share / 100 * 400
    drawn = torch.randperm(400, generator=torch.Generator().manual_seed(3)).tolist()
    assert all(moved <= set(drawn[: 4 * share]) for moved, share in zip(places, SHARES, strict=True)), "nested"
    assert torch.equal(shuffled(MAP, 40, seed=3), shuffled(MAP, 40, seed=3))
    assert not torch.equal(shuffled(MAP, 40, seed=3), shuffled(MAP, 40, seed=4))


def test_all_variants_of_a_method_are_planted() -> None:
    maps = [MAP - 100, MAP]
    found = planted({"m": maps}, [MAP > 9, MAP > 9], [MAP, MAP], [1, 2])
    assert set(found) == {
        TRUTH, RANDOM, *(Variant(kind, "m") for kind in ("real", "inverted", "scaled", "shifted")),
        *(Variant("shuffled", "m", share) for share in SHARES),
    }  # fmt: skip
    assert len({str(variant) for variant in found}) == len(found)
    assert torch.equal(found[Variant("inverted", "m")][0], 100 - MAP)
    assert torch.equal(found[Variant("scaled", "m")][1], 100 * MAP)
    assert float(found[Variant("shifted", "m")][0].min()) == 199.0, "+ the largest absolute value, 299"


class Size(Metric):
    """A metric of a user's, of which nothing is known."""

    higher_is_better = True

    def __call__(self, batch: Explained) -> Scores:
        return Scores(batch.maps.abs().mean(dim=(1, 2)))


def test_what_a_definition_leaves_as_it_is() -> None:
    names = ["deletion", "lerf", "morf", "srg", "pointing_game", "energy_inside", "gini_index", "average_drop"]
    metrics = {**metrics_of(names), "size": Size()}
    found = {name: invariant(name, metrics) for name in metrics}
    assert {name for name, kinds in found.items() if kinds == BOTH} == {
        "deletion", "lerf", "morf", "srg", "pointing_game", "average_drop",
    }  # fmt: skip
    assert {name for name, kinds in found.items() if kinds == SCALED} == {"energy_inside", "gini_index"}
    assert found["size"] == frozenset()
