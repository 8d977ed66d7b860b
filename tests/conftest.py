"""Tiny networks with random weights, one of each kind on which the methods must be right."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor, nn
from torch.nn import functional as F

# On a busy machine an example may take as long as it likes.
settings.register_profile("heatmark", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("heatmark")


class GapLinear(nn.Module):
    """Convolutions, global average pooling, one linear layer: y_k = b_k + Σ_c w_kc mean(A_c)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 5, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.fc = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean(dim=(2, 3)))


class InPlace(nn.Module):
    """As VGG: every convolution is followed by an in-place ReLU; a nonlinear head."""

    def __init__(self, inplace: bool = True) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.ReLU(inplace),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 5, 3, padding=1),
            nn.ReLU(inplace),
        )
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(45, 8), nn.ReLU(inplace), nn.Dropout(), nn.Linear(8, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


class Block(nn.Module):
    """As ResNet's: a skip that is added in place, one ReLU module used twice."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Conv2d(channels, out, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(self.relu(self.conv1(x)))
        out += self.downsample(x)
        return self.relu(out)


class Residual(nn.Module):
    """Two residual blocks with functional steps between the modules."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.block1 = Block(6, 5)
        self.block2 = Block(5, 7)
        self.fc = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(2 * x))
        early = self.block1(x)
        late = self.block2(early)
        return self.fc(torch.cat([early.mean(dim=(2, 3)), late.mean(dim=(2, 3))], dim=1))


class PreActivation(nn.Module):
    """An in-place ReLU overwrites what the skip holds: the skip hands on the activated tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 5, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(5, 5, 3, padding=1)
        self.fc = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.fc((self.conv(self.relu(x)) + x).mean(dim=(2, 3)))


class Tokens(nn.Module):
    """A transformer on any image of 4-pixel patches: a class token before the patch tokens."""

    def __init__(self, class_tokens: int = 1) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.class_tokens = nn.Parameter(torch.randn(1, class_tokens, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.mixing = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_tokens.expand(len(x), -1, -1), tokens], dim=1)
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        tokens = self.norm(tokens)
        tokens = tokens + self.mixing(tokens, tokens, tokens, need_weights=False)[0]
        return self.fc(tokens[:, 0])


KINDS = {kind.__name__: kind for kind in (GapLinear, InPlace, Residual, PreActivation, Tokens)}


@pytest.fixture(scope="session")
def network() -> Callable[..., nn.Module]:
    """Build a network by its kind, in float64 and evaluation mode, with the same random weights every time."""

    def build(kind: str, **options: object) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = KINDS[kind](**options).double()
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.running_mean.normal_()
                    module.running_var.uniform_(0.5, 2)
        return model.eval()

    return build


@pytest.fixture(scope="session")
def batch() -> tuple[Tensor, Tensor]:
    """Three images of 12 × 16 pixels, not square on purpose, and a target each."""
    images = torch.randn(3, 3, 12, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return images, torch.tensor([2, 0, 3])


def _bytes(tensor: Tensor | None) -> bytes | None:
    return None if tensor is None else tensor.detach().numpy().tobytes()


@pytest.fixture(scope="session")
def state_of() -> Callable[..., object]:
    """Take down all that a method could leave behind on a model, its images and the process."""

    def state(model: nn.Module, images: Tensor) -> object:
        return (
            [
                (
                    name,
                    id(m),
                    m.training,
                    sorted(vars(m)),
                    len(m._forward_hooks),
                    len(m._forward_pre_hooks),
                    len(m._backward_hooks),
                )
                for name, m in model.named_modules()
            ],
            [(name, id(p), p.requires_grad, _bytes(p), _bytes(p.grad)) for name, p in model.named_parameters()],
            [(name, _bytes(buffer)) for name, buffer in model.named_buffers()],
            (_bytes(images), images.requires_grad, _bytes(images.grad)),
            (_bytes(torch.get_rng_state()), torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        )

    return state
