"""Small models, images and targets for the tests of the adapters, and a builder of methods from their yamls."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn
from torchvision.models import VisionTransformer

CONF = Path(__file__).parents[3] / "conf" / "method"


def small_net() -> nn.Sequential:
    """Convolutions whose successors run in place, as in VGG; layer ``3`` is followed by such a ReLU."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 5),
    ).eval()


def small_vit() -> VisionTransformer:
    torch.manual_seed(0)
    vit = VisionTransformer(
        image_size=24, patch_size=4, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=5
    )
    nn.init.normal_(vit.heads.head.weight, std=0.5)
    return vit.eval()


@pytest.fixture
def net() -> nn.Sequential:
    return small_net()


@pytest.fixture
def vit() -> VisionTransformer:
    return small_vit()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 24, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def targets() -> Tensor:
    return torch.tensor([1, 4, 2])


@pytest.fixture
def method() -> Callable[..., Any]:
    """Return the method of a yaml file, as Hydra would build it, with fewer samples where that only saves time."""

    def build(name: str, **overrides: object) -> Any:
        options = yaml.safe_load((CONF / f"{name}.yaml").read_text())[name]
        module, _, kind = options.pop("_target_").rpartition(".")
        options = {key: 0 if value == "${seed}" else value for key, value in options.items()}
        cheap = {"n_samples": 8, "n_steps": 6, "n_superpixels": 6, "window": 8, "stride": 6}
        options |= {key: value for key, value in cheap.items() if key in options}
        return getattr(import_module(module), kind)(**options | overrides)

    return build
