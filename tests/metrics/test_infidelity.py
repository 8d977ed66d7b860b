"""Infidelity against a closed form, a float64 reading of its equation, and what is invariant and undefined."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.perturbations import Perturbing, Scene, noisy_baseline, square
from heatmark.metrics.engine.subsets import NAN, Draws
from heatmark.metrics.infidelity import NO_RELEVANCE, Infidelity, infidelity_of

PERTURBED = [
    Infidelity(samples=30),
    Infidelity("yeh-2019", samples=30),
    Infidelity("captum-0.9-normalize", size=0.3, samples=30),
]


class Linear(nn.Module):
    """Logits (a · x + b, 0), a linear function of the image."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, images: Tensor) -> Tensor:
        z = (images * self.weights).sum(dim=(1, 2, 3)) + 0.3
        return torch.stack([z, torch.zeros_like(z)], dim=1)


@pytest.fixture(scope="module")
def batch() -> Explained:
    generator = torch.Generator().manual_seed(2)
    images, maps = (torch.randn(4, *shape, generator=generator).double() for shape in ((3, 9, 12), (9, 12)))
    weights = torch.randn(9, 12, generator=generator).double().expand(3, 9, 12)
    colours = torch.full((3,), 0.5), torch.full((3,), 0.25)
    model = Linear(weights).eval()
    return Explained(model, images, torch.zeros(4).long(), maps, None, lambda *_: maps, normalisation=colours)


def known(batch: Explained) -> tuple[Tensor, Tensor]:
    """Return the gradient of the linear model summed over channels, and its product with the image, (N, H, W)."""
    assert isinstance(batch.model, Linear)
    weights = batch.model.weights
    return weights.sum(dim=0).expand_as(batch.maps), (weights * batch.images).sum(dim=1)


@pytest.mark.parametrize("preset", ["captum-0.9", "captum-0.9-normalize", "yeh-2019"])
def test_the_gradient_of_a_linear_model_has_none(batch: Explained, preset: str) -> None:
    gradient, product = known(batch)
    metric = Infidelity(preset, samples=12)
    assert metric(replace(batch, maps=gradient)).values.numpy() == pytest.approx(np.zeros(4), abs=1e-12)
    assert (metric(replace(batch, maps=product)).values > 1e-9).all()


def test_the_gradient_times_the_input_has_none_where_squares_are_zero(batch: Explained) -> None:
    gradient, product = known(batch)
    metric = Infidelity("yeh-2019-square", fill="zero", samples=40)
    assert metric(replace(batch, maps=product)).values.numpy() == pytest.approx(np.zeros(4), abs=1e-12)
    assert metric(replace(batch, maps=-product)).values.numpy() == pytest.approx(np.zeros(4), abs=1e-12), "β < 0"
    assert (metric(replace(batch, maps=gradient)).values > 1e-3).all()


def test_a_map_of_zeros_leaves_the_variance_of_the_drop(batch: Explained) -> None:
    """E[(f(x) − f(x − I))²] = σ² ‖a‖² for I ~ N(0, σ²) and a linear f."""
    assert isinstance(batch.model, Linear)
    metric = Infidelity("captum-0.9", size=0.1, samples=4000)
    values = metric(replace(batch, maps=torch.zeros_like(batch.maps))).values
    expected = 0.1**2 * float(batch.model.weights.square().sum())
    assert values.numpy() == pytest.approx(np.full(4, expected), rel=0.1)  # four standard errors: 4 · √(2 / 4000)


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("metric", PERTURBED, ids=lambda metric: metric.perturbation)
def test_the_equation_by_hand(batch: Explained, metric: Infidelity, scaled: bool) -> None:
    metric = replace(metric, scaled=scaled)
    found = []
    for n in range(len(batch.images)):
        one = replace(batch, images=batch.images[n : n + 1])
        perturbing = Perturbing(str(metric.perturbation), metric.size or 0, str(metric.fill), metric.samples or 0)
        _, *drawn = perturbing.drawn(one)
        phi = (batch.maps[n] / 3).expand(3, 9, 12).numpy()
        a = np.array([float((np.broadcast_to(each.numpy(), phi.shape) * phi).sum()) for _, _, each, _ in drawn])
        outputs = batch.model(torch.stack([batch.images[n], *(picture for *_, picture in drawn)])).numpy()
        f = outputs[:, 0] if metric.score == "logit" else 1 / (1 + np.exp(-outputs[:, 0]))
        d = f[0] - f[1:]
        beta = (a @ d) / (a @ a) if scaled else 1
        found.append(np.mean((beta * a - d) ** 2))
    assert metric(batch).values.numpy() == pytest.approx(np.array(found), rel=1e-9)


