"""ADCC and its parts: by hand, in float64, what is undefined, and pytorch-grad-cam's ARCC."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision
from pytorch_grad_cam.metrics import road as their_road
from pytorch_grad_cam.metrics.arcc import ARCC
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
from torch import Tensor, nn

from heatmark.metrics.adcc import ADCC, coherency, kept_by_the_map, road_difference, simplicity
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.masking import CONSTANT, NAN


def input_gradient(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(images).gather(1, targets[:, None]).sum()
        (gradient,) = torch.autograd.grad(logits, images)
    return (gradient * images).sum(dim=1).detach()


@pytest.fixture(scope="module")
def batch() -> Explained:
    torch.manual_seed(4)
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)).eval()
    with torch.no_grad():
        model[-1].weight *= 10
    images = torch.randn(5, 3, 14, 20)
    targets = model(images).argmax(1)
    targets[3:] = (targets[3:] + 1) % 4
    return Explained(model, images, targets, input_gradient(model, images, targets), None, input_gradient)


def masks(batch: Explained) -> Tensor:
    low, high = batch.maps.amin((1, 2), keepdim=True), batch.maps.amax((1, 2), keepdim=True)
    return (batch.maps - low) / (high - low)


def test_each_part_is_that_of_its_equation(batch: Explained) -> None:
    m = masks(batch)
    seen = batch.images * m[:, None]
    again = input_gradient(batch.model, seen, batch.targets)
    rho = [np.corrcoef(a.flatten(), b.flatten())[0, 1] for a, b in zip(batch.maps, again, strict=True)]
    assert coherency(batch).values.numpy() == pytest.approx((1 + np.array(rho)) / 2, abs=1e-5)
    assert simplicity(batch).values.numpy() == pytest.approx(1 - m.mean((1, 2)).numpy(), abs=1e-6)
    with torch.no_grad():
        y, o = (batch.model(x).softmax(1).gather(1, batch.targets[:, None])[:, 0] for x in (batch.images, seen))
    assert ((y - o) > 0).any()
    assert ((y - o) < 0).any()
    kept = 1 - ((y - o).clamp_min(0) / y)
    assert kept_by_the_map(batch, 0).values.numpy() == pytest.approx(kept.numpy(), abs=1e-5)
    parts = np.stack([(1 + np.array(rho)) / 2, 1 - m.mean((1, 2)).numpy(), kept.numpy()])
    assert ADCC()(batch).values.numpy() == pytest.approx(3 / (1 / parts).sum(axis=0), abs=1e-5)


def test_a_scaled_and_a_shifted_map_have_the_same(batch: Explained) -> None:
    for maps in (100 * batch.maps, batch.maps + 3):
        assert torch.allclose(ADCC()(replace(batch, maps=maps)).values, ADCC()(batch).values, atol=1e-5)


def test_a_part_of_0_makes_the_whole_0(batch: Explained) -> None:
    turned = replace(batch, maps=input_gradient(batch.model, batch.images, batch.targets))
    opposite = replace(turned, explain=lambda *_: -turned.maps)
    assert ADCC()(opposite).values.numpy() == pytest.approx(np.zeros(5), abs=1e-6)


def test_what_is_undefined_has_a_reason_and_touches_no_other(batch: Explained) -> None:
    maps = batch.maps.clone()
    maps[0], maps[1, 2, 3] = 0.1, torch.nan

    def explain(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        again = input_gradient(model, images, targets)
        again[2], again[3, 0, 0] = 0.1, torch.nan
        return again

    for metric in (ADCC(), ADCC("arcc-pgc")):
        scores = metric(replace(batch, maps=maps, explain=explain))
        assert scores.values.isnan().tolist() == [True, True, True, True, False]
        assert list(scores.reasons[:2]) == [CONSTANT, NAN]
        assert [("constant" in why, "NaN" in why) for why in scores.reasons[2:4]] == [(True, False), (False, True)]
        assert scores.reasons[4] == ""
        assert torch.equal(scores.values[4], metric(batch).values[4])


def test_options() -> None:
    assert ADCC(effect="road") == ADCC("arcc-pgc")
    assert ADCC(seed=3) == ADCC()
    assert ADCC("arcc-pgc", seed=3) != ADCC("arcc-pgc")
    with pytest.raises(ValueError, match="did you mean road"):
        ADCC(effect="rad")


class Given:
    """A method of pytorch-grad-cam's interface, which scales what it gives to [0, 1]."""

    def __init__(self, model: nn.Module, targets: Tensor) -> None:
        self.model, self.targets = model, targets

    def __call__(self, input_tensor: Tensor, targets: object) -> np.ndarray:
        maps = input_gradient(self.model, input_tensor, self.targets)
        low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
        return ((maps - low) / (high - low)).numpy()


@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept")
@pytest.mark.parametrize("seed", [0, 2])
def test_arcc_is_pytorch_grad_cams(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """On ResNet-18, without its imputation noise, which is drawn from the global state; 280 pixels divide by 5."""
    torch.manual_seed(seed)
    model = torchvision.models.resnet18(weights=None, num_classes=4).eval()
    with torch.no_grad():
        model.fc.weight *= 8
    images, targets = torch.randn(4, 3, 28, 40), torch.arange(4)
    batch = Explained(model, images, targets, input_gradient(model, images, targets), None, input_gradient)
    monkeypatch.setattr(their_road.NoisyLinearImputer.__init__, "__defaults__", (0.0, their_road.neighbors_weights))
    monkeypatch.setattr("heatmark.metrics.adcc.NOISE", 0.0)
    read = [ClassifierOutputSoftmaxTarget(int(target)) for target in targets]
    theirs = ARCC(Given(model, targets))
    found = theirs(images, masks(batch).numpy(), read, model)
    assert torch.allclose(ADCC("arcc-pgc")(batch).values, torch.from_numpy(found).double(), atol=1e-5)
    road = (theirs.road(images, masks(batch).numpy(), read, model) * 2).clip(0, 1)
    assert (road > 0.01).any(), "not all of them are 0"
    assert torch.allclose(road_difference(batch, 0).values, torch.from_numpy(road).double(), atol=1e-5)


@pytest.mark.parametrize("factor", [3.0, -3.0])
def test_rounding_never_leaves_the_range(factor: float) -> None:
    maps = torch.tensor([[[1.0, 0, 0], [0, 0, 0]]])  # Pearson's correlation with its own multiples rounds beyond ±1
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    batch = Explained(
        model, torch.ones(1, 3, 2, 3), torch.tensor([0]), maps, None, lambda *_: factor * maps + 1, batch_size=1
    )
    assert coherency(batch).values.item() == (factor > 0)
    assert 0 <= ADCC()(batch).values.item() <= 1
