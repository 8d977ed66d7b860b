"""Average drop, increase and gain against a float64 reading of their definitions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from heatmark.metrics.average_drop import AverageDrop
from heatmark.metrics.average_gain import AverageGain
from heatmark.metrics.average_increase import AverageIncrease
from heatmark.metrics.base import Explained, Metric
from heatmark.metrics.engine.masking import INFINITE, NAN_SCORE, explanation_images, scaled

N = 7


@pytest.fixture(scope="module")
def batch() -> Explained:
    generator = torch.Generator().manual_seed(3)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 1, generator=generator)
    images, maps = (torch.randn(N, *shape, generator=generator) for shape in ((3, 9, 12), (9, 12)))
    return Explained(model.eval(), images, torch.arange(N) % 4, maps, None, lambda *_: maps, batch_size=3)


def probabilities(batch: Explained, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        logits = batch.model.double()(torch.from_numpy(images)).numpy()
    batch.model.float()
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return (shifted / shifted.sum(1, keepdims=True))[np.arange(len(images)), batch.targets.numpy()]


def reference(batch: Explained) -> tuple[np.ndarray, np.ndarray]:
    images, maps = batch.images.double().numpy(), batch.maps.double().numpy()
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    return probabilities(batch, images), probabilities(batch, images * ((maps - low) / (high - low))[:, None])


def test_all_four_against_float64(batch: Explained) -> None:
    y, o = reference(batch)
    expected: dict[Metric, np.ndarray] = {
        AverageDrop(): np.maximum(0, y - o) / y,
        AverageDrop(relative=False): np.maximum(0, y - o),
        AverageIncrease(): (o > y).astype(float),
        AverageGain(): np.maximum(0, o - y) / (1 - y),
    }
    assert 0 < expected[AverageIncrease()].sum() < N, "some rise and some fall"
    for metric, values in expected.items():
        assert metric(batch).values.numpy() == pytest.approx(values, abs=1e-5), metric


def test_a_map_is_scaled_whatever_its_range(batch: Explained) -> None:
    for maps in (100 * batch.maps, batch.maps - 7):
        found = AverageDrop()(replace(batch, maps=maps)).values
        assert found.numpy() == pytest.approx(AverageDrop()(batch).values.numpy(), abs=1e-5)


def test_the_brightest_map_keeps_everything_but_its_darkest_pixel() -> None:
    maps = torch.ones(1, 2, 2)
    maps[0, 0, 0] = 0
    assert scaled(maps).tolist() == maps.tolist()
    assert scaled(-maps).tolist() == (1 - maps).tolist()


@pytest.mark.parametrize("metric", [AverageDrop(), AverageIncrease(), AverageGain()], ids=lambda m: type(m).__name__)
def test_what_is_undefined_has_its_reason_and_touches_no_other(batch: Explained, metric: Metric) -> None:
    maps = batch.maps.clone()
    maps[1], maps[4, 2, 2] = 0.5, torch.nan
    scores, whole = metric(replace(batch, maps=maps)), metric(batch)
    kept = [0, 2, 3, 5, 6]
    assert torch.equal(scores.values[kept], whole.values[kept])
    assert scores.values[[1, 4]].isnan().all()
    assert [n for n, reason in enumerate(scores.reasons) if reason] == [1, 4]
    assert "constant" in scores.reasons[1]
    assert "NaN" in scores.reasons[4]


def test_a_class_without_probability_has_no_relative_drop_and_a_sure_one_no_gain(batch: Explained) -> None:
    class Sure(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[1000.0, -1000.0]]).expand(len(images), 2)

    sure = replace(batch, model=Sure().eval(), targets=torch.arange(N) % 2)
    drop, gain = AverageDrop()(sure), AverageGain()(sure)
    assert [bool(value) for value in drop.values.isnan()] == [bool(n % 2) for n in range(N)]
    assert [bool(value) for value in gain.values.isnan()] == [not n % 2 for n in range(N)]
    assert drop.reasons[1] == "p(target) is 0"
    assert gain.reasons[0] == "p(target) is 1"


class NanBelow(nn.Module):
    """A model whose logits are NaN for images whose largest number is below a bound."""

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound = bound

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        most = images.flatten(1).amax(dim=1, keepdim=True)
        return torch.where(most < self.bound, torch.nan, torch.cat([most, -most], dim=1))


@pytest.mark.parametrize("metric", [AverageDrop(), AverageDrop(relative=False), AverageIncrease(), AverageGain()])
def test_a_nan_score_has_its_reason(metric: Metric) -> None:
    image = torch.zeros(1, 3, 2, 2)
    image[0, 0] = torch.tensor([[4.0, 3], [2, 1]])
    images, maps = torch.cat([image, image, image / 4]), torch.stack([image[0, 0], -image[0, 0], image[0, 0]])
    scores = metric(Explained(NanBelow(2).eval(), images, torch.tensor([0, 0, 0]), maps, None, lambda *_: maps))
    assert scores.values.isnan().tolist() == [False, True, True]  # of neither, of the masked image, of both
    assert list(scores.reasons) == ["", NAN_SCORE, NAN_SCORE]


def test_an_infinite_map_is_not_called_constant(batch: Explained) -> None:
    maps = batch.maps.clone()
    maps[0, 0, 0] = torch.inf
    assert AverageDrop()(replace(batch, maps=maps)).reasons[0] == INFINITE


def test_a_small_map_is_scaled_for_a_model_of_half_precision(batch: Explained) -> None:
    images = batch.images.half()
    seen = [
        explanation_images(replace(batch, images=images, maps=batch.maps * factor)) for factor in (1.0, 1e-20, 1e20)
    ]
    assert [reasons for _, reasons in seen] == [[""] * N] * 3
    for other, _ in seen[1:]:
        assert torch.allclose(other.float(), seen[0][0].float(), atol=2e-3)
