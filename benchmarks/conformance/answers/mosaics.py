"""Known answers on mosaics: relevance inside of a cell by hand, and on networks that see each cell by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.answers.answer import answer
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.data.mosaic import cell_mask
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.disconnected import disconnected
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.common.resize import upsample
from heatmark.methods.base import Method
from heatmark.methods.engine.capture import activations_at
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.metrics.base import Explained
from heatmark.metrics.grid_pointing_game import GridPointingGame

SIDE, CELL, CLASSES = 2, 16, 3


@dataclass(frozen=True)
class Gradient(Method):
    """The magnitude of the gradient at the input, summed over colours."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Return maps (N, H, W)."""
        leaves = images.detach().clone().requires_grad_()
        with torch.enable_grad():
            logits = model(leaves).gather(1, targets[:, None]).sum()
        (gradients,) = torch.autograd.grad(logits, leaves)
        return gradients.abs().sum(dim=1)


def mosaic_answers() -> Iterator[Finding]:
    """Yield the answers of all parts."""
    yield from _by_hand()
    yield from _disconnected()
    yield from _bleeding()


def _score(maps: Tensor, cell: int, metric: GridPointingGame) -> Tensor:
    size = (maps.shape[2], maps.shape[1])
    masks = torch.from_numpy(cell_mask(size, SIDE, cell)).expand(len(maps), -1, -1)
    images, targets = torch.zeros(len(maps), 3, *maps.shape[1:]), torch.zeros(len(maps), dtype=torch.int64)
    return metric(Explained(nn.Identity(), images, targets, maps, masks, lambda *_: maps)).values


def _by_hand() -> Iterator[Finding]:
    """Yield shares by hand: 3 of 4 in a cell, chance, and a map without positive relevance under both protocols."""
    maps = torch.tensor([[[1.0, 3.0], [-4.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]], [[-1.0, -1.0], [0.0, 0.0]]])
    for preset, right in (("heatmark-1", (0.75, 0.25, nan)), ("rao-2022", (0.75, 0.25, 0.0))):
        values = _score(maps, 1, GridPointingGame(preset=preset)).tolist()
        for n, (got, expected) in enumerate(zip(values, right, strict=True)):
            yield answer("grid_pointing_game", f"{preset}_{n}", got, expected)


def _classifier() -> Classifier:
    """Return a network whose layers see across borders between cells, if its input holds several."""
    generator = torch.Generator().manual_seed(0)  # with which every class has positive relevance
    network = nn.Sequential(
        nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(4), nn.Conv2d(8, 6, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES),
    )  # fmt: skip
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.4, generator=generator)
    return Classifier("net", network.eval(), "own", Preprocessing(None, None), {"last": "4"}, ["a", "b", "c"])


def _disconnected() -> Iterator[Finding]:
    """Yield scores of methods on a disconnected network: 1 where a map has no relevance outside, else what is right.

    Grad-CAM weighs channels with the mean gradient, and has relevance in all cells: the share of Σ relu(Σ_k w_k A_k)
    in the cell, with w and A of the network on each cell.
    """
    alone, whole = _classifier(), disconnected(_classifier(), SIDE)
    images = torch.randn(3, 3, SIDE * CELL, SIDE * CELL, generator=torch.Generator().manual_seed(4))
    cell, layer = 2, whole.layers["last"]
    named = torch.tensor([whole.class_index(f"{name} in cell {cell}") for name in "abc"])
    for name, method in (("gradient", Gradient()), ("layer_cam", LayerCAM()), ("hires_cam", HiResCAM())):
        values = _score(method(whole.module, images, named, layer), cell, GridPointingGame())
        for n, got in enumerate(values.tolist()):
            yield answer("disconnected", f"{name}_{n}", got, 1.0, 1e-6)
    values = _score(GradCAM()(whole.module, images, named, layer), cell, GridPointingGame())
    for n, got in enumerate(values.tolist()):
        yield answer("disconnected", f"grad_cam_{n}", got, _grad_cam_share(alone, images[n], n, cell), 1e-5)


def _grad_cam_share(classifier: Classifier, image: Tensor, target: int, cell: int) -> float:
    """Return the share of Grad-CAM's relevance in a cell, from the network on each cell."""
    cells = [image[:, row : row + CELL, column : column + CELL] for row in (0, CELL) for column in (0, CELL)]
    activations = [activations_at(classifier.module, part[None], "4")[0] for part in cells]
    weights = classifier.module.get_parameter("7.weight")[target].detach()  # the head's, after a mean over the map
    relevance = [float(torch.einsum("k,khw->hw", weights, each).relu().sum()) for each in activations]
    return relevance[cell] / sum(relevance)


def _bleeding() -> Iterator[Finding]:
    """Yield how much a map of one cell bleeds over its borders when it is upsampled.

    A map of h × h points, of which one corner cell of 2 × 2 is 1 and all others 0, grows s-fold by bilinear
    interpolation. In each direction a share 1 / (8 · h / 2) crosses the border, for even s, so that
    (1 − 1 / (4 h))² stays.
    """
    for points in (2, 4, 14):
        coarse = torch.zeros(1, points, points)
        coarse[:, : points // 2, : points // 2] = 1
        (got,) = _score(upsample(coarse, (points * 8, points * 8)), 0, GridPointingGame()).tolist()
        yield answer("upsample", f"bleeds_{points}_points", got, (1 - 1 / (4 * points)) ** 2, 1e-6)