@pytest.mark.parametrize("metric", PERTURBED, ids=lambda metric: metric.perturbation)
def test_with_the_best_factor_the_unit_of_a_map_does_not_count_and_without_it_does(
    batch: Explained, metric: Infidelity
) -> None:
    larger = replace(batch, maps=100 * batch.maps)
    assert metric(larger).values.numpy() == pytest.approx(metric(batch).values.numpy(), rel=1e-9)
    unscaled = replace(metric, scaled=False)
    assert (unscaled(larger).values > 10 * unscaled(batch).values).all()
    assert (metric(batch).values <= unscaled(batch).values + 1e-12).all(), "β fits best"


def test_what_is_undefined_has_a_reason(batch: Explained) -> None:
    maps = batch.maps.clone()
    maps[0], maps[1, 0, 0] = 0, torch.nan
    scores = Infidelity(samples=5)(replace(batch, maps=maps))
    assert scores.values.isnan().tolist() == [True, True, False, False]
    assert list(scores.reasons) == [NO_RELEVANCE, NAN, "", ""]
    unscaled = Infidelity(samples=5, scaled=False)(replace(batch, maps=maps))
    assert list(unscaled.reasons) == ["", NAN, "", ""]
    assert unscaled.values[0] > 0


def test_infidelity_of_three_draws() -> None:
    found = Draws(torch.tensor([[1.0, 0.0, 2.0]]).double(), torch.tensor([[2.0, 1.0, 2.0]]).double())
    assert float(infidelity_of(found, scaled=False).values) == pytest.approx((1 + 1 + 0) / 3)
    beta = (2 + 4) / 5
    assert float(infidelity_of(found, scaled=True).values) == pytest.approx(
        ((beta - 2) ** 2 + 1 + (2 * beta - 2) ** 2) / 3
    )


def test_squares_are_of_every_place_and_side_equally_often() -> None:
    scene = Scene(torch.ones(1, 3, 4), torch.zeros(1, 3, 4), None)
    generator = torch.Generator().manual_seed(0)
    seen: dict[tuple[int, ...], int] = {}
    for _ in range(9000):
        inside, picture = square(scene, 2 / 3, generator)
        assert torch.equal(picture, 1 - inside)
        where = tuple(inside.flatten().int().tolist())
        seen[where] = seen.get(where, 0) + 1
    assert len(seen) == 3 * 4 + 2 * 3
    assert min(seen.values()) > 500 - 5 * math.sqrt(500)
    assert max(seen.values()) < 500 + 5 * math.sqrt(500)


def test_a_noisy_baseline_is_a_colour() -> None:
    low, high = torch.tensor([-2.0]).view(1, 1, 1), torch.tensor([2.0]).view(1, 1, 1)
    image = torch.rand(1, 40, 50)
    weights, picture = noisy_baseline(
        Scene(image, low.expand(1, 40, 50), (low, high)), 0.2, torch.Generator().manual_seed(0)
    )
    assert torch.allclose(image - weights, picture, atol=1e-6)
    assert float(picture.min()) == -2
    assert float((picture == -2).double().mean()) == pytest.approx(0.5, abs=0.05), "half of the noise is below black"
    assert float(picture[picture > -2].add(2).square().mean().sqrt()) == pytest.approx(4 * 0.2, rel=0.06)


def test_a_noisy_baseline_needs_the_colours(batch: Explained) -> None:
    with pytest.raises(ValueError, match="needs the normalisation"):
        Infidelity("yeh-2019", fill="zero", samples=2)(replace(batch, normalisation=None))


def test_a_preset_is_its_values() -> None:
    assert Infidelity("captum-0.9", scaled=True) == Infidelity("captum-0.9-normalize")
    assert Infidelity().passes((8, 8)) == 101
    for wrong, said in (
        ({"preset": "captum-0.8"}, "captum-0.9"),
        ({"perturbation": "sqare"}, "square"),
        ({"samples": 1}, "samples=1"),
        ({"size": 1.5}, "size=1.5"),
        ({"size": 0.0}, "size=0.0"),
    ):
        with pytest.raises(ValueError, match=said):
            Infidelity(**wrong)
