"""Small networks on which a wrong guess about a layer's output, or about what follows the layer, shows in the map."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.checked_layer import CheckedLayer
from heatmark.common.features import TokenLayout


class Convolutions(nn.Module):
    """A network of convolutions, whose channels × rows (6 × 8) have the aspect of pictures of 15 × 20 pixels exactly.

    Rows × columns (8 × 10) have it only nearly, because a side is odd. A skip connection bypasses ``inner``, and a ReLU
    overwrites the output of ``inner``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.Softplus())
        self.inner = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6))
        self.relu = nn.ReLU(inplace=True)
        self.outer = nn.Conv2d(6, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        stem = self.stem(images)
        features = nn.functional.gelu(stem + self.outer(self.relu(self.inner(stem))))
        logits: Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


class SaidConvolutions(Convolutions):
    """The same network with a ``token_layout`` that gives the dimension of its channels."""

    token_layout = TokenLayout(channels_last=False)


class ChannelsLast(nn.Module):
    """A network with channels last, whose columns × channels (8 × 12) have the aspect of 10 × 15 pixels exactly."""

    token_layout: TokenLayout | None = TokenLayout(channels_last=True)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, stride=2, padding=1)
        self.block = nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 12), nn.GELU())
        self.mixed = nn.Conv2d(12, 12, 3, padding=1)
        self.fc = nn.Linear(12, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        features = self.block(self.stem(images).permute(0, 2, 3, 1))
        mixed = self.mixed(features.permute(0, 3, 1, 2)).relu()
        logits: Tensor = self.fc(mixed.mean(dim=(2, 3)))
        return logits


class SilentChannelsLast(ChannelsLast):
    """The same network without a ``token_layout``."""

    token_layout = None


class Encoder(nn.Module):
    """PyTorch's transformer encoder on patches of 4 pixels, which skips its submodules where no graph is recorded.

    A method that replaces the features of a submodule must make sure that they reach the logits.
    """

    token_layout = TokenLayout(class_tokens=1)

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.class_token = nn.Parameter(torch.randn(1, 1, 8))
        block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.fc = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = self.encoder(torch.cat([self.class_token.expand(len(images), -1, -1), tokens], dim=1))
        logits: Tensor = self.fc(tokens.mean(dim=1))
        return logits


class Flattened(nn.Module):
    """A network whose ``flat`` gives (N, C, places); its 16 channels could be taken for a square grid of tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Softplus())
        self.flat = nn.Flatten(2)
        self.fc = nn.Linear(16, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        logits: Tensor = self.fc(self.flat(self.features(images)).amax(dim=2))
        return logits


class Block(nn.Module):
    """A block whose output is more than that of its last submodule."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 6, H, W)."""
        one = self.one(images)
        features: Tensor = torch.tanh(self.two(one)) + one
        return features


class Bypass(nn.Module):
    """A network that uses the picture, and the output of the block before the layer, again after the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.layer, self.fc = Block(), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        before = self.before(images)
        features = torch.tanh(self.layer(before)) * images.mean(dim=1, keepdim=True) + before.sigmoid()
        logits: Tensor = self.fc(features.square().mean(dim=(2, 3)))
        return logits


class Overwriting(Bypass):
    """The same network, but it overwrites the block's output, so that a stored output would be wrong."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        before = self.before(images)
        before += 0.5
        features = torch.tanh(self.layer(before)) * images.mean(dim=1, keepdim=True) + before.sigmoid()
        logits: Tensor = self.fc(features.square().mean(dim=(2, 3)))
        return logits


@dataclass(frozen=True)
class Trap:
    """A network on which wrong guesses show, the size of picture at which they do, and the layers that are checked."""

    name: str
    build: Callable[[], nn.Module]
    size: tuple[int, int]
    layers: tuple[str, ...]

    def checked_layers(self) -> Iterator[CheckedLayer]:
        """Yield every layer with three images, each with a class of its own, in float64."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            module = self.build().double().eval()
            _draw_statistics(module)
            images = torch.randn(3, 3, *self.size, dtype=torch.float64)
        for layer in self.layers:
            yield CheckedLayer(self.name, module, layer, images, torch.tensor([3, 0, 1]))


def _draw_statistics(module: nn.Module) -> None:
    """Draw scales, shifts and statistics of normalisations, which begin as 1 and 0 and would have no effect."""
    for part in module.modules():
        if isinstance(part, nn.LayerNorm | nn.BatchNorm2d):
            for name, tensor in part.state_dict(keep_vars=True).items():
                if name in ("weight", "running_var"):
                    tensor.data.uniform_(0.5, 2)
                elif tensor.is_floating_point():
                    tensor.data.normal_()


INSIDE = ("encoder.layers.0.norm1", "encoder.layers.0.linear2", "encoder.layers.1.norm2")
ENCODER = Trap("encoder", Encoder, (12, 16), INSIDE)
TRAPS = (
    Trap("convolutions", Convolutions, (15, 20), ("stem", "inner")),
    Trap("said convolutions", SaidConvolutions, (15, 20), ("stem",)),
    Trap("channels last", ChannelsLast, (10, 15), ("block",)),
    Trap("silent channels last", SilentChannelsLast, (10, 15), ("block", "block.0")),
    ENCODER,
    Trap("bypass", Bypass, (6, 8), ("layer", "before.one")),
    Trap("overwriting", Overwriting, (6, 8), ("layer",)),
)
FLATTENED = Trap("flattened", Flattened, (12, 12), ("flat",))
