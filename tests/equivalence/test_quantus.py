"""Ours and Quantus 0.6: equal values under its protocol, and what of it no option represents, by experiment."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.pixel_path import PixelPath
from heatmark.metrics.engine.stages import Recorder
from heatmark.metrics.engine.units import slic_segments
from heatmark.metrics.monotonicity_correlation import MonotonicityCorrelation
from heatmark.metrics.region_perturbation import RegionPerturbation

quantus = pytest.importorskip("quantus")
SIDE, STEP = 48, 768
"""A step divides the number of pixels, which Quantus asks for, and holds all channels of its pixels."""


@pytest.fixture(autouse=True)
def trapz(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give NumPy the function back that Quantus calls."""
    if not hasattr(np, "trapz"):
        monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)


@pytest.fixture(scope="module")
def batch() -> Explained:
    """Three pictures, maps without ties, and a ResNet-18 with random weights, whose classes are sharpened."""
    torch.manual_seed(0)
    model = resnet18(weights=None, num_classes=10).eval()
    with torch.no_grad():
        model.fc.weight *= 3
    images = F.interpolate(torch.randn(3, 3, 6, 6), (SIDE, SIDE), mode="bicubic") + 0.1 * torch.randn(3, 3, SIDE, SIDE)
    maps = F.interpolate(torch.randn(3, 1, 7, 7), (SIDE, SIDE), mode="bicubic")[:, 0] + 0.01 * torch.randn(
        3, SIDE, SIDE
    )
    with torch.no_grad():
        targets = model(images).argmax(1)
    return Explained(model, images, targets, maps, None, lambda *_: maps)


class Grey(nn.Module):
    """Pictures of one channel as pictures of three equal ones."""

    def forward(self, images: Tensor) -> Tensor:
        return images.expand(-1, 3, -1, -1)


