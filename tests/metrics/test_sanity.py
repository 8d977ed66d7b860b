"""Random logit, parameter randomisation and max-sensitivity: against SciPy, closed forms and loops."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.neighbours import ZERO
from heatmark.metrics.engine.per_image import NOT_FINITE
from heatmark.metrics.engine.similarity import CONSTANT, NAN, mean_ranks, spearman
from heatmark.metrics.max_sensitivity import MaxSensitivity
from heatmark.metrics.parameter_randomisation import ParameterRandomisation
from heatmark.metrics.random_logit import RandomLogit, _others


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
    others = _others(batch)
    assert (others != batch.targets).all()
    maps = gradients(batch.model, batch.images, others).numpy()
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(batch.maps.numpy(), maps, strict=True)]
    assert RandomLogit()(batch).values.numpy() == pytest.approx(np.array(expected), abs=1e-9)


def test_random_logit_draws_every_other_class() -> None:
    images = torch.randn(400, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).eval()
    many = Explained(model, images, torch.full((400,), 2), images[:, 0], None, gradients)
    counts = torch.bincount(_others(many), minlength=4)
    assert counts[2] == 0
    assert (counts[[0, 1, 3]] > 100).all()
    with pytest.raises(ValueError, match="expected at least 2"):
        _others(replace(many, model=nn.Sequential(nn.Flatten(), nn.Linear(12, 1)).eval()))


@pytest.mark.parametrize("order", ["cascading", "bottom_up", "independent"])
def test_the_parts_that_are_drawn_anew(batch: Explained, order: str) -> None:
    layers = ["0", "2", "4", "8"]
    before = {name: value.clone() for name, value in batch.model.state_dict().items()}
    steps = list(ParameterRandomisation(order, points=4)._randomised(batch.model, 0))  # type: ignore[arg-type]
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
    maps = [gradients(model, batch.images, batch.targets).numpy() for _, model in metric._randomised(batch.model, 0)]
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
    with pytest.raises(ValueError, match="did you mean cascading"):
        ParameterRandomisation(order="cascade")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="points=0"):
        ParameterRandomisation(points=0)


def test_max_sensitivity_is_the_largest_change(batch: Explained) -> None:
    metric = MaxSensitivity(radius=0.3, samples=3, kept=False)
    seen: list[Tensor] = []

    def recorded(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        seen.append(images - batch.images)
        return gradients(model, images, targets)

    values = metric(replace(batch, explain=recorded)).values
    assert max(float(each.abs().max()) for each in seen) <= 0.3 + 1e-6
    assert len(seen) == 3
    for n in range(6):
        changes = [
            np.linalg.norm(
                gradients(batch.model, (batch.images + moved)[n : n + 1], batch.targets[n : n + 1])[0] - batch.maps[n]
            )
            for moved in seen
        ]
        assert float(values[n]) == pytest.approx(max(changes) / np.linalg.norm(batch.maps[n]), rel=1e-4)


def test_draws_that_change_the_prediction_do_not_count(batch: Explained) -> None:
    class Flips(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            moved = (images - batch.images[:1]).abs().amax(dim=(1, 2, 3)) > 0
            return torch.stack([moved.float(), 1 - moved.float()], dim=1)

    one = replace(
        batch, images=batch.images[:1], targets=batch.targets[:1], maps=batch.maps[:1], model=Flips().eval(),
        explain=lambda *_: 2 * batch.maps[:1],
    )  # fmt: skip
    scores = MaxSensitivity()(one)
    assert scores.values.isnan().all()
    assert scores.reasons == ["every draw changes the predicted class"]
    assert MaxSensitivity(kept=False)(one).values.item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "metric", [RandomLogit(), ParameterRandomisation(), MaxSensitivity()], ids=lambda m: type(m).__name__
)
def test_undefined_maps_have_reasons(batch: Explained, metric) -> None:
    maps = batch.maps.clone()
    maps[0], maps[1, 2, 2] = 0, torch.nan
    scores = metric(replace(batch, maps=maps))
    assert scores.values.isnan().tolist() == [True, True, False, False, False, False]
    said = (
        [ZERO, NOT_FINITE]
        if isinstance(metric, MaxSensitivity)
        else [CONSTANT, NAN]
    )
    assert list(scores.reasons) == [*said, "", "", "", ""]
