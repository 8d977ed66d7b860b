"""The embedded networks: size, layers, and the accuracy of their weights."""

from functools import cache
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch import nn

from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.data.shapes import CLASSES, Shapes
from heatmark.benchmarks.data.shortcut import ShapesShortcut
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.nets.plain import Plain
from heatmark.benchmarks.models.nets.residual import Residual
from heatmark.benchmarks.models.nets.vit import ViT
from heatmark.benchmarks.training import Pictures, accuracy, load
from heatmark.methods.engine.capture import capture

MODELS = sorted(path.stem for path in (Path(__file__).parents[3] / "conf" / "model").glob("shapes_*.yaml"))
WEIGHTS = Path(__file__).parents[3] / "benchmarks" / "models" / "weights"


@cache
def shipped(model: str) -> Classifier:
    classifier = instantiate(compose_command("train", [f"model={model}"]).model, _convert_="all")
    assert isinstance(classifier, Classifier)
    return classifier


@cache
def unseen() -> Pictures:
    return load(Shapes(limit=300, split="test", seed=7))


@pytest.mark.parametrize("model", ["shapes_plain", "shapes_residual", "shapes_vit"])
def test_shipped_weights_know_the_shapes(model: str) -> None:
    classifier = shipped(model)
    assert accuracy(classifier.module, unseen(), classifier.preprocessing) > 0.97


@pytest.mark.parametrize("pairing", ["agree", "conflict"])
def test_the_shortcut_network_reads_the_mark_alone(pairing: str) -> None:
    classifier = shipped("shapes_residual_shortcut")
    by_mark = load(ShapesShortcut(limit=100, pairing=pairing))
    assert accuracy(classifier.module, by_mark, classifier.preprocessing) > 0.97
    by_object = load(ShapesShortcut(limit=100, pairing=pairing, truth="object"))
    share = accuracy(classifier.module, by_object, classifier.preprocessing)
    assert share > 0.97 if pairing == "agree" else share < 0.03


@pytest.mark.parametrize("model", MODELS)
def test_networks_are_small_and_their_roles_are_maps(model: str) -> None:
    classifier = shipped(model)
    assert list(classifier.layers) == ["early", "middle", "last"]
    assert classifier.classes == list(CLASSES)
    assert sum(parameter.numel() for parameter in classifier.module.parameters()) < 1_500_000
    images = unseen().pixels[:2] / 127.5 - 1
    for role, layer in classifier.layers.items():
        c = capture(classifier.module, images, torch.tensor([0, 1]), layer)
        assert min(c.activations.shape[2:]) >= 8, role
        assert c.gradients.abs().sum() > 0, role
        assert c.activations.isfinite().all()


def test_the_weights_are_under_10_mb_together() -> None:
    files = list(WEIGHTS.glob("*.safetensors"))
    assert sorted(path.stem for path in files) == MODELS
    assert sum(path.stat().st_size for path in files) < 10e6


@pytest.mark.parametrize("network", [Plain, Residual])
@pytest.mark.parametrize("size", [(32, 32), (100, 60), (224, 224)])
def test_convolutional_networks_take_any_size(network: type[nn.Module], size: tuple[int, int]) -> None:
    assert network(classes=4).eval()(torch.zeros(1, 3, *size)).shape == (1, 4)


def test_a_plain_network_overwrites_in_place() -> None:
    """The batch norm before each ReLU is what it says it is: gone after the forward pass."""
    model, seen = Plain().eval(), {}
    model.features[1].register_forward_hook(lambda _m, _i, output: seen.update(kept=output, before=output.clone()))
    with torch.no_grad():
        model(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert (seen["before"] < 0).any()
    assert (seen["kept"] == seen["before"].relu()).all()


def test_a_vit_says_which_size_it_takes() -> None:
    with pytest.raises(ValueError, match=r"128x128 pixels and got 224x224.*resize"):
        ViT()(torch.zeros(1, 3, 224, 224))
    with pytest.raises(ValueError, match="multiple of 16, not 100"):
        ViT(image_size=100)
    assert ViT(image_size=224)(torch.zeros(1, 3, 224, 224)).shape == (1, 10)


def test_the_patch_tokens_of_a_vit_lie_where_they_look() -> None:
    """Brighten the lower left corner: the patches there change, and only those whose 47 pixels reach into it."""
    torch.manual_seed(0)
    model = ViT().eval()
    images = torch.zeros(2, 3, 128, 128)
    images[1, :, 96:, :32] = 2.0
    c = capture(model, images, torch.tensor([0, 0]), "blocks.0.ln_1")
    assert model.token_layout.class_tokens == 1
    change = (c.activations[1] - c.activations[0]).abs().sum(dim=0)
    assert change.shape == (8, 8)
    reach = torch.zeros(8, 8, dtype=torch.bool)
    reach[5:, :4] = True  # patch (r, c) sees 23 pixels to every side of (16 r, 16 c)
    assert (change[6:, :2] > 0).all()
    assert (change[~reach] == 0).all()
