"""Robustness and parameter randomisation: ours, Captum's and Quantus 0.6's on equal neighbours and models.

Where Quantus has another value, the test undoes the reason, and states its size.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torchvision.models import resnet18

from heatmark.metrics import efficient_parameter_randomisation, parameter_randomisation
from heatmark.metrics.avg_sensitivity import AvgSensitivity
from heatmark.metrics.base import Explained
from heatmark.metrics.efficient_parameter_randomisation import EfficientParameterRandomisation
from heatmark.metrics.engine.neighbours import Neighbourhood
from heatmark.metrics.external.captum_metrics import sensitivity_max
from heatmark.metrics.local_lipschitz import LocalLipschitz
from heatmark.metrics.max_sensitivity import MaxSensitivity
from heatmark.metrics.parameter_randomisation import ParameterRandomisation
from heatmark.metrics.relative_input_stability import RelativeInputStability
from heatmark.metrics.relative_output_stability import RelativeOutputStability
from heatmark.metrics.smooth_parameter_randomisation import SmoothParameterRandomisation

quantus = pytest.importorskip("quantus")

pytestmark = pytest.mark.filterwarnings("ignore")
SAMPLES = 6
TOLERANCE = 1e-5


def gradients(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return the gradient of the target's logit, summed over channels, (N, H, W)."""
    with torch.enable_grad():
        leaves = images.detach().clone().requires_grad_()
        logits = model(leaves).gather(1, targets[:, None]).sum()
        return torch.autograd.grad(logits, leaves)[0].sum(dim=1)


@pytest.fixture(scope="module")
def batch() -> Explained:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = resnet18(weights=None).eval()
        images = torch.randn(3, 3, 48, 48)
    with torch.no_grad():
        model.train()(images)  # its running statistics, without which values grow from block to block
        model.eval().fc.bias -= model(images).mean(dim=0)  # without which all images are of one class
    targets = model(images).argmax(dim=1)
    return Explained(model, images, targets, gradients(model, images, targets), None, gradients, batch_size=3)


def explain_func(model: nn.Module, inputs: np.ndarray, targets: np.ndarray, **_: object) -> np.ndarray:
    given = torch.as_tensor(inputs, dtype=torch.float32), torch.as_tensor(targets)
    return gradients(model, *given)[:, None].numpy()


