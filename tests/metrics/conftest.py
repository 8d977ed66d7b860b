"""A model whose deletion and insertion curves have a closed form, and a builder of explained batches."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

from heatmark.metrics.base import Explained


class Additive(nn.Module):
    """Two classes; the first one's probability is the sum of weights · pixels, as softmax(log q, log(1 − q)) = q."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights
        self.images_seen = 0
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        self.images_seen += len(images)
        q = (images.mean(dim=1) * self.weights).sum(dim=(1, 2))
        return torch.stack([q, 1 - q], dim=1).clamp(0, 1).log()


def _no_explanation(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    raise NotImplementedError


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., Explained]:
    def make(
        model: nn.Module, images: Tensor, maps: Tensor, targets: Sequence[int] = (), batch_size: int = 16
    ) -> Explained:
        where = torch.tensor(targets or [0] * len(images))
        return Explained(model, images, where, maps, None, _no_explanation, batch_size=batch_size)

    return make


@pytest.fixture(scope="session")
def additive() -> type[Additive]:
    return Additive
