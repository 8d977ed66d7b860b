"""Our deletion and insertion under torch-cam-0.5, and torch-cam's own metric, executed on the same maps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.insertion import Insertion

metrics = pytest.importorskip("torchcam.metrics", reason="torch-cam is not installed")
if not hasattr(metrics, "DeletionInsertionMetric"):
    pytest.skip("torch-cam before 0.5 has no deletion", allow_module_level=True)


class GivenMap:
    """An extractor that gives a map that is there already."""

    def __init__(self, model: nn.Module, maps: Tensor) -> None:
        self.model, self.maps = model, maps

    def __call__(self, *_: Any, **__: Any) -> list[Tensor]:
        return [self.maps]

    def fuse_cams(self, cams: list[Tensor]) -> Tensor:
        return cams[0]

    @contextmanager
    def _hooks_off(self) -> Iterator[None]:
        yield


def theirs(batch: Explained, n: int, **options: Any) -> tuple[float, float]:
    """Return torch-cam's areas of one image, because its summary is a mean over images."""
    metric = metrics.DeletionInsertionMetric(GivenMap(batch.model, batch.maps[n : n + 1]), **options)
    metric.update(batch.images[n : n + 1], int(batch.targets[n]))
    found = metric.summary()
    return found["deletion_auc"], found["insertion_auc"]


@pytest.fixture(scope="module")
def batch() -> Explained:
    """A ResNet-18 with a sharp random head; half of the first map ties, as in every CAM."""
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    model = models.resnet18(weights=None, num_classes=10).eval()
    nn.init.normal_(model.fc.weight, std=0.5)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(3, 3, 41, 48, generator=generator)
    maps = torch.nn.functional.interpolate(torch.randn(3, 1, 7, 7, generator=generator), (41, 48), mode="bilinear")[
        :, 0
    ]
    maps[0] = maps[0].relu()
    with torch.no_grad():
        targets = model(images).argmax(1)
    return Explained(model, images, targets, maps, None, lambda *_: maps)


@pytest.mark.parametrize("softmax", [False, True])
def test_areas_are_torch_cams(batch: Explained, softmax: bool) -> None:
    score, function = ("probability", lambda logits: logits.softmax(-1)) if softmax else ("logit", None)
    expected = torch.tensor([theirs(batch, n, logits_fn=function) for n in range(3)])
    ours = [cls(preset="torch-cam-0.5", score=score)(batch).values for cls in (Deletion, Insertion)]
    assert torch.allclose(torch.stack(ours, dim=1), expected, atol=1e-5)
    assert expected.std() > 0.01


def test_it_is_the_chunks_that_make_them_equal(batch: Explained) -> None:
    """With 20 steps of equal length, 1968 pixels are cut elsewhere, and the areas differ by more than rounding."""
    expected = torch.tensor([theirs(batch, n)[0] for n in range(3)])
    ours = Deletion(preset="torch-cam-0.5", steps=19, counting="nearest")(batch).values
    assert (ours - expected).abs().max() > 1e-4