def test_the_adapter_leaves_nothing_behind(batch: Explained) -> None:
    from heatmark.metrics.external.quantus_metrics import evaluated

    np.random.seed(3)
    torch.manual_seed(3)
    states, filters = (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()), list(warnings.filters)
    values = [evaluated("RandomLogit", replace(batch, explain=grey), num_classes=10) for _ in range(2)]
    assert np.array_equal(*values)
    assert (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states
    assert list(warnings.filters) == filters


def test_numpy_has_the_function_in_the_adapter_and_not_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from heatmark.metrics.external.quantus_metrics import as_it_was

    monkeypatch.delattr(np, "trapz", raising=False)
    with as_it_was():
        assert np.trapz([1.0, 3.0]) == 2  # type: ignore[attr-defined]
    assert not hasattr(np, "trapz")


def grey(_model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    return images.mean(dim=1) * (1 + targets[:, None, None])


def theirs(metric: object, batch: Explained, model: nn.Module | None = None) -> Tensor:
    values = metric(  # type: ignore[operator]
        model=model or batch.model,
        x_batch=batch.images.numpy(),
        y_batch=batch.targets.numpy(),
        a_batch=batch.maps[:, None].numpy(),
    )
    return torch.tensor(np.array(values))


def replaced_by(batch: Explained, fill: str) -> list[Tensor]:
    """Return the values that each step of Quantus's pixel flipping writes into the first image, by value."""
    model = Recorder(batch.model)
    theirs(quantus.PixelFlipping(features_in_step=STEP, perturb_baseline=fill, disable_warnings=True), batch, model)
    seen = [batch.images[0], *model.given.view(-1, 3, *batch.images.shape[1:])[-3 * SIDE**2 // STEP :, 0]]
    return [after[after != before].unique() for before, after in pairwise(seen)]


def test_pixel_flipping(batch: Explained) -> None:
    ours = Deletion(preset="quantus-0.6", steps=STEP)(batch)
    assert ours.curve is not None
    curves = quantus.PixelFlipping(features_in_step=STEP, disable_warnings=True)
    assert theirs(curves, batch).numpy() == pytest.approx(ours.curve.y.numpy(), abs=1e-5)
    areas = quantus.PixelFlipping(features_in_step=STEP, return_auc_per_sample=True, disable_warnings=True)
    assert theirs(areas, batch).numpy() == pytest.approx(ours.values.numpy(), abs=1e-5)
    assert ours.curve.y.std(dim=1).min() > 0.003


def test_black_does_not_drift_but_mean_and_uniform_do(batch: Explained) -> None:
    smallest = batch.images[0].min().item()
    assert {value.item() for step in replaced_by(batch, "black") for value in step} == {smallest}
    for fill in ("mean", "uniform"):
        assert len({value.item() for step in replaced_by(batch, fill) for value in step}) >= 3 * SIDE**2 // STEP - 1


def test_region_perturbation(batch: Explained) -> None:
    metric = quantus.RegionPerturbation(disable_warnings=True)
    drops = theirs(metric, batch)
    ours = RegionPerturbation(preset="quantus-0.6")(batch)
    assert ours.curve is not None
    assert drops.numpy() == pytest.approx((ours.curve.y[:, :1] - ours.curve.y[:, 1:]).numpy(), abs=1e-5)
    assert np.trapezoid(drops.numpy(), axis=1) == pytest.approx(ours.values.numpy(), abs=1e-5)
    few = quantus.RegionPerturbation(regions_evaluation=9, disable_warnings=True)
    assert theirs(few, batch).shape == (3, 9)
    nine = RegionPerturbation(preset="quantus-0.6", regions=9)(batch).values
    assert np.trapezoid(theirs(few, batch).numpy(), axis=1) == pytest.approx(nine.numpy(), abs=1e-5)


def test_monotonicity_never_shows_the_model_a_pixel_of_the_image(batch: Explained) -> None:
    model = Recorder(batch.model)
    metric = quantus.Monotonicity(features_in_step=STEP, disable_warnings=True)
    assert theirs(metric, batch, model).tolist() == [True] * 3
    assert all(len(picture.unique()) == 1 for picture in model.given[-9:])


def test_monotonicity_correlation_with_a_fixed_fill(batch: Explained) -> None:
    metric = quantus.MonotonicityCorrelation(
        features_in_step=STEP, nr_samples=1, perturb_baseline="black", disable_warnings=True
    )
    ours = MonotonicityCorrelation(groups=3 * SIDE**2 // STEP, fill="image_minimum")(batch).values
    assert theirs(metric, batch).numpy() == pytest.approx(ours.numpy(), abs=1e-5)
    assert ours.std() > 0.02


@pytest.fixture
def our_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    def segments(img: NDArray[np.float64], segmentation_method: str) -> NDArray[np.int64]:
        return np.asarray(slic_segments(torch.from_numpy(img).movedim(-1, 0), 20).view(SIDE, SIDE).numpy())

    monkeypatch.setattr("quantus.helpers.utils.get_superpixel_segments", segments)


@pytest.mark.usefixtures("our_segments")
def test_irof_takes_no_picture_of_three_channels(batch: Explained) -> None:
    with pytest.raises(AssertionError, match="shape of arr must be the same as the mask shape"):
        theirs(quantus.IROF(disable_warnings=True), batch)


@pytest.mark.usefixtures("our_segments")
def test_irof_of_grey_pictures_up_to_segments_and_fill(batch: Explained) -> None:
    """With our segments and a fill that does not drift, its value is that of our curve of single segments."""
    model = nn.Sequential(Grey(), batch.model).eval()
    for n in range(3):
        image, target, relevance = batch.images[n : n + 1, :1], batch.targets[n : n + 1], batch.maps[n : n + 1]
        one = Explained(model, image, target, relevance, None, batch.explain)
        count = int(slic_segments(image[0], 20).max()) + 1
        path = PixelPath(steps=tuple(k / count for k in range(count + 1)), unit="slic", unit_size=20)
        y = path.curve(one).y[0]
        expected = count - torch.trapezoid(y[1:] / y[0]).item()
        fixed = quantus.IROF(perturb_baseline=0.0, disable_warnings=True)
        assert theirs(fixed, one).item() == pytest.approx(expected, abs=1e-4)
        drifting = quantus.IROF(disable_warnings=True)
        assert abs(theirs(drifting, one).item() - expected) > 1e-3
