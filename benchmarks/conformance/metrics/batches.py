"""The maps on which metrics are compared: made so that ties, constant maps and empty masks occur."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.toy import TOY_LAYERS, toy_layer
from heatmark.metrics.base import Explained

HEIGHT, WIDTH = 6, 8
"""Of the toy network's images: not square, and not divided by 10, so that counts of steps matter."""


class Remembering(nn.Module):
    """A model that runs each picture once, alone, so that equal inputs give equal outputs whatever their batch."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._known: dict[bytes, Tensor] = {}
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Return the model's outputs, those of known images from memory."""
        return torch.cat([self._output(image[None]) for image in images])

    def _output(self, image: Tensor) -> Tensor:
        key = image.detach().cpu().numpy().tobytes()
        if key not in self._known:
            with torch.no_grad():
                self._known[key] = self.model(image)
        return self._known[key]


def input_gradient(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return maps that depend on the model and the image: Σ over channels of x · ∂ logit / ∂ x, (N, H, W)."""
    network = model.model if isinstance(model, Remembering) else model
    with torch.enable_grad():
        images = images.detach().requires_grad_()
        logits = network(images).gather(1, targets[:, None]).sum()
        (gradient,) = torch.autograd.grad(logits, images)
    return (gradient * images).sum(dim=1).detach()


class Sharpened(nn.Module):
    """A model whose logits are a hundred times another's, so that its probabilities move with the image."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return the larger logits."""
        logits: Tensor = self.model(images)
        return 100 * logits


def toy_batch() -> Explained:
    """Return three images of the toy network, with maps that are one number on two thirds of their pixels."""
    layer = toy_layer(TOY_LAYERS[-1])
    images = layer.images[..., :HEIGHT, :WIDTH].contiguous()
    noise = torch.rand(len(images), HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    masks = torch.zeros(images[:, 0].shape, dtype=torch.bool)
    masks[:, 1:4, 2:6] = True
    return Explained(
        Remembering(layer.module), images, layer.targets, (noise - 2 / 3).relu() + 0.25, masks, input_gradient
    )


def two_maxima(batch: Explained) -> Explained:
    """Return a batch whose maps have two equal maxima, one inside the mask."""
    maps = batch.maps.clone()
    maps[:, 2, 3] = maps[:, 5, 7] = 2.0
    return replace(batch, maps=maps)


def constant_maps(batch: Explained) -> Explained:
    """Return a batch of constant maps."""
    return replace(batch, maps=torch.full_like(batch.maps, 0.5))


def one_constant_map(batch: Explained) -> Explained:
    """Return a batch whose first map is constant."""
    maps = batch.maps.clone()
    maps[0] = 0.5
    return replace(batch, maps=maps)


def tied_at_the_top(batch: Explained) -> Explained:
    """Return a batch of maps whose largest values are one number."""
    return replace(batch, maps=batch.maps.clamp_max(0.3))


def with_normalisation(batch: Explained) -> Explained:
    """Return a batch whose colours are known."""
    channels = batch.images.shape[1]
    return replace(batch, normalisation=(torch.full((channels,), 0.5), torch.full((channels,), 0.25)))


def empty_masks(batch: Explained) -> Explained:
    """Return a batch whose masks are empty."""
    assert batch.masks is not None
    return replace(batch, masks=torch.zeros_like(batch.masks))


def zero_maps(batch: Explained) -> Explained:
    """Return a batch that is explained by zeros."""
    return replace(batch, maps=torch.zeros_like(batch.maps), explain=lambda _m, images, _t: images[:, 0] * 0)


def explained_by_gradient(batch: Explained) -> Explained:
    """Return a batch whose maps are those that its ``explain`` gives."""
    return replace(batch, maps=batch.explain(batch.model, batch.images, batch.targets))


def sharp_batch(batch: Explained) -> Explained:
    """Return a batch of a model whose probabilities move by tenths, explained by its gradient."""
    network = batch.model.model if isinstance(batch.model, Remembering) else batch.model
    return explained_by_gradient(replace(batch, model=Remembering(Sharpened(network))))
