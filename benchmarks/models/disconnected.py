"""Disconnected networks: a network that runs on every cell of a mosaic by itself (DiFull)."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

from torch import Tensor, nn

from heatmark.benchmarks.data.mosaic import in_cell
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import resolve_layer


class Disconnected(nn.Module):
    """A network of n² · C logits on mosaics, of which logit c · n² + i is that of class c on cell i alone.

    No pixel outside cell i influences its logits, so that all relevance of a class in it lies in the cell, whatever the
    network and the picture: the exact answer to the grid pointing game. This is DiFull of Rao et al., "Towards Better
    Understanding Attribution Methods", CVPR 2022, section 3.1; their code runs the network on one cell at a time.

    A layer of the network sees n² cells per mosaic. :class:`Whole` layers join its output, for maps at that layer.

    Args:
        network: from images (N, 3, H, W) to logits (N, C).
        side: n, the number of cells per side, at least 1.
    """

    def __init__(self, network: nn.Module, side: int = 2) -> None:
        super().__init__()
        self.network, self.side = network, side

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C · n²) of mosaics (N, 3, n·H, n·W)."""
        logits: Tensor = self.network(cut(images, self.side))
        return logits.view(len(images), self.side**2, -1).transpose(1, 2).flatten(1)


class Whole(nn.Module):
    """A layer of a disconnected network, whose submodule ``whole`` has the layer's output over the whole mosaic.

    Args:
        layer: the layer, whose output is (N·n², C, h, w).
        side: n, the number of cells per side.
    """

    def __init__(self, layer: nn.Module, side: int) -> None:
        super().__init__()
        self.layer, self.whole, self.side = layer, nn.Identity(), side

    def forward(self, cells: Tensor) -> Tensor:
        """Return the layer's output.

        Raises:
            ValueError: where it is no map (N·n², C, h, w), such as tokens.
        """
        features: Tensor = self.layer(cells)
        if features.ndim != 4:
            raise ValueError(
                f"a layer of a disconnected network gives {tuple(features.shape)}, expected a map (N, C, h, w); name "
                "another one"
            )
        return cut(self.whole(join(features, self.side)), self.side)


def cut(images: Tensor, side: int) -> Tensor:
    """Return the cells (N·n², C, H, W), row by row, of mosaics (N, C, n·H, n·W).

    Raises:
        ValueError: where n does not divide height and width.
    """
    count, channels, height, width = images.shape
    if height % side or width % side:
        raise ValueError(f"images of {height}×{width} pixels have no {side} × {side} cells of equal size")
    parts = images.reshape(count, channels, side, height // side, side, width // side)
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, height // side, width // side)


def join(cells: Tensor, side: int) -> Tensor:
    """Return mosaics (N, C, n·h, n·w) of their cells (N·n², C, h, w), row by row."""
    _, channels, height, width = cells.shape
    parts = cells.reshape(-1, side, side, channels, height, width).permute(0, 3, 1, 4, 2, 5)
    return parts.reshape(-1, channels, side * height, side * width)


def disconnected(classifier: Classifier, side: int = 2, name: str | None = None) -> Classifier:
    """Return a classifier of mosaics whose every logit sees one cell alone; see :class:`Disconnected`.

    The network is copied. Its layers by role are those of the classifier, over the whole mosaic; a network with a
    ``token_layout`` has none, and is explained at the input alone. Class c in cell i is the class
    ``"NAME in cell i"``, as the labels of ``mosaic(…, heads=true)`` are.

    Args:
        classifier: a classifier of one picture.
        side: n, the number of cells per side.
        name: in the tables; None adds the number of cells to the classifier's.

    Raises:
        ValueError: for a side below 1, or a preprocessing that resizes or crops: a mosaic's cells are cut after it.
    """
    if side < 1:
        raise ValueError(f"side is {side}, expected at least 1 cell")
    if classifier.preprocessing.resize is not None or classifier.preprocessing.crop is not None:
        raise ValueError(
            f"{classifier.name} resizes or crops pictures, so that a mosaic's cells would not be where they are; give "
            "preprocessing {resize: null, crop: null}, and the size of the cells to the dataset"
        )
    network = deepcopy(classifier.module)
    roles = {} if hasattr(network, "token_layout") else classifier.layers
    layers = _whole(network, {role: resolve_layer(classifier, layer) for role, layer in roles.items()}, side)
    return replace(
        classifier,
        name=name or f"{classifier.name}_disconnected_{side}x{side}",
        module=Disconnected(network, side).eval(),
        layers=layers,
        classes=[in_cell(each, cell) for each in classifier.classes for cell in range(side**2)],
        options={**classifier.options, "side": side},
    )


def _whole(network: nn.Module, layers: Mapping[str, str], side: int) -> dict[str, str]:
    """Replace layers of a network by :class:`Whole` ones; return the name of each role's whole output from outside."""
    made = {}
    for layer in sorted(set(layers.values()), key=lambda name: -name.count(".")):  # those within others first
        made[layer] = Whole(network.get_submodule(layer), side)
        parent, _, own = layer.rpartition(".")
        setattr(network.get_submodule(parent), own, made[layer])
    names = {module: name for name, module in network.named_modules()}
    return {role: f"network.{names[made[layer]]}.whole" for role, layer in layers.items()}
