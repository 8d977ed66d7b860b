"""Our ROAD and pytorch-grad-cam's: equal imputation, equal scores, and the three causes of what differs."""

import math

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics import road as theirs
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget, ClassifierOutputTarget
from torch import Tensor, nn
from torch.nn import functional as F

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.imputation import imputed
from heatmark.metrics.engine.imputed_path import ImputedPath
from heatmark.metrics.road import ROAD
from heatmark.metrics.road_combined import ROADCombined
from heatmark.metrics.road_lerf import ROADLeRF

pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept")

SIZE = (14, 20)
"""Every tenth of its 280 pixels is the number that pytorch-grad-cam's percentiles remove, too."""


def batch_of(size: tuple[int, int]) -> Explained:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(72, 5)).eval()
    with torch.no_grad():
        model[-1].weight *= 8
    images = F.interpolate(torch.randn(3, 3, 5, 5), size, mode="bilinear") + 0.3 * torch.randn(3, 3, *size)
    maps = F.interpolate(torch.rand(3, 1, 4, 4), size, mode="bilinear", align_corners=True)[:, 0]
    return Explained(model, images, torch.tensor([0, 2, 4]), maps, None, lambda *_: maps)


def left(maps: Tensor, count: int) -> Tensor:
    """Return the pixels that are left, (N, 1, H, W), where our ROAD imputes this many."""
    images = torch.rand(len(maps), 3, *maps.shape[1:])
    batch = Explained(nn.Identity(), images, torch.zeros(len(maps)), maps, None, lambda *_: maps)
    return ImputedPath()._ranks(batch).view(len(maps), 1, *maps.shape[1:]) >= count


@pytest.fixture
def no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theirs.NoisyLinearImputer.__init__, "__defaults__", (0.0, theirs.neighbors_weights))


def their_road(metric: object, batch: Explained, target: type = ClassifierOutputSoftmaxTarget) -> Tensor:
    chosen = [target(int(n)) for n in batch.targets]
    return torch.from_numpy(metric(batch.images, batch.maps.numpy(), chosen, batch.model))  # type: ignore[operator]


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("side", [4, 48])
def test_imputation_is_theirs(fraction: float, side: int) -> None:
    torch.manual_seed(0)
    image = F.interpolate(torch.rand(1, 3, 6, 6), (48, 48), mode="bilinear")[0]
    values = F.interpolate(torch.rand(1, 1, side, side), (48, 48), mode="bilinear")[0, 0]
    known = values < values.quantile(1 - fraction)
    expected = theirs.NoisyLinearImputer(noise=0)(image.clone(), known.float())
    assert (imputed(image, known[None])[0] - expected).abs().max() < 5e-5


@pytest.mark.usefixtures("no_noise")
def test_scores_are_theirs() -> None:
    batch = batch_of(SIZE)
    morf, lerf = (metric(preset="road-pgc", noise=0.0)(batch).values for metric in (ROAD, ROADLeRF))
    with torch.no_grad():
        intact = batch.model(batch.images).softmax(dim=1).gather(1, batch.targets[:, None])[:, 0]
    assert (morf - lerf).abs().max() > 0.05
    assert torch.allclose(morf - intact, their_road(theirs.ROADMostRelevantFirstAverage(), batch), atol=1e-5)
    assert torch.allclose(lerf - intact, their_road(theirs.ROADLeastRelevantFirstAverage(), batch), atol=1e-5)
    factors = ROADCombined().terms
    combined = factors["road_lerf"] * lerf + factors["road"] * morf
    assert torch.allclose(combined, their_road(theirs.ROADCombined(), batch), atol=1e-5)


@pytest.mark.usefixtures("no_noise")
def test_they_score_logits_if_not_told_otherwise() -> None:
    batch = batch_of(SIZE)
    logits = their_road(theirs.ROADMostRelevantFirst(50), batch, ClassifierOutputTarget)
    assert (logits - their_road(theirs.ROADMostRelevantFirst(50), batch)).abs().max() > 0.3
    known = left(batch.maps, 140)
    filled = torch.cat([imputed(image, each) for image, each in zip(batch.images, known, strict=True)])
    with torch.no_grad():
        risen = (batch.model(filled) - batch.model(batch.images)).gather(1, batch.targets[:, None])[:, 0]
    assert torch.allclose(logits, risen, atol=1e-3)


@pytest.mark.parametrize("size", [(14, 20), (15, 17), (224, 224)])
def test_their_percentiles_remove_a_pixel_more_or_less(size: tuple[int, int]) -> None:
    pixels = math.prod(size)
    values = np.random.default_rng(0).permutation(pixels).astype(np.float32)
    removed = [int((values >= np.percentile(values, p)).sum()) for p in range(90, 0, -10)]
    ours = [round(tenth * pixels / 10) for tenth in range(1, 10)]
    off = [their - our for their, our in zip(removed, ours, strict=True)]
    assert set(off) <= {-1, 0, 1}
    assert any(off) == (size != SIZE)


def test_they_remove_every_pixel_that_equals_the_threshold() -> None:
    sparse = torch.zeros(*SIZE)
    sparse[3, 4:9] = 1
    seen: list[Tensor] = []
    remover = theirs.RemoveMostRelevantFirst(50, lambda image, known: seen.append(known))
    remover(torch.zeros(3, *SIZE), sparse)
    assert int(seen[0].sum()) == 0, "asked to remove half, it keeps nothing"
    ours = left(sparse[None], 140)
    assert int(ours.sum()) == 140
