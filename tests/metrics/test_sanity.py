"""Random logit and parameter randomisation: against SciPy, scikit-image, closed forms and loops."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from heatmark.metrics.base import Explained
from heatmark.metrics.efficient_parameter_randomisation import FLAT, EfficientParameterRandomisation
from heatmark.metrics.engine.per_image import NOT_FINITE
from heatmark.metrics.engine.randomised import randomised
from heatmark.metrics.engine.similarity import CONSTANT, FEATURES, NAN, hog, mean_ranks, spearman, ssim
from heatmark.metrics.parameter_randomisation import ParameterRandomisation
from heatmark.metrics.random_logit import RandomLogit
from heatmark.metrics.smooth_parameter_randomisation import SmoothParameterRandomisation


def gradients(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    leaves = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        model(leaves).gather(1, targets[:, None]).sum().backward(inputs=[leaves])
    assert leaves.grad is not None
    return leaves.grad.sum(dim=1)


@pytest.fixture(scope="module")
def batch() -> Explained:
    generator = torch.Generator().manual_seed(2)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 4, 3, padding=1), nn.Tanh(),
        nn.Conv2d(4, 4, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5, generator=generator)
    images, targets = torch.randn(6, 3, 6, 7, generator=generator), torch.tensor([0, 1, 2, 3, 4, 0])
    maps = gradients(model.eval(), images, targets)
    return Explained(model, images, targets, maps, None, gradients)


def test_rank_correlation_is_scipys() -> None:
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(2, 4, 5, 6)).round(1)
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True)]
    assert spearman(torch.from_numpy(one), torch.from_numpy(other)).numpy() == pytest.approx(expected, abs=1e-12)
    assert mean_ranks(torch.tensor([3.0, -0.0, 3.0, 0.0])).tolist() == [3.5, 1.5, 3.5, 1.5]


def test_random_logit_compares_with_the_map_of_another_class(batch: Explained) -> None:
    others = RandomLogit().others(batch)
    assert (others != batch.targets).all()
    maps = gradients(batch.model, batch.images, others).numpy()
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(batch.maps.numpy(), maps, strict=True)]
    assert RandomLogit()(batch).values.numpy() == pytest.approx(np.array(expected), abs=1e-9)


def test_random_logit_draws_every_other_class() -> None:
    images = torch.randn(400, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).eval()
    many = Explained(model, images, torch.full((400,), 2), images[:, 0], None, gradients)
    counts = torch.bincount(RandomLogit().others(many), minlength=4)
    assert counts[2] == 0
    assert (counts[[0, 1, 3]] > 100).all()
    with pytest.raises(ValueError, match="expected at least 2"):
        RandomLogit().others(replace(many, model=nn.Sequential(nn.Flatten(), nn.Linear(12, 1)).eval()))


@pytest.mark.parametrize("order", ["top_down", "bottom_up", "independent"])
def test_the_parts_that_are_drawn_anew(batch: Explained, order: str) -> None:
    layers = ["0", "2", "4", "8"]
    before = {name: value.clone() for name, value in batch.model.state_dict().items()}
    steps = list(randomised(batch.model, order, 4, 1.0, 0))  # type: ignore[arg-type]
    assert [share for share, _ in steps] == [0.25, 0.5, 0.75, 1.0]
    for k, (_, model) in enumerate(steps):
        ordered = layers if order == "bottom_up" else layers[::-1]
        expected = {ordered[k]} if order == "independent" else set(ordered[: k + 1])
        changed = {
            name for name in layers if not torch.equal(model.state_dict()[f"{name}.weight"], before[f"{name}.weight"])
        }
        assert changed == expected
    last = steps[-1][1].state_dict()
    assert not torch.equal(last["2.weight"], last["4.weight"]) or order == "independent", "each has a seed of its own"
    assert all(torch.equal(value, before[name]) for name, value in batch.model.state_dict().items())


def test_the_mean_over_the_points(batch: Explained) -> None:
    metric = ParameterRandomisation(points=2)
    scores = metric(batch)
    maps = [
        gradients(model, batch.images, batch.targets).numpy()
        for _, model in randomised(batch.model, "top_down", 2, 1.0, 0)
    ]
    expected = [
        np.mean([stats.spearmanr(own.ravel(), other[n].ravel()).statistic for other in maps])
        for n, own in enumerate(batch.maps.numpy())
    ]
    assert scores.values.numpy() == pytest.approx(np.array(expected), abs=1e-9)
    assert scores.curve is not None
    assert scores.curve.x.tolist() == [0.5, 1.0]
    assert torch.equal(metric(replace(batch, seed=0)).values, scores.values)
    assert not torch.equal(metric(replace(batch, seed=1)).values, scores.values)


def test_a_model_without_parts_that_can_be_drawn() -> None:
    images = torch.rand(1, 3, 2, 2)
    batch = Explained(nn.Flatten().eval(), images, torch.tensor([0]), images[:, 0], None, gradients)
    with pytest.raises(ValueError, match="none has reset_parameters"):
        ParameterRandomisation()(batch)
    with pytest.raises(ValueError, match="did you mean top_down"):
        ParameterRandomisation(order="top-down")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="points=0"):
        ParameterRandomisation(points=0)


@pytest.mark.parametrize(
    "metric",
    [
        RandomLogit(),
        ParameterRandomisation(),
        ParameterRandomisation(similarity="ssim"),
        ParameterRandomisation(similarity="hog"),
        SmoothParameterRandomisation(samples=1),
    ],
    ids=lambda m: type(m).__name__,
)
def test_undefined_maps_have_reasons(batch: Explained, metric) -> None:
    maps = batch.maps.clone()
    maps[0], maps[1, 2, 2] = 0, torch.nan
    scores = metric(replace(batch, maps=maps))
    assert scores.values.isnan().tolist() == [True, True, False, False, False, False]
    assert list(scores.reasons) == [CONSTANT, NAN, "", "", "", ""]


def test_structural_similarity_and_hog_are_those_of_scikit_image() -> None:
    from skimage.feature import hog as features
    from skimage.metrics import structural_similarity

    one, other = np.random.default_rng(0).normal(size=(2, 3, 64, 70))
    scaled = [[(m - m.min()) / (m.max() - m.min()) for m in maps] for maps in (one, other)]
    expected = [structural_similarity(a, b, data_range=1.0) for a, b in zip(*scaled, strict=True)]
    assert ssim(torch.from_numpy(one), torch.from_numpy(other)).numpy() == pytest.approx(expected, abs=1e-12)
    pairs = [[features(m, pixels_per_cell=(16, 16)) for m in maps] for maps in scaled]
    expected = [stats.pearsonr(a, b).statistic for a, b in zip(*pairs, strict=True)]
    assert hog(torch.from_numpy(one), torch.from_numpy(other)).numpy() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("similarity", [spearman, ssim, hog])
def test_a_map_is_like_itself_whatever_its_scale_and_its_neighbours(similarity) -> None:
    maps = torch.randn(3, 20, 24, generator=torch.Generator().manual_seed(0))
    other = maps.flip(0)
    assert similarity(maps, 100 * maps + 3).numpy() == pytest.approx(np.ones(3), abs=1e-5)
    alone = torch.cat([similarity(maps[n : n + 1], other[n : n + 1]) for n in range(3)])
    assert torch.equal(similarity(maps, other), alone)


def test_features_that_are_constant_have_a_reason(batch: Explained) -> None:
    flat = replace(batch, images=batch.images[:, :, :2, :2], maps=batch.maps[:, :2, :2])
    scores = ParameterRandomisation(similarity="hog")(replace(flat, explain=lambda *_: flat.maps))
    assert scores.values.isnan().all()  # no 3 cells in 2 x 2 pixels
    assert set(scores.reasons) == {FEATURES}


def test_absolute_values_are_compared(batch: Explained) -> None:
    turned = replace(batch, explain=lambda *_: -batch.maps)
    assert ParameterRandomisation()(turned).values.tolist() == pytest.approx([-1.0] * 6)
    assert ParameterRandomisation(absolute=True)(turned).values.tolist() == pytest.approx([1.0] * 6)


def test_presets_are_the_constants_of_the_packages(batch: Explained) -> None:
    quantus, xplique = (ParameterRandomisation(preset=name) for name in ("quantus-0.6", "xplique-2.0"))
    assert (quantus.order, quantus.points, quantus.absolute, quantus.maps((8, 8))) == ("top_down", "all", True, None)
    curves = [metric(batch).curve for metric in (quantus, xplique)]
    assert [curve.x.tolist() for curve in curves if curve] == [[0.25, 0.5, 0.75, 1.0], [0.25]]
    smooth = SmoothParameterRandomisation(preset="quantus-0.6", points=2)
    assert (smooth.order, smooth.samples, smooth.noise, smooth.maps((8, 8))) == ("bottom_up", 50, 0.1, 149)


def test_the_model_is_found_again_after_an_exception(batch: Explained) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    model[1].running_mean.normal_(generator=torch.Generator().manual_seed(0))
    before = {name: (value, value.clone()) for name, value in model.eval().state_dict(keep_vars=True).items()}
    random = torch.get_rng_state()

    def failing(changed: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        assert not torch.equal(changed.state_dict()["4.weight"], before["4.weight"][1])
        raise RuntimeError("at fault")

    broken = replace(batch, model=model, explain=failing)
    for metric in (ParameterRandomisation(), EfficientParameterRandomisation()):
        with pytest.raises(RuntimeError, match="at fault"):
            metric(broken)
    after = model.state_dict(keep_vars=True)
    assert all(after[name] is value and torch.equal(value, copy) for name, (value, copy) in before.items())
    assert torch.equal(torch.get_rng_state(), random)


def test_smooth_maps_are_means_over_one_noise_for_all_models(batch: Explained) -> None:
    seen: list[Tensor] = []

    def linear(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        seen.append(images - batch.images)
        return images[:, 0] if model is batch.model else images[:, 1]

    metric = SmoothParameterRandomisation(points=2, samples=3)
    scores = metric(replace(batch, maps=batch.images[:, 0], explain=linear))
    assert len(seen) == metric.maps((6, 7)) == 8
    assert torch.equal(seen[0], seen[3])
    assert torch.equal(seen[1], seen[7])
    assert not torch.equal(seen[0], seen[1])
    spread = batch.images.amax(dim=(1, 2, 3)) - batch.images.amin(dim=(1, 2, 3))
    assert (seen[0].std(dim=(1, 2, 3)) / spread).tolist() == pytest.approx([0.1] * 6, rel=0.25)
    mean = batch.images.double() + (seen[0] + seen[1]).double() / 3
    expected = [stats.spearmanr(each[0].ravel(), each[1].ravel()).statistic for each in mean.numpy()]
    assert scores.values.numpy() == pytest.approx(np.array(expected), abs=1e-9)


def test_the_rise_of_entropy_by_hand(batch: Explained) -> None:
    maps = torch.tensor([[[0.0, 0, 0, 1]], [[0, 0, 1, 1]], [[0, 1, 2, 3]], [[5, 5, 5, 5]], [[0, 1, 1, torch.nan]]])
    given = replace(batch, maps=maps, images=batch.images[:5], targets=batch.targets[:5])
    after = torch.tensor([[[0.0, 1, 2, 3]]]).expand(5, 1, 4)
    scores = EfficientParameterRandomisation(bins=10)(replace(given, explain=lambda *_: after))
    quarter = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    expected = [(math.log(4) - quarter) / quarter, 1.0, 0.0, math.nan, math.nan]
    assert scores.values.tolist() == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert list(scores.reasons) == ["", "", "", FLAT, NOT_FINITE]
    with pytest.raises(ValueError, match="bins=1"):
        EfficientParameterRandomisation(bins=1)
