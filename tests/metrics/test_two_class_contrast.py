"""Two-class contrast: which class is compared, against SciPy and NumPy, class-blind maps, and undefined values."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.other_class import cosine
from heatmark.metrics.engine.per_image import NOT_FINITE
from heatmark.metrics.engine.similarity import CONSTANT, NAN
from heatmark.metrics.two_class_contrast import TwoClassContrast


class Table(nn.Module):
    """A network whose logits are the first pixels of an image."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0].flatten(1)[:, : self.classes]


def maps_of(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return a map of its own for each image and class."""
    return torch.stack(
        [image[1] * (target + 1) + image[2] ** 2 for image, target in zip(images, targets.tolist(), strict=True)]
    )


@pytest.fixture
def batch() -> Explained:
    images = torch.randn(6, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    images[:, 0, 0, :4] = torch.tensor([3.0, 7.0, 5.0, 1.0])
    targets = torch.tensor([0, 1, 2, 3, 1, 1])
    return Explained(Table(), images, targets, maps_of(Table(), images, targets), None, maps_of)


def test_the_other_class_is_the_best_but_the_target(batch: Explained) -> None:
    assert TwoClassContrast().others(batch).tolist() == [1, 2, 1, 1, 2, 2]


@pytest.mark.parametrize("similarity", ["spearman", "cosine"])
def test_against_scipy_and_numpy(batch: Explained, similarity: str) -> None:
    others = maps_of(batch.model, batch.images, torch.tensor([1, 2, 1, 1, 2, 2])).double().numpy()
    pairs = [(a.ravel(), b.ravel()) for a, b in zip(batch.maps.double().numpy(), others, strict=True)]
    expected = {
        "spearman": [stats.spearmanr(a, b).statistic for a, b in pairs],
        "cosine": [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs],
    }[similarity]
    assert TwoClassContrast(similarity)(batch).values.numpy() == pytest.approx(np.array(expected), abs=1e-12)


@pytest.mark.parametrize("similarity", ["spearman", "cosine"])
def test_a_method_blind_to_the_class_has_one(batch: Explained, similarity: str) -> None:
    blind = Explained(
        batch.model, batch.images, batch.targets, batch.images[:, 1], None, lambda model, images, targets: images[:, 1]
    )
    assert TwoClassContrast(similarity)(blind).values.numpy() == pytest.approx(np.ones(6), abs=1e-12)


@pytest.mark.parametrize("similarity", ["spearman", "cosine"])
def test_maps_without_an_order_have_a_reason(batch: Explained, similarity: str) -> None:
    maps = batch.maps.clone()
    maps[0], maps[1, 0, 0], maps[2] = 2.0, torch.nan, 0.0
    marred = Explained(batch.model, batch.images, batch.targets, maps, None, batch.explain)
    scores = TwoClassContrast(similarity)(marred)
    assert scores.values[:3].isnan().all()
    assert scores.values[3:].isfinite().all()
    assert scores.reasons == [CONSTANT, NAN, CONSTANT, "", "", ""]


def test_a_cosine_with_infinity_is_undefined_and_one_of_large_numbers_is_not(batch: Explained) -> None:
    maps = batch.maps.clone()
    maps[0, 0, 0] = torch.inf
    scores = TwoClassContrast("cosine")(Explained(batch.model, batch.images, batch.targets, maps, None, batch.explain))
    assert scores.reasons[0] == NOT_FINITE
    large = torch.tensor([[[1e300, -1e300]]], dtype=torch.float64)
    assert cosine(large, -large).tolist() == pytest.approx([-1])


def test_one_class_and_a_wrong_name_are_refused(batch: Explained) -> None:
    single = Explained(Table(1), batch.images, batch.targets * 0, batch.maps, None, maps_of)
    with pytest.raises(ValueError, match="the model has 1 class"):
        TwoClassContrast()(single)
    with pytest.raises(ValueError, match="spearman"):
        TwoClassContrast("spaerman")  # type: ignore[arg-type]
