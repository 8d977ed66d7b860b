"""Our infidelity and Captum's on a network of torchvision, given the same perturbations."""

import pytest
import torch
import torchvision

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.perturbations import Perturbing
from heatmark.metrics.external import captum_metrics
from heatmark.metrics.infidelity import Infidelity

SAMPLES = 6


@pytest.fixture(scope="module")
def batch() -> Explained:
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None, num_classes=10).eval()
    images = torch.randn(2, 3, 64, 64)
    maps = torch.randn(2, 64, 64) / 64**2
    normalisation = torch.full((3,), 0.45), torch.full((3,), 0.25)
    return Explained(model, images, torch.tensor([3, 7]), maps, None, lambda *_: maps, normalisation=normalisation)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("score", ["probability", "logit"])
@pytest.mark.parametrize(("name", "size"), [("gaussian", 0.3), ("noisy_baseline", 0.2), ("square", 0.4)])
def test_given_the_same_perturbations_it_is_captums(
    batch: Explained, name: str, size: float, score: str, scaled: bool
) -> None:
    ours = Infidelity("captum-0.9", name, size, "black", SAMPLES, scaled, score)(batch).values
    drawn = list(Perturbing(name, size, "black", SAMPLES).drawn(batch))
    shape = (2, SAMPLES + 1, 3, 64, 64)
    weights, pictures = (torch.stack([each[k].expand(shape[2:]) for each in drawn]).view(shape)[:, 1:] for k in (2, 3))
    theirs = captum_metrics.infidelity(batch, weights, pictures, normalize=scaled, softmax=score == "probability").sum
    assert theirs is not None
    assert (theirs > 1e-9).all()
    assert torch.allclose(ours, theirs.double(), rtol=1e-5, atol=1e-5)
    assert float((ours / theirs - 1).abs().max()) < 1e-2, "sizes differ, not by their rounding alone"
