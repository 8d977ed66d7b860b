"""Maps of a block's images: raw maps of all cells of a layer, which share one capture per batch where they can."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.faults import Images, broken_device, isolated
from heatmark.benchmarks.sweep.observer import SILENT, Observer, Step
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.common.batching import halving, padded, with_batch_size
from heatmark.common.digests import digest_tensor
from heatmark.common.resize import upsample
from heatmark.methods.base import Method
from heatmark.methods.engine.cam import can_share, captured, own_view


@dataclass(frozen=True)
class Batch:
    """Images of a block with the classes to explain.

    Args:
        images: (n, C, H, W) on the CPU.
        targets: (n,).
    """

    images: Tensor
    targets: Tensor

    def padded(self, which: Images, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return some of the images and their targets on a device, the last one repeated up to the batch size.

        Every forward pass then has one batch size, so that an image's numbers do not depend on how many others there
        are.
        """
        places = list(which)
        images, targets = padded(self.images[places], size), padded(self.targets[places], size)
        return images.to(device), targets.to(device)


Maps = dict[int, Tensor]
"""Raw maps (h, w), float32 on the CPU, by the image's position in its block."""
Reasons = dict[int, str]
"""Why there is no map, by the image's position."""


def explained(
    cells: Sequence[Cell],
    classifier: Classifier,
    batch: Batch,
    which: Images,
    run: RunSettings,
    observer: Observer = SILENT,
) -> dict[str, tuple[Maps, Reasons]]:
    """Return the maps of some images, by the cell's key, and why an image has none.

    Cells of one layer whose methods are functions of one capture share it, batch by batch.

    Args:
        cells: of one layer.
        classifier: the model.
        batch: the block's images and targets.
        which: positions of the images to explain.
        run: device and batch size, which is halved each time memory runs out.
        observer: is told which cells' maps are computed now.
    """
    sharing = [cell for cell in cells if can_share(cell.method)]
    found: dict[str, tuple[Maps, Reasons]] = {}
    if len(sharing) > 1 and which:
        observer.begins(Step(sharing, len(which)))
        found |= _shared(sharing, classifier, batch, which, run)
    for cell in cells:
        maps, _ = found.get(cell.key, ({}, {}))
        rest = [i for i in which if i not in maps]
        if rest:
            observer.begins(Step([cell], len(rest)))
        alone, reasons = isolated(lambda images, cell=cell: _alone(cell, classifier, batch, images, run), rest)  # type: ignore[misc]
        found[cell.key] = (maps | alone, reasons)
    return found


def _alone(cell: Cell, classifier: Classifier, batch: Batch, which: Images, run: RunSettings) -> list[Tensor]:
    """Return a cell's raw maps of some images, each (h, w).

    Raises:
        ValueError: if the method gives anything but one map per image.
    """

    def maps(size: int) -> list[Tensor]:
        method, found = with_batch_size(cell.method, size), []
        for start in range(0, len(which), size):
            part = which[start : start + size]
            images, targets = batch.padded(part, size, run.device)
            found += one_each(method(classifier.module, images, targets, cell.layer), len(images))[: len(part)]
        return found

    return halving(maps, run.batch_size)


def one_each(maps: Tensor, images: int) -> list[Tensor]:
    """Return what a method gave as one raw map (h, w) per image, on the CPU.

    Raises:
        ValueError: if it is anything but one map per image.
    """
    if maps.ndim != 3 or len(maps) != images:
        raise ValueError(f"the method gave {tuple(maps.shape)} for {images} images, expected (N, h, w)")
    return list(maps.detach().float().cpu())


def _shared(
    cells: Sequence[Cell], classifier: Classifier, batch: Batch, which: Images, run: RunSettings
) -> dict[str, tuple[Maps, Reasons]]:
    """Return maps from one capture per batch; an image is missing where anything failed, and is then tried alone."""
    found: dict[str, tuple[Maps, Reasons]] = {cell.key: ({}, {}) for cell in cells}
    methods = [cell.method for cell in cells if can_share(cell.method)]
    for start in range(0, len(which), run.batch_size):
        part = which[start : start + run.batch_size]
        images, targets = batch.padded(part, run.batch_size, run.device)
        try:
            c = captured(methods, classifier.module, images, targets, cells[0].layer)
        except Exception as error:  # every cell is tried alone, which finds the images at fault and says why
            if broken_device(error):
                raise
            continue
        for cell, method in zip(cells, methods, strict=True):
            try:
                maps = one_each(method.relevance(own_view(method, c)), len(images))
            except Exception as error:
                if broken_device(error):
                    raise
                continue
            found[cell.key][0].update(zip(part, maps[: len(part)], strict=True))
    return found


REMEMBERED_BYTES = 256 * 2**20
"""Raw maps of further images that a cell remembers in a block, at most."""


class FurtherMaps:
    """Raw maps of further images under a cell's own model, remembered for the next metric that asks for them."""

    def __init__(self) -> None:
        self._maps: dict[tuple[object, ...], Tensor] = {}

    def of(self, images: Tensor, targets: Tensor, explain: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return the maps of images, (N, h, w), computed together unless all of them are remembered."""
        rows = zip(images, targets.tolist(), strict=True)
        names = [(digest_tensor(image), target, len(images)) for image, target in rows]
        if all(name in self._maps for name in names):
            return torch.stack([self._maps[name] for name in names]).to(images.device)
        found = explain(images, targets)
        if sum(each.nbytes for each in self._maps.values()) + found.nbytes > REMEMBERED_BYTES:
            self._maps.clear()
        self._maps.update(zip(names, found.cpu(), strict=True))
        return found


@dataclass(frozen=True)
class CellMethod:
    """A cell's method for metrics that explain other images or another model: (model, images, targets) -> maps.

    Args:
        method: the cell's method.
        layer: the cell's layer, a dotted name that the other model has too.
        size: (H, W) of the maps.
        model: the cell's model.
        further: maps of other images under it.
    """

    method: Method
    layer: str
    size: tuple[int, int]
    model: nn.Module
    further: FurtherMaps

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return the maps of other images or of another model, upsampled, (N, H, W)."""

        def explain(images: Tensor, targets: Tensor) -> Tensor:
            return self.method(model, images, targets, self.layer).detach().float()

        own = model is self.model
        return upsample(self.further.of(images, targets, explain) if own else explain(images, targets), self.size)
