"""Correlations of relevance and drop over random subsets: against direct forward passes, NumPy and SciPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from heatmark.metrics.base import Explained, Metric
from heatmark.metrics.engine import subsets
from heatmark.metrics.engine.subsets import Draws, correlated, draws
from heatmark.metrics.faithfulness_correlation import FaithfulnessCorrelation
from heatmark.metrics.mu_fidelity import MuFidelity
from heatmark.metrics.sensitivity_n import SensitivityN

METRICS = [FaithfulnessCorrelation(cells=3), MuFidelity(cells=3, samples=30), SensitivityN(cells=3, sizes=(0.3, 0.6))]


@pytest.fixture(scope="module")
def batch() -> Explained:
    generator = torch.Generator().manual_seed(5)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 9, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.2, generator=generator)
    images, maps = (torch.randn(4, *shape, generator=generator) for shape in ((3, 8, 11), (8, 11)))
    return Explained(model.eval(), images, torch.arange(4), maps, None, lambda *_: maps, batch_size=5)


def replaced(image: Tensor, chosen: Tensor, cells: int) -> Tensor:
    """Return an image with some cells set to 0, by loops over its pixels."""
    result = image.clone()
    height, width = image.shape[-2:]
    for row in range(height):
        for column in range(width):
            if chosen[(row * cells // height) * cells + column * cells // width]:
                result[:, row, column] = 0
    return result


def test_sums_and_drops_are_those_of_each_subset(batch: Explained) -> None:
    sizes = [1, 4, 8]
    found = draws(batch, 3, sizes, "zero")
    for n, (image, target) in enumerate(zip(batch.images, batch.targets, strict=True)):
        chosen = subsets._chosen(image, 9, sizes, 0)
        assert chosen.sum(dim=1).tolist() == sizes
        for m, which in enumerate(chosen):
            other = replaced(image, which, 3)
            with torch.no_grad():
                before, after = (batch.model.double()(x[None].double()).softmax(1)[0, target] for x in (image, other))
            batch.model.float()
            ones = replaced(torch.ones_like(image[:1]), which, 3)[0]
            assert found.drop[n, m].item() == pytest.approx((before - after).item(), abs=1e-6)
            assert found.relevance[n, m].item() == pytest.approx(batch.maps[n][ones == 0].sum().item(), abs=1e-4)


def test_every_cell_is_drawn_equally_often() -> None:
    chosen = subsets._chosen(torch.zeros(3, 4, 4), 9, [3] * 6000, 0)
    assert chosen.double().mean(dim=0).numpy() == pytest.approx(np.full(9, 1 / 3), abs=0.02)


def test_correlations_are_scipys() -> None:
    generator = np.random.default_rng(0)
    relevance, drop = generator.normal(size=(2, 5, 40)).round(1)  # rounded, so that values tie
    found = Draws(torch.from_numpy(relevance), torch.from_numpy(drop))
    for ranks, reference in ((False, stats.pearsonr), (True, stats.spearmanr)):
        expected = [reference(a, b).statistic for a, b in zip(relevance, drop, strict=True)]
        values, reasons = correlated(found, ranks)
        assert values.numpy() == pytest.approx(np.array(expected), abs=1e-12)
        assert reasons == [""] * 5


def test_sensitivity_n_is_the_mean_over_the_sizes(batch: Explained) -> None:
    metric = SensitivityN(cells=3, sizes=(0.3, 0.6), samples=20)
    found = draws(batch, 3, [3] * 20 + [5] * 20, "zero")
    expected = [
        np.mean([stats.pearsonr(r[part], d[part]).statistic for part in (slice(20), slice(20, 40))])
        for r, d in zip(found.relevance.double().numpy(), found.drop.double().numpy(), strict=True)
    ]
    assert metric(batch).values.numpy() == pytest.approx(np.array(expected), abs=1e-9)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: type(metric).__name__)
def test_a_scaled_and_a_reversed_map(batch: Explained, metric: Metric) -> None:
    values = metric(batch).values.numpy()
    assert metric(replace(batch, maps=100 * batch.maps)).values.numpy() == pytest.approx(values, abs=1e-5)
    assert metric(replace(batch, maps=-batch.maps)).values.numpy() == pytest.approx(-values, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: type(metric).__name__)
def test_subsets_depend_on_the_image_and_the_seed_alone(batch: Explained, metric: Metric) -> None:
    order = [2, 0, 3, 1]
    turned = replace(batch, images=batch.images[order], targets=batch.targets[order], maps=batch.maps[order])
    assert torch.equal(metric(turned).values, metric(batch).values[order])
    assert not torch.equal(metric(replace(batch, seed=1)).values, metric(batch).values)
    assert metric.draws


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: type(metric).__name__)
def test_what_is_undefined_has_a_reason(batch: Explained, metric: Metric) -> None:
    maps = batch.maps.clone()
    maps[0], maps[1, 0, 0] = 0, torch.nan
    scores = metric(replace(batch, maps=maps))
    assert scores.values.isnan().tolist() == [True, True, False, False]
    assert scores.reasons == [subsets.FLAT_MAP, subsets.NAN, "", ""]
    blind = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 11, 4)).eval()
    nn.init.zeros_(blind[1].weight)
    assert metric(replace(batch, model=blind)).reasons == [subsets.FLAT_MODEL] * 4


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MuFidelity(samples=1), "samples=1"),
        (lambda: MuFidelity(share=0.001), "share=0.001 of 81 cells is 0"),
        (lambda: FaithfulnessCorrelation(share=1.0), "is 81, expected some"),
        (lambda: SensitivityN(sizes=()), "expected some"),
        (lambda: SensitivityN(sizes=(0.0, 0.5)), "are \\[0, 40\\]"),
        (lambda: SensitivityN(fill="blurr"), "did you mean blur"),
    ],
)
def test_options_out_of_range(make, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_more_cells_than_pixels(batch: Explained) -> None:
    with pytest.raises(ValueError, match="cells=9 per side, expected 1 to 8"):
        MuFidelity()(batch)


@pytest.mark.parametrize("value", [0.1, 0.3, 1 / 3, 123.456])
@pytest.mark.parametrize(
    "metric", [FaithfulnessCorrelation(), MuFidelity(), SensitivityN()], ids=lambda m: type(m).__name__
)
def test_a_constant_map_has_no_correlation_by_rounding(metric: Metric, value: float) -> None:
    images = torch.rand(1, 3, 36, 45, generator=torch.Generator().manual_seed(0))  # cells of 4 × 5 pixels
    model = nn.Sequential(nn.AdaptiveMaxPool2d(3), nn.Flatten(), nn.Linear(27, 2)).eval()
    maps = torch.full((1, 36, 45), value)
    scores = metric(Explained(model, images, torch.tensor([0]), maps, None, lambda *_: maps))
    assert scores.values.isnan().all()
    assert list(scores.reasons) == [subsets.FLAT_MAP]


@pytest.mark.parametrize("ranks", [False, True])
def test_a_nan_score_has_no_rank(ranks: bool) -> None:
    relevance, drop = torch.arange(8.0).view(2, 4), torch.tensor([[0.1, torch.nan, 0.3, 0.2], [0.1, 0.2, 0.3, 0.4]])
    values, reasons = correlated(Draws(relevance, drop), ranks)
    assert values.isnan().tolist() == [True, False]
    assert reasons == [subsets.NAN_SCORE, ""]


def test_infinite_relevance_has_an_order_but_no_linear_correlation() -> None:
    found = Draws(torch.tensor([[torch.inf, 1.0, 2.0]]), torch.tensor([[0.3, 0.1, 0.2]]))
    values, reasons = correlated(found, ranks=False)
    assert values.isnan().all()
    assert reasons == [subsets.INFINITE]
    values, reasons = correlated(found, ranks=True)
    assert values.item() == pytest.approx(1)
    assert reasons == [""]
