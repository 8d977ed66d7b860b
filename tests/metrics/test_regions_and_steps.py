"""Region perturbation, IROF and monotonicity: by hand, shared paths, and why a value is undefined."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from heatmark.metrics.base import Curve, CurveMetric, Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.summaries import NO_ORDER, unit_steps
from heatmark.metrics.engine.units import slic_segments
from heatmark.metrics.irof import IROF, NO_SCORE
from heatmark.metrics.monotonicity import Monotonicity
from heatmark.metrics.morf import MoRF
from heatmark.metrics.region_perturbation import RegionPerturbation

Make = Callable[..., Explained]
Build = Callable[[Tensor], nn.Module]

WEIGHTS = torch.tensor(
    [[0.10, 0.10, 0.05, 0.05], [0.10, 0.10, 0.05, 0.05], [0.05, 0.05, 0.02, 0.03], [0.1, 0, 0.1, 0.05]]
)
MAP = torch.tensor([[[4.0, 4, 3, 1], [4, 4, 3, 1], [9, -7, 0, 0], [1, 1, 0, 0]]])
"""Means of its 2 × 2 patches: 4, 2, 1 and 0; their weights are .4, .2, .2 and .2."""


@pytest.fixture
def batch(additive: Build, make_batch: Make) -> Explained:
    return make_batch(additive(WEIGHTS), torch.ones(1, 3, 4, 4), MAP)


def test_aopc_by_hand(batch: Explained) -> None:
    drops = [0, 0.4, 0.6, 0.8, 1.0]
    for regions in (1, 2, 4, 100):
        found = RegionPerturbation(2, regions, baseline="zero")(batch)
        expected = drops[: regions + 1]
        assert found.values.item() == pytest.approx(sum(expected) / len(expected), abs=1e-6)
        assert found.curve is not None
        assert found.curve.y.shape == (1, len(expected))
    steps = RegionPerturbation(2, 3, baseline="zero", rule="unit_steps")(batch).values
    assert steps.item() == pytest.approx((0.4 + 0.6) / 2 + (0.6 + 0.8) / 2, abs=1e-6)
    assert RegionPerturbation(2, 3).passes((4, 4)) == 4
    assert RegionPerturbation(2, 9).passes((4, 4)) == 5


def test_unit_steps_by_hand() -> None:
    curve = Curve(torch.tensor([0.0, 0.1, 1]), torch.tensor([[1.0, 3, 7]]), "")
    assert unit_steps(curve).tolist() == [2.0 + 5.0]


def test_region_presets() -> None:
    assert RegionPerturbation() == RegionPerturbation(8, 100, "mean", rule="mean", ties="drawn")
    samek = RegionPerturbation(preset="samek-2017", seed=4)
    assert (samek.patch_size, samek.baseline, samek.path.fill_seed) == (9, "uniform", 4)
    assert RegionPerturbation(preset="quantus-0.6", seed=4) == RegionPerturbation(preset="quantus-0.6")


def test_paths_are_those_of_deletions() -> None:
    shared = Deletion(100, "mean", unit="patch", unit_size=8, counting="single").path
    assert RegionPerturbation().path == shared
    assert Monotonicity(seed=2).path == MoRF(seed=2).path
    assert Monotonicity(28, "zero").path == Deletion(28).path
    tenths = [k / 10 for k in range(11)]
    assert IROF(steps=10).path == MoRF(tenths, unit="slic", unit_size=100).path


def test_monotonicity_by_hand(additive: Build, make_batch: Make) -> None:
    weights = torch.tensor([[0.3, 0.2], [-0.1, 0.2]])
    images = torch.ones(1, 3, 2, 2)
    for relevance, expected in (
        ([[9.0, 5], [1, 3]], 0.75),  # added: −.1, .2, .2, .3, from .5 on
        ([[9.0, 5], [8, 3]], 0.75),
    ):
        model = Offset(weights, 0.4)
        found = Monotonicity(4, "zero")(make_batch(model, images, torch.tensor([relevance])))
        assert found.values.item() == expected
    flat = Offset(torch.zeros(2, 2), 0.4)
    assert Monotonicity(4, "zero")(make_batch(flat, images, torch.rand(1, 2, 2))).values.item() == 1
    two = Offset(torch.tensor([[0.3, -0.2], [-0.1, 0.2]]), 0.4)
    assert Monotonicity(4, "zero")(make_batch(two, images, torch.rand(1, 2, 2))).values.item() == 0.5


class Offset(nn.Module):
    """The first of two classes has the probability offset + Σ weights · pixels."""

    def __init__(self, weights: Tensor, offset: float) -> None:
        super().__init__()
        self.weights, self.offset = weights, offset
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        q = self.offset + (images.mean(dim=1) * self.weights).sum(dim=(1, 2))
        return torch.stack([q, 1 - q], dim=1).log()


def test_monotonicity_reads_from_the_fill_to_the_image() -> None:
    rising = Curve(torch.tensor([0.0, 0.5, 1]), torch.tensor([[0.9, 0.5, 0.1], [0.1, 0.5, 0.9]]), "fraction removed")
    assert Monotonicity().summarise(rising).values.tolist() == [1.0, 0.0]


def squares(generator_seed: int = 0) -> Tensor:
    colours = torch.rand(1, 3, 3, 3, generator=torch.Generator().manual_seed(generator_seed))
    return torch.nn.functional.interpolate(colours, (24, 24)) + 0.2


def test_irof_is_a_loop_over_segments(make_batch: Make) -> None:
    image = squares()
    owner = slic_segments(image[0], 9).view(24, 24)
    weights = torch.rand(24, 24, generator=torch.Generator().manual_seed(1)) / 800
    relevance = torch.randn(24, 24, generator=torch.Generator().manual_seed(2))
    batch = make_batch(Offset(weights, 0.1), image, relevance[None])
    count = int(owner.max()) + 1
    means = sorted(range(count), key=lambda s: -relevance[owner == s].double().mean().item())
    fractions, y = [], []
    for k in range(5):
        gone = torch.isin(owner, torch.tensor(means[: round(count * k / 4)], dtype=owner.dtype))
        picture = torch.where(gone, image.mean(dim=(2, 3), keepdim=True), image)
        fractions.append(gone.double().mean().item())
        y.append(0.1 + (picture.mean(dim=1) * weights).sum().item())
    expected = 1 - torch.trapezoid(torch.tensor(y) / y[0], torch.tensor(fractions)).item()
    assert IROF(9, 4)(batch).values.item() == pytest.approx(expected, abs=1e-5)
    assert abs(expected) > 1e-3
    assert IROF(9, 4).passes((24, 24)) == 5


def test_irof_has_no_ratio_to_nothing(make_batch: Make) -> None:
    batch = make_batch(Offset(torch.zeros(24, 24), 0.0), squares(), torch.rand(1, 24, 24))
    found = IROF(9, 4)(batch)
    assert found.values.isnan().all()
    assert found.reasons == [NO_SCORE]


@pytest.mark.parametrize(
    "metric", [RegionPerturbation(2, 3, "zero"), Monotonicity(4, "zero")], ids=["regions", "monotonicity"]
)
def test_a_map_with_nan_has_no_value(batch: Explained, metric: CurveMetric) -> None:
    maps = MAP.clone()
    maps[0, 0, 0] = torch.nan
    found = metric(replace(batch, maps=maps))
    assert found.values.isnan().all()
    assert found.reasons == [NO_ORDER]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RegionPerturbation(patch_size=0), "unit_size=0 for unit='patch'"),
        (lambda: RegionPerturbation(regions=0), "regions=0, expected a whole number from 1"),
        (lambda: RegionPerturbation(regions=1, rule="unit_steps"), "or from 2 for rule='unit_steps'"),
        (lambda: RegionPerturbation(rule="means"), "unknown rule 'means': did you mean mean"),
        (lambda: RegionPerturbation(preset="quantus"), "did you mean quantus-0.6"),
        (lambda: IROF(segments=1), "unit_size=1 for unit='slic', expected a whole number from 2"),
        (lambda: IROF(steps=0), "steps=0, expected a whole number from 1"),
        (lambda: Monotonicity(steps=0), "steps=0, expected a whole number from 1"),
        (lambda: Monotonicity(baseline="means"), "did you mean mean"),
    ],
)
def test_wrong_options_name_what_is_right(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
