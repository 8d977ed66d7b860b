"""Contract tests of every metric in conf/metric; a new yaml is found automatically."""

from dataclasses import is_dataclass, replace
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from heatmark.common.identity import definition
from heatmark.metrics.base import CurveMetric, Explained, Metric

CONFIGS = sorted((Path(__file__).parents[1] / "conf" / "metric").glob("*.yaml"))


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def metric(request) -> Metric:
    config = OmegaConf.merge({"seed": 0}, OmegaConf.load(request.param))
    assert list(OmegaConf.load(request.param)) == [request.param.stem], "a metric nests under its own name"
    return instantiate(config[request.param.stem])


@pytest.fixture(scope="module")
def batch() -> Explained:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 5)
    ).eval()
    masks = torch.zeros(5, 16, 16, dtype=torch.bool)
    masks[:, 4:12, 4:12] = True

    def explain(model: nn.Module, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return images.abs().sum(dim=1)

    images = torch.randn(5, 3, 16, 16)
    return Explained(model, images, torch.arange(5), torch.randn(5, 16, 16), masks, explain)


def part(batch: Explained, index: slice) -> Explained:
    masks = None if batch.masks is None else batch.masks[index]
    return replace(batch, images=batch.images[index], targets=batch.targets[index], maps=batch.maps[index], masks=masks)


def test_is_a_frozen_dataclass_with_a_direction(metric):
    assert isinstance(metric, Metric)
    assert is_dataclass(metric)
    assert metric.__dataclass_params__.frozen
    assert type(metric).higher_is_better in (True, False)
    hash(metric)


def test_yaml_writes_out_the_preset(metric, request):
    name = request.node.callspec.params["metric"].stem
    assert definition(name, metric) == definition(name, type(metric)())
    assert definition(name, metric).startswith(name)


def test_one_finite_number_an_image_whatever_the_batch(metric, batch):
    values = metric(batch)
    assert values.shape == (5,)
    assert values.isfinite().all()
    assert len(set(values.tolist())) > 1
    alone = torch.cat([metric(part(batch, slice(n, n + 1))) for n in range(5)])
    assert torch.allclose(values, alone, atol=1e-6)
    assert torch.allclose(values, metric(replace(batch, batch_size=3)), atol=1e-6)


def test_a_nan_map_is_undefined_and_touches_no_neighbour(metric, batch):
    maps = batch.maps.clone()
    maps[2] = torch.nan
    values, expected = metric(replace(batch, maps=maps)), metric(batch)
    assert values[2].isnan()
    assert torch.allclose(values[[0, 1, 3, 4]], expected[[0, 1, 3, 4]], atol=1e-6)


def test_leaves_the_case_and_the_model_alone(metric, batch):
    before = [t.clone() for t in (batch.images, batch.targets, batch.maps, *batch.model.state_dict().values())]
    metric(batch)
    after = (batch.images, batch.targets, batch.maps, *batch.model.state_dict().values())
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert not batch.model.training
    assert all(p.grad is None and p.requires_grad for p in batch.model.parameters())
    assert not any(module._forward_hooks for module in batch.model.modules())


def test_a_curve_starts_with_nothing_and_ends_with_everything(metric, batch):
    if not isinstance(metric, CurveMetric):
        pytest.skip("sums up no curve")
    curves = metric.curves(batch)
    assert curves.fractions[0] == 0
    assert curves.fractions[-1] == 1
    assert (curves.fractions.diff() > 0).all()
    assert curves.scores.shape == (5, len(curves.fractions))
    assert torch.equal(metric.summary(curves), metric(batch))
