"""Faults planted in the metrics: the known answers, and so ``heatmark check``, turn red at each."""

import pytest
import torch
from torch import Tensor

import heatmark.common.baselines
import heatmark.metrics.engine.perturbation
import heatmark.metrics.engine.pixel_flipping
import heatmark.metrics.engine.pixel_path
import heatmark.metrics.engine.ties
from heatmark.benchmarks.conformance.answers import metrics as of_metrics
from heatmark.benchmarks.conformance.report import is_red
from heatmark.metrics.base import Curve


def any_red() -> bool:
    return any(map(is_red, of_metrics.metric_answers()))


def test_without_a_fault_nothing_is_red() -> None:
    assert not any_red()


def in_raster(images: Tensor, seed: int) -> Tensor:
    return heatmark.metrics.engine.ties.raster(images, seed)


def one_order_for_all(images: Tensor, seed: int) -> Tensor:
    return torch.randperm(images[0, 0].numel(), generator=torch.Generator().manual_seed(seed)).repeat(len(images), 1)


def by_position(images: Tensor, seed: int) -> Tensor:
    pixels = images[0, 0].numel()
    return torch.stack([torch.randperm(pixels, generator=torch.Generator().manual_seed(n)) for n in range(len(images))])


def single_pixels(images: Tensor, seed: int) -> Tensor:
    generators = [torch.Generator().manual_seed(int(image.sum() * 1e6) + seed) for image in images]
    return torch.stack([torch.randperm(images[0, 0].numel(), generator=g) for g in generators])


@pytest.mark.parametrize("order", [in_raster, one_order_for_all, by_position, single_pixels])
def test_another_order_of_ties_is_red(
    monkeypatch: pytest.MonkeyPatch, order: heatmark.metrics.engine.ties.TieOrder
) -> None:
    monkeypatch.setitem(heatmark.metrics.engine.ties.TIE_ORDERS, "drawn", order)
    assert any_red()


def least_relevant_first(maps: Tensor, ties: Tensor) -> Tensor:
    return RANKS(-maps, ties)


def transposed(maps: Tensor, ties: Tensor) -> Tensor:
    return RANKS(maps, ties).view(len(maps), *maps.shape[1:]).flip(2).flatten(1)


def mean_of_points(curve: Curve) -> Tensor:
    return curve.y.mean(1)


def first_class(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.softmax(1)[:, 0]


def last_point_lost(pixels: int, steps: int) -> list[int]:
    return [pixels * step // steps for step in range(steps)]


RANKS = heatmark.metrics.engine.perturbation.relevance_ranks


@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        (heatmark.metrics.engine.pixel_path, "relevance_ranks", least_relevant_first),
        (heatmark.metrics.engine.pixel_path, "relevance_ranks", transposed),
        (heatmark.metrics.engine.perturbation, "find_score", lambda _: first_class),
        (heatmark.metrics.engine.pixel_flipping, "RULES", {"trapezoid": mean_of_points}),
        (heatmark.metrics.engine.pixel_path, "find_counting", lambda _: last_point_lost),
        (heatmark.metrics.engine.pixel_path, "find_tie_order", lambda _: in_raster),
        (heatmark.common.baselines, "SIGMA_PIXELS", 4),
        (of_metrics, "tied_share", lambda maps: torch.zeros(len(maps))),
    ],
)
def test_a_fault_of_a_metric_is_red(monkeypatch: pytest.MonkeyPatch, module: object, name: str, fault: object) -> None:
    heatmark.common.baselines._rise_kernel.cache_clear()
    monkeypatch.setattr(module, name, fault)
    red = any_red()
    heatmark.common.baselines._rise_kernel.cache_clear()
    assert red