def judged(metric: Neighbourhood, batch: Explained) -> tuple[np.ndarray, list[Tensor]]:
    """Return our metric's values, and the neighbours on which it asks for maps."""
    found: list[Tensor] = []

    def recorded(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        found.append(images)
        return gradients(model, images, targets)

    values = metric(replace(batch, explain=recorded)).values
    return values.numpy(), found


def arrays(batch: Explained) -> dict[str, object]:
    return {
        "model": batch.model,
        "x_batch": batch.images.numpy().copy(),
        "y_batch": batch.targets.numpy(),
        "a_batch": batch.maps.numpy()[:, None].copy(),
    }


def both(cls: type, ours: Neighbourhood, batch: Explained, **options: object) -> tuple[np.ndarray, np.ndarray]:
    """Return our values, and Quantus's on our neighbours."""
    values, asked = judged(ours, batch)
    near: Iterator[Tensor] = iter(asked)
    options = {"normalise": False, "disable_warnings": True, **options}
    metric = cls(nr_samples=SAMPLES, perturb_func=lambda arr, **_: next(near).flatten(1).numpy(), **options)
    return values, np.asarray(metric(**arrays(batch), channel_first=True, explain_func=explain_func))


def test_max_sensitivity_is_captums(batch: Explained) -> None:
    ours = MaxSensitivity(preset="captum-0.9")
    values, near = judged(ours, batch)
    found = sensitivity_max(batch, torch.stack(near, dim=1)).sum
    assert found is not None
    assert values == pytest.approx(found.numpy(), rel=TOLERANCE)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("MaxSensitivity", MaxSensitivity(preset="quantus-0.6", samples=SAMPLES)),
        ("AvgSensitivity", AvgSensitivity(preset="quantus-0.6", samples=SAMPLES)),
        ("LocalLipschitzEstimate", LocalLipschitz(preset="quantus-0.6", samples=SAMPLES)),
        ("RelativeInputStability", RelativeInputStability(preset="quantus-0.6", samples=SAMPLES, radius=0.002)),
        ("RelativeOutputStability", RelativeOutputStability(preset="quantus-0.6", samples=SAMPLES, radius=0.002)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_robustness_is_quantus(name: str, ours: Neighbourhood, batch: Explained) -> None:
    values, found = both(getattr(quantus, name), ours, batch)
    assert np.isfinite(values).all()
    assert values == pytest.approx(found, rel=TOLERANCE)


@pytest.mark.parametrize("cls", [RelativeInputStability, RelativeOutputStability])
def test_one_changed_prediction_makes_quantus_stability_nan(cls: type, batch: Explained) -> None:
    ours = cls(preset="quantus-0.6", samples=SAMPLES, radius=0.3)
    values, found = both(getattr(quantus, cls.__name__), ours, batch)
    assert np.isnan(found).any()
    assert values == pytest.approx(found, rel=TOLERANCE, nan_ok=True)
    counted = replace(ours, all_kept=False)(batch).values
    assert int(counted.isnan().sum()) < int(np.isnan(found).sum())


def test_quantus_stability_draws_to_one_side(batch: Explained) -> None:
    seen: list[np.ndarray] = []

    def recorded(model: nn.Module, inputs: np.ndarray, targets: np.ndarray, **_: object) -> np.ndarray:
        seen.append(np.asarray(inputs))
        return explain_func(model, inputs, targets)

    metric = quantus.RelativeInputStability(nr_samples=1, disable_warnings=True)
    metric(**arrays(batch), channel_first=True, explain_func=recorded)
    noise = seen[-1] - batch.images.numpy()
    assert noise.min() == pytest.approx(0.02, abs=1e-4)
    assert noise.max() == pytest.approx(0.2, abs=1e-4)
    assert noise.mean() == pytest.approx(0.11, abs=2e-3)


def test_quantus_lipschitz_depends_on_the_other_images(batch: Explained) -> None:
    ours = LocalLipschitz(preset="quantus-0.6", samples=SAMPLES)
    scaled = replace(batch, maps=batch.maps * torch.tensor([1.0, 1.0, 100.0])[:, None, None])
    pairs = [both(quantus.LocalLipschitzEstimate, ours, each, normalise=True) for each in (batch, scaled)]
    (mine, one), (too, other) = pairs
    assert abs(other[0] / one[0] - 1) > 0.2  # image 0, though the map of image 2 alone is another
    assert mine[0] == too[0]


def quantus_models(model: nn.Module, order: str = "top_down") -> list[nn.Module]:
    from copy import deepcopy

    from quantus.helpers.model.pytorch_model import PyTorchModel

    generator = PyTorchModel(model, channel_first=True).get_random_layer_generator(order=order, seed=42)
    return [deepcopy(made) for _, made in generator]


def given_models(monkeypatch: pytest.MonkeyPatch, models: list[nn.Module]) -> None:
    """Let our metric compare these models in place of its own."""
    shares = [(k + 1) / len(models) for k in range(len(models))]
    monkeypatch.setattr(parameter_randomisation, "randomised", lambda *_: iter(list(zip(shares, models, strict=True))))


@pytest.fixture
def small(batch: Explained) -> Explained:
    """Return a network of few layers, two of them equal in shape, and one BatchNorm."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Tanh(), nn.Conv2d(6, 6, 3), nn.Tanh(), nn.Conv2d(6, 6, 3),
            nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 5),
        )  # fmt: skip
    images, targets = batch.images[..., :16, :16].contiguous(), torch.tensor([0, 1, 2])
    with torch.no_grad():
        model.train()(images)
    maps = gradients(model.eval(), images, targets)
    return Explained(model, images, targets, maps, None, gradients)


@pytest.mark.parametrize("order", ["top_down", "bottom_up", "independent"])
def test_mprt_is_quantus_but_for_the_intact_model(
    order: str, small: Explained, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = quantus.MPRT(layer_order=order, return_average_correlation=True, disable_warnings=True)
    found = np.asarray(metric(**arrays(small), channel_first=True, explain_func=explain_func))
    models = quantus_models(small.model, order)
    given_models(monkeypatch, models)
    scores = ParameterRandomisation(preset="quantus-0.6", order=order)(small)  # type: ignore[arg-type]
    assert scores.curve is not None
    assert scores.curve.y.shape == (3, len(models))
    own = torch.ones(3, 1, dtype=torch.float64)
    counted = torch.cat([own, scores.curve.y], dim=1).mean(dim=1).numpy()
    assert counted == pytest.approx(found, abs=TOLERANCE)
    assert np.abs(scores.values.numpy() - found).max() > 0.05


def test_mprt_on_resnet_is_quantus(batch: Explained, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = quantus.MPRT(skip_layers=True, return_last_correlation=True, disable_warnings=True)
    found = np.asarray(metric(**arrays(batch), channel_first=True, explain_func=explain_func))
    given_models(monkeypatch, quantus_models(batch.model)[-1:])
    assert ParameterRandomisation(preset="quantus-0.6")(batch).values.numpy() == pytest.approx(found, abs=TOLERANCE)


def test_quantus_draws_equal_layers_equal(small: Explained) -> None:
    last = quantus_models(small.model)[-1].state_dict()
    assert torch.equal(last["3.weight"], last["5.weight"])
    assert last["1.running_mean"].tolist() == [0.0] * 6  # BatchNorm is drawn anew, too


def test_smooth_mprt_is_quantus_given_its_noise(small: Explained, monkeypatch: pytest.MonkeyPatch) -> None:
    models, seen = quantus_models(small.model, "bottom_up"), []
    given_models(monkeypatch, models)

    def recorded(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        seen.append(images)
        return gradients(model, images, targets)

    metric = SmoothParameterRandomisation(preset="quantus-0.6", samples=4)
    scores = metric(replace(small, explain=recorded))
    spread = small.images.amax(dim=(1, 2, 3), keepdim=True) - small.images.amin(dim=(1, 2, 3), keepdim=True)
    noise = itertools.cycle([((each - small.images) / (0.1 * spread)).numpy() for each in seen[:3]])
    options = {"nr_samples": 4, "return_average_correlation": True, "disable_warnings": True}
    data = {**arrays(small), "a_batch": None}
    with monkeypatch.context() as patched:
        patched.setattr(np.random, "randn", lambda *_: next(noise))
        found = np.asarray(
            quantus.SmoothMPRT(**options)(**data, channel_first=True, explain_func=lambda **k: explain_func(**k))
        )
    assert scores.curve is not None
    own = torch.ones(3, 1, dtype=torch.float64)
    counted = torch.cat([own, scores.curve.y], dim=1).mean(dim=1).numpy()
    assert counted == pytest.approx(found, abs=1e-4)


def test_efficient_mprt_is_quantus(small: Explained, monkeypatch: pytest.MonkeyPatch) -> None:
    found = quantus.EfficientMPRT(disable_warnings=True)(**arrays(small), channel_first=True, explain_func=explain_func)
    model = quantus_models(small.model, "bottom_up")[-1]
    monkeypatch.setattr(efficient_parameter_randomisation, "drawn_anew", lambda *_: model)
    assert EfficientParameterRandomisation()(small).values.numpy() == pytest.approx(np.array(found), abs=TOLERANCE)


def test_quantus_counts_bins_by_the_number_of_axes() -> None:
    from quantus.functions.n_bins_func import rice_rule, square_root_choice, sturges_formula

    maps = np.random.default_rng(0).normal(size=(2, 1, 64, 64))
    assert [rule(maps) for rule in (square_root_choice, sturges_formula, rice_rule)] == [1, 2, 2]  # of 4096: 64, 13, 32


def test_quantus_compares_maps_as_one_long_row(small: Explained) -> None:
    """With SSIM, Quantus's MPRT gives scikit-image flattened maps: a window is 7 pixels of a row, not 7 × 7."""
    from quantus.functions.similarity_func import correlation_spearman, ssim

    one, other = small.maps.abs().numpy(), small.maps.flip(0).abs().numpy()
    flat = ssim(one.reshape(3, -1), other.reshape(3, -1), batched=True)
    assert np.abs(np.array(flat) - ssim(one, other, batched=True)).max() > 0.02
    row = correlation_spearman(one.reshape(3, -1), other.reshape(3, -1), batched=True)
    assert row == pytest.approx([spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(one, other, strict=True)])
