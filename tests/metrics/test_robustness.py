"""Metrics of an image's neighbours: against loops over the neighbours that they ask for, and closed forms."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatmark.metrics.avg_sensitivity import AvgSensitivity
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.neighbours import LOST, NEIGHBOUR, NOISES, ZERO, Neighbourhood
from heatmark.metrics.engine.per_image import NOT_FINITE
from heatmark.metrics.engine.relative_stability import ONE_LOST
from heatmark.metrics.local_lipschitz import LocalLipschitz
from heatmark.metrics.max_sensitivity import MaxSensitivity
from heatmark.metrics.relative_input_stability import RelativeInputStability
from heatmark.metrics.relative_output_stability import RelativeOutputStability

ALL = [MaxSensitivity, AvgSensitivity, LocalLipschitz, RelativeInputStability, RelativeOutputStability]
SAMPLES = 12


class Classes(nn.Module):
    """Two classes whose logits are the image's mean and 0: neighbours of an image near 0 change the prediction."""

    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([mean, torch.zeros_like(mean)], dim=1)


def explained(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    return images[:, 0] * images[:, 1] + images[:, 2]


@pytest.fixture(scope="module")
def batch() -> Explained:
    images = torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(1))
    images -= images.mean(dim=(1, 2, 3), keepdim=True)
    images[1] += 1  # of which no neighbour changes the prediction
    images[:, :, 0, 0] = 0
    targets = torch.tensor([0, 0, 0, 1])
    return Explained(Classes().eval(), images, targets, explained(nn.Identity(), images, targets), None, explained)


def guarded(values: Tensor) -> Tensor:
    return torch.where(values == 0, torch.tensor(1e-6, dtype=torch.float64), values)


def change(name: str, x: Tensor, near: Tensor, e: Tensor, other: Tensor) -> float:
    x, near, e, other = (each.double() for each in (x, near, e, other))
    moved = float((e - other).norm())
    if "Sensitivity" in name:
        return moved / float(e.norm())
    if name == "LocalLipschitz":
        return moved / float((x - near).norm())
    logits = abs(float(x.float().mean() - near.float().mean()))
    below = float(((x - near) / guarded(x)).norm()) if name == "RelativeInputStability" else logits
    return float(((e - other) / guarded(e)).norm()) / max(below, 1e-6)


