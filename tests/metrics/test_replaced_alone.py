"""Single deletion and the monotonicity correlation: against loops over pixels, and SciPy."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.alone import grid_cells, scores_without, sums
from heatmark.metrics.engine.fills import fill_images
from heatmark.metrics.engine.perturbation import Filled
from heatmark.metrics.engine.subsets import FLAT_MAP, FLAT_MODEL, NAN
from heatmark.metrics.monotonicity_correlation import MonotonicityCorrelation
from heatmark.metrics.single_deletion import SingleDeletion

HEIGHT, WIDTH = 8, 11


@pytest.fixture(scope="module")
def batch() -> Explained:
    generator = torch.Generator().manual_seed(5)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 9, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.2, generator=generator)
    images, maps = (torch.randn(4, *shape, generator=generator) for shape in ((3, HEIGHT, WIDTH), (HEIGHT, WIDTH)))
    space = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.4])
    return Explained(
        model.eval(), images, torch.arange(4), maps, None, lambda *_: maps, normalisation=space, batch_size=5
    )


def of(batch: Explained, n: int, picture: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return batch.model(picture[None])[0].double()


def test_single_deletion_is_a_loop_over_cells(batch: Explained) -> None:
    expected = []
    for n, (image, target) in enumerate(zip(batch.images, batch.targets, strict=True)):
        relevance, drop = [], []
        for row in range(3):
            for column in range(3):
                rows = [r for r in range(HEIGHT) if r * 3 // HEIGHT == row]
                columns = [c for c in range(WIDTH) if c * 3 // WIDTH == column]
                other = image.clone()
                for r in rows:
                    other[:, r, columns] = 0
                relevance.append(batch.maps[n][rows][:, columns].double().sum().item())
                drop.append((of(batch, n, image) - of(batch, n, other))[target].item())
        expected.append(stats.spearmanr(relevance, drop).statistic)
    assert SingleDeletion(cells=3)(batch).values.numpy() == pytest.approx(np.array(expected), abs=1e-9)
    assert SingleDeletion(cells=3).passes((HEIGHT, WIDTH)) == 10
    assert SingleDeletion() == SingleDeletion(cells=4, fill="zero", score="logit")


def test_monotonicity_correlation_is_a_loop_over_groups(batch: Explained) -> None:
    metric, pixels = MonotonicityCorrelation(groups=5, samples=3, ties="raster"), HEIGHT * WIDTH
    expected = []
    for n, (image, target) in enumerate(zip(batch.images, batch.targets, strict=True)):
        size = batch.maps[n].abs().flatten()
        order = size.argsort()
        ends = [round(pixels * k / 5) for k in range(6)]
        relevance, change = [], []
        for k in range(5):
            group = order[ends[k] : ends[k + 1]]
            relevance.append(size[group].double().mean().item())
            moved = []
            for seed in (21, 22, 23):
                other = image.clone().flatten(1)
                other[:, group] = fill_images(batch, "uniform", seed)[n].flatten(1)[:, group]
                pair = (of(batch, n, each).softmax(0)[target] for each in (other.view_as(image), image))
                moved.append((next(pair) - next(pair)).square().item())
            change.append(np.mean(moved))
        expected.append(stats.spearmanr(relevance, change).statistic)
    assert metric(replace(batch, seed=7)).values.numpy() == pytest.approx(np.array(expected), abs=1e-9)
    assert metric.passes((HEIGHT, WIDTH)) == 16
    assert max(expected) - min(expected) > 0.1


def test_sums_and_scores_of_groups(batch: Explained) -> None:
    cells = grid_cells(batch.images, 2)
    assert cells[0].view(HEIGHT, WIDTH)[:, ::5].tolist() == [[0, 0, 1]] * 4 + [[2, 2, 3]] * 4
    found = sums(cells, batch.maps, 4)
    assert found[1, 2].item() == pytest.approx(batch.maps[1, 4:, :6].double().sum().item(), abs=1e-12)
    whole = scores_without(batch, Filled(torch.zeros_like(batch.images)), torch.zeros_like(cells), 1, "logit")
    dark = torch.stack([of(batch, n, torch.zeros(3, HEIGHT, WIDTH))[n] for n in range(4)])
    assert whole[:, 0].numpy() == pytest.approx(dark.numpy(), abs=1e-6)


def test_draws_depend_on_the_image_and_the_seed_alone(batch: Explained) -> None:
    metric, order = MonotonicityCorrelation(groups=8, samples=1), [2, 0, 3, 1]
    turned = replace(batch, images=batch.images[order], targets=batch.targets[order], maps=batch.maps[order])
    assert torch.equal(metric(turned).values, metric(batch).values[order])
    assert not torch.equal(metric(replace(batch, seed=1)).values, metric(batch).values)
    assert MonotonicityCorrelation(samples=9, fill="mean") == MonotonicityCorrelation(samples=1, fill="mean")


@pytest.mark.parametrize("metric", [SingleDeletion(), MonotonicityCorrelation(groups=8, samples=2)])
def test_what_is_undefined_has_a_reason(batch: Explained, metric: SingleDeletion | MonotonicityCorrelation) -> None:
    maps = batch.maps.clone()
    maps[0], maps[1, 0, 0] = 0, torch.nan
    scores = metric(replace(batch, maps=maps))
    assert scores.values.isnan().tolist() == [True, True, False, False]
    assert scores.reasons == [FLAT_MAP, NAN, "", ""]
    blind = nn.Sequential(nn.Flatten(), nn.Linear(3 * HEIGHT * WIDTH, 4)).eval()
    nn.init.zeros_(blind[1].weight)
    assert metric(replace(batch, model=blind)).reasons == [FLAT_MODEL] * 4


def test_a_constant_map_has_no_correlation_though_its_groups_differ_in_size(batch: Explained) -> None:
    constant = replace(batch, maps=torch.full_like(batch.maps, -0.1))
    assert MonotonicityCorrelation(groups=9, samples=1)(constant).reasons == [FLAT_MAP] * 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SingleDeletion(cells=1), "cells=1 per side, expected a whole number from 2"),
        (lambda: SingleDeletion(fill="zeros"), "did you mean zero"),
        (lambda: SingleDeletion(score="logits"), "did you mean logit"),
        (lambda: SingleDeletion(preset="idsd"), "did you mean idsds"),
        (lambda: MonotonicityCorrelation(groups=1), "groups=1, expected a whole number from 2"),
        (lambda: MonotonicityCorrelation(samples=0), "samples=0, expected a whole number from 1"),
        (lambda: MonotonicityCorrelation(fill="unifrom"), "did you mean uniform"),
        (lambda: MonotonicityCorrelation(ties="rasta"), "unknown order of ties 'rasta'"),
    ],
)
def test_wrong_options_name_what_is_right(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_more_cells_or_groups_than_pixels(batch: Explained) -> None:
    with pytest.raises(ValueError, match="cells=9 per side, expected 1 to 8"):
        SingleDeletion(cells=9)(batch)
    with pytest.raises(ValueError, match="steps=99, expected 1 to 88"):
        MonotonicityCorrelation(groups=99)(batch)
