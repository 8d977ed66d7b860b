"""Contract tests of every metric in conf/metric; a new yaml is found automatically."""

from dataclasses import is_dataclass, replace
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from heatmark.common.identity import definition
from heatmark.metrics.base import CurveMetric, Derived, Explained, Metric
from heatmark.metrics.engine.imputed_path import ImputedPath
from heatmark.metrics.engine.information_curve import InformationCurve

CONFIGS = sorted((Path(__file__).parents[1] / "conf" / "metric").glob("*.yaml"))


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def metric(request) -> Metric:
    config = OmegaConf.merge({"seed": 0}, OmegaConf.load(request.param))
    assert list(OmegaConf.load(request.param)) == [request.param.stem], "a metric nests under its own name"
    return instantiate(config[request.param.stem])


@pytest.fixture
def scored(metric) -> Metric:
    """Return a metric that is computed from images; a derived one follows from the scores of others."""
    if isinstance(metric, Derived):
        pytest.skip("derived from other metrics")
    return metric


class Recognising(nn.Module):
    """A class per known image, and one of other images: sure of each image, and of none that is blurred."""

    def __init__(self, known: torch.Tensor) -> None:
        super().__init__()
        varied = known.flatten(1) - known.flatten(1).mean(1, keepdim=True)
        self.weights = nn.Parameter(20 * varied / varied.square().sum(1, keepdim=True))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        alike = images.flatten(1) @ self.weights.T
        return torch.cat([alike, torch.full_like(alike[:, :1], 8)], dim=1)


@pytest.fixture
def batch(metric, usual) -> Explained:
    """Return the images that most metrics are tried on; information curves refuse those of whose class none is sure."""
    if not isinstance(metric, InformationCurve):
        return usual
    images = (usual.images / 4 + 0.5).clamp(0, 1)  # colours, as the batch's normalisation says
    return replace(usual, images=images, model=Recognising(images).eval())


@pytest.fixture(scope="module")
def usual() -> Explained:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 5)
    ).eval()
    masks = torch.zeros(5, 16, 16, dtype=torch.bool)
    masks[:, 4:12, 4:12] = True
    masks[0] = True  # so that some map points at its mask, and some does not

    def explain(model: nn.Module, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return images.abs().sum(dim=1)

    images = torch.randn(5, 3, 16, 16)
    normalisation = (torch.zeros(3), torch.ones(3))
    return Explained(
        model, images, torch.arange(5), torch.randn(5, 16, 16), masks, explain, normalisation=normalisation
    )


def part(batch: Explained, index: slice) -> Explained:
    masks = None if batch.masks is None else batch.masks[index]
    return replace(batch, images=batch.images[index], targets=batch.targets[index], maps=batch.maps[index], masks=masks)


def test_is_a_frozen_dataclass_with_a_direction(metric):
    assert isinstance(metric, Metric)
    assert is_dataclass(metric)
    assert metric.__dataclass_params__.frozen
    assert metric.higher_is_better in (True, False, None)
    assert metric.needs <= {"masks", "labels", "counterfactuals"}
    assert metric.version >= 1
    hash(metric)


def test_yaml_writes_out_the_preset(metric, request):
    name = request.node.callspec.params["metric"].stem
    assert definition(name, metric) == definition(name, type(metric)())
    assert definition(name, metric).startswith(name)


def test_one_finite_number_an_image_whatever_the_batch(scored, batch):
    values = scored(batch).values
    assert values.shape == (5,)
    assert values.isfinite().all()
    assert len(set(values.tolist())) > 1
    alone = torch.cat([scored(part(batch, slice(n, n + 1))).values for n in range(5)])
    assert torch.equal(values, alone)
    assert torch.allclose(values, scored(replace(batch, batch_size=3)).values, atol=1e-6)


def test_a_nan_map_is_undefined_and_touches_no_neighbour(scored, batch):
    maps = batch.maps.clone()
    maps[2] = torch.nan
    scores, expected = scored(replace(batch, maps=maps)), scored(batch).values
    assert scores.values[2].isnan()
    assert torch.equal(scores.values[[0, 1, 3, 4]], expected[[0, 1, 3, 4]])
    assert [n for n, reason in enumerate(scores.reasons) if reason] in ([], [2])


def test_leaves_the_case_and_the_model_alone(scored, batch):
    before = [t.clone() for t in (batch.images, batch.targets, batch.maps, *batch.model.state_dict().values())]
    scored(batch)
    after = (batch.images, batch.targets, batch.maps, *batch.model.state_dict().values())
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert not batch.model.training
    assert all(p.grad is None and p.requires_grad for p in batch.model.parameters())
    assert not any(module._forward_hooks for module in batch.model.modules())


def test_a_curve_starts_with_nothing_and_ends_with_everything(metric, batch):
    if not isinstance(metric, CurveMetric):
        pytest.skip("sums up no curve")
    curve = metric.path.curve(batch)
    assert curve.axis
    if isinstance(metric.path, ImputedPath):  # its fractions are given, and no image is imputed from nothing
        assert curve.x.tolist() == pytest.approx(metric.path.fractions, abs=1 / 256)
    else:
        assert (curve.x[..., 0] == 0).all()
        assert (curve.x[..., -1] == 1).all()
    assert (curve.x.diff() > 0).all()
    assert curve.y.shape == (5, curve.x.shape[-1])
    scores = metric(batch)
    assert torch.equal(metric.summarise(curve).values, scores.values)
    assert torch.equal(scores.curve.y, curve.y)


def test_paths_are_equal_objects(metric):
    if not isinstance(metric, CurveMetric):
        pytest.skip("sums up no curve")
    assert metric.path == metric.path
    assert len({metric.path, metric.path, *metric.bounds}) == 1 + len(metric.bounds)


def test_a_derived_metric_has_no_call_and_names_others(metric, batch):
    if not isinstance(metric, Derived):
        pytest.skip("computed from images")
    assert metric.terms
    assert set(metric.terms) <= {path.stem for path in CONFIGS}
    with pytest.raises(ValueError, match="derived from"):
        metric(batch)
