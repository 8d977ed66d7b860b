"""The explained images of a cell in a block, from which metrics get their batches."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.blocks import Block
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.maps import CellMethod
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.common.batching import with_batch_size
from heatmark.common.resize import upsample
from heatmark.metrics.base import Explained


@dataclass(frozen=True)
class Explaining:
    """A cell's maps of a block, with all that a metric may read.

    Args:
        cell: the cell.
        classifier: its model.
        block: the images.
        targets: (n,) the class explained of each image of the block.
        maps: raw maps (h, w) by the image's position.
        run: device, batch size, seed.
    """

    cell: Cell
    classifier: Classifier
    block: Block
    targets: Tensor
    maps: dict[int, Tensor]
    run: RunSettings

    def batch(self, which: Sequence[int], size: int, pad: bool = False) -> Explained:
        """Return some images as a metric reads them.

        Args:
            which: their positions.
            size: images per forward pass.
            pad: whether the last image is repeated until the batch has this size.
        """
        places = list(which) + [which[-1]] * (size - len(which) if pad else 0)
        images, device = self.block.images[places], self.run.device
        full = upsample(torch.stack([self.maps[i] for i in places]), tuple(images.shape[-2:]))
        masks = self.block.masks_of(self.targets)
        preprocessing = self.classifier.preprocessing
        return Explained(
            self.classifier.module,
            images.to(device),
            self.targets[places].to(device),
            full.to(device),
            None if masks is None else masks[0][places].to(device),
            CellMethod(with_batch_size(self.cell.method, size), self.cell.layer, (images.shape[-2], images.shape[-1])),
            has_mask=None if masks is None else masks[1][places].to(device),
            ignore=None if self.block.ignore is None else self.block.ignore[places].to(device),
            labels=self.block.labels[places].to(device),
            normalisation=(torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)),
            seed=self.run.seed,
            batch_size=size,
        )