def looped(metric: Neighbourhood, batch: Explained, counted: Callable[[Tensor], list[bool]]) -> list[float]:
    """Return the metric by a loop over the neighbours it asks for, of which ``counted`` says which count."""
    seen: list[Tensor] = []

    def recorded(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        seen.append(images)
        return explained(model, images, targets)

    metric(replace(batch, explain=recorded))
    name, found = type(metric).__name__, []
    for n, image in enumerate(batch.images):
        near = [each[n] for each in seen]
        kept = counted(torch.stack([(each.mean() > 0) == (image.mean() > 0) for each in near]))
        changes = [
            change(name, image, each, batch.maps[n], explained(batch.model, each[None], batch.targets)[0])
            for each, counts in zip(near, kept, strict=True)
            if counts
        ]
        summed = np.mean if name == "AvgSensitivity" else np.max
        found.append(float(summed(changes)) if changes else float("nan"))
    assert len(seen) == SAMPLES == metric.maps((5, 6)) == metric.passes((5, 6)) - 1
    return found


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("kept", [True, False])
def test_the_value_is_that_of_a_loop(cls: type[Neighbourhood], kept: bool, batch: Explained) -> None:
    metric = cls(radius=0.3, samples=SAMPLES, kept=kept)
    expected = looped(metric, batch, lambda same: [bool(each) or not kept for each in same])
    assert metric(batch).values.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("cls", [RelativeInputStability, RelativeOutputStability])
def test_one_changed_prediction_is_enough_under_all_kept(cls: type, batch: Explained) -> None:
    metric = cls(radius=0.3, samples=SAMPLES, all_kept=True)
    expected = looped(metric, batch, lambda same: [bool(same.all())] * SAMPLES)
    scores = metric(batch)
    assert scores.values.tolist() == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert scores.values.isnan().tolist() == [True, False, True, True]
    assert list(scores.reasons) == [ONE_LOST, "", ONE_LOST, ONE_LOST]


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_an_image_without_a_neighbour_that_counts(cls: type[Neighbourhood], batch: Explained) -> None:
    class Flips(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            own = torch.cat([(images == image).flatten(1).all(dim=1)[None] for image in batch.images]).any(dim=0)
            return torch.stack([own.float(), 1 - own.float()], dim=1)

    flipping = replace(batch, model=Flips().eval())
    assert cls()(flipping).values.isnan().all()
    assert set(cls()(flipping).reasons) == {LOST}
    assert cls(kept=False)(flipping).values.isfinite().all()


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_undefined_maps_have_reasons(cls: type[Neighbourhood], batch: Explained) -> None:
    maps = batch.maps.clone()
    maps[0], maps[1, 2, 2], maps[2, 0, 0] = 0, torch.nan, torch.inf

    def broken(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        found = explained(model, images, targets)
        found[3, 1, 1] = torch.nan
        return found

    scores = cls(kept=False)(replace(batch, maps=maps, explain=broken))
    zero = "" if cls is LocalLipschitz else ZERO
    assert list(scores.reasons) == [zero, NOT_FINITE, NOT_FINITE, NEIGHBOUR]
    assert scores.values.isnan().tolist() == [bool(zero), True, True, True]


@pytest.mark.parametrize(
    ("noise", "low", "high", "mean", "deviation"),
    [("uniform", -1, 1, 0, 3**-0.5), ("positive", 0.1, 1, 0.55, 0.9 * 12**-0.5), ("gaussian", -7, 7, 0, 1)],
)
def test_the_draws(noise: str, low: float, high: float, mean: float, deviation: float) -> None:
    drawn = NOISES[noise]((100, 100), torch.Generator().manual_seed(0))
    assert low <= float(drawn.min()) < float(drawn.max()) <= high
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.04)  # 4 standard errors
    assert float(drawn.std()) == pytest.approx(deviation, rel=0.03)


def test_draws_depend_on_the_image_and_the_seed_alone(batch: Explained) -> None:
    metric, turned = MaxSensitivity(kept=False), [3, 2, 1, 0]
    values = metric(batch).values
    moved = replace(batch, images=batch.images[turned], targets=batch.targets[turned], maps=batch.maps[turned])
    assert torch.equal(metric(moved).values[turned], values)
    assert torch.equal(metric(replace(batch, batch_size=3)).values, values)
    assert not torch.equal(metric(replace(batch, seed=1)).values, values)


@pytest.mark.parametrize(
    ("cls", "preset", "expected"),
    [
        (MaxSensitivity, "heatmark-1", (0.02, 10, "uniform", True)),
        (MaxSensitivity, "captum-0.9", (0.02, 10, "uniform", False)),
        (MaxSensitivity, "quantus-0.6", (0.2, 200, "uniform", False)),
        (MaxSensitivity, "pnpxai-0.1", (0.2, 8, "uniform", False)),
        (MaxSensitivity, "latec-2024", (0.2, 10, "uniform", False)),
        (AvgSensitivity, "quantus-0.6", (0.2, 200, "uniform", False)),
        (LocalLipschitz, "quantus-0.6", (0.1, 200, "gaussian", False)),
        (LocalLipschitz, "latec-2024", (0.2, 10, "gaussian", False)),
        (RelativeInputStability, "heatmark-1", (0.02, 10, "uniform", True, 1e-6, False)),
        (RelativeInputStability, "quantus-0.6", (0.2, 200, "positive", True, 1e-6, True)),
        (RelativeOutputStability, "latec-2024", (0.2, 10, "positive", True, 1e-6, True)),
    ],
)
def test_the_constants_of_protocols(cls: type[Neighbourhood], preset: str, expected: tuple[object, ...]) -> None:
    metric = cls(preset=preset)
    assert metric.preset == preset
    options = ("radius", "samples", "noise", "kept", "epsilon", "all_kept")[: len(expected)]
    assert tuple(getattr(metric, option) for option in options) == expected


def test_options_out_of_range_are_refused() -> None:
    for wrong, said in (
        ({"samples": 0}, "samples=0"),
        ({"radius": 0}, "radius=0"),
        ({"noise": "normal"}, "unknown noise"),
        ({"preset": "captum"}, "did you mean captum-0.9"),
    ):
        with pytest.raises(ValueError, match=said):
            MaxSensitivity(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="epsilon=0"):
        RelativeInputStability(epsilon=0)
