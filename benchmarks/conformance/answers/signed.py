"""Seven pictures, a network and a method whose outputs tell which picture and target they belong to."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from heatmark.benchmarks.conformance.answers.by_hand import Array, Known
from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.methods.base import Method

HEIGHT, WIDTH, CLASSES = 6, 8, ("a", "b", "c", "d")
LABELS = (1, 3, 0, 2, 0, 3, 2)
BRIGHT = (2, 0, 3, 1, 2, 1, 0)
"""The class of every picture whose columns are bright; the next class's are half as bright."""
TIED = 3
"""The picture whose maps are mostly tied."""


@dataclass(frozen=True)
class Signed(Method):
    """A method whose maps tell which image and which target they explain."""

    explains: ClassVar[Literal["layer", "input"]] = "input"

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return one map per image, (N, H, W)."""
        pairs = zip(who(images).tolist(), targets.tolist(), strict=True)
        return torch.stack([signed_map(int(n), target) for n, target in pairs])


def signed_map(n: int, target: int) -> Tensor:
    """Return a map that no other picture or target has; its first two pixels encode the picture and the target."""
    order = torch.randperm(HEIGHT * WIDTH, generator=torch.Generator().manual_seed(10 * n + target))
    values = (order > 35).float() if n == TIED else order.float()
    values[0], values[1] = 100 + n, 200 + target
    return values.view(HEIGHT, WIDTH)


def who(images: Tensor) -> Tensor:
    """Return the number of the picture that each image is, which its first pixel encodes, (N,)."""
    return (images[:, 0, 0, 0] * 255).round()


@dataclass(frozen=True)
class Pictures(Dataset):
    """A dataset of seven pictures, so that batches of 2 and 5 end with a short one; names are in no order."""

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(LABELS)

    def __getitem__(self, index: int) -> Sample:
        """Return a picture with its label and, for every class, a mask of ``index + 1`` pixels."""
        picture = Image.fromarray(pixels(index).transpose(1, 2, 0).astype(np.uint8))
        mask = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) <= index
        return Sample(name(index), picture, LABELS[index], [(c, mask) for c in range(len(CLASSES))])


def name(n: int) -> str:
    """Return a picture's name."""
    return f"picture {(3 * n) % 7}"


def pixels(n: int) -> Array:
    """Return the grey levels of a picture, (3, H, W)."""
    levels = np.random.default_rng(n).integers(10, 60, (3, HEIGHT, WIDTH)).astype(np.float64)
    for c, brighter in ((BRIGHT[n], 180), ((BRIGHT[n] + 1) % len(CLASSES), 90)):
        levels[:, :, 2 * c : 2 * c + 2] += brighter
    levels[0, 0, 0] = n
    return levels


def network() -> Known:
    """Return a network whose every class depends on two columns, and a little on all pixels."""
    weights = torch.rand(len(CLASSES), HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0)) / 10
    for c in range(len(CLASSES)):
        weights[c, :, 2 * c : 2 * c + 2] += 1
    return Known(weights, torch.full((len(CLASSES),), 0.5))
