"""The explained images of a cell in a block, from which metrics get their batches."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.maps import CellMethod, FurtherMaps
from heatmark.benchmarks.sweep.predictions import Predicted
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.common.batching import with_batch_size
from heatmark.common.resize import upsample
from heatmark.metrics.base import Explained, Need
from heatmark.metrics.engine.known_scores import KnownScores


@dataclass(frozen=True)
class Explaining:
    """A cell's maps of a block, with all that a metric may read.

    Args:
        cell: the cell.
        classifier: its model.
        block: the images, with the class explained of each.
        maps: raw maps (h, w) by the image's position.
        run: device, batch size, seed.
        further: maps of further images, for which several metrics may ask.
    """

    cell: Cell
    classifier: Classifier
    block: Predicted
    maps: dict[int, Tensor]
    run: RunSettings
    further: FurtherMaps = field(default_factory=FurtherMaps)

    def batch(self, which: Sequence[int], size: int, needs: Collection[Need] = ()) -> Explained:
        """Return some images as a metric reads them.

        Args:
            which: their positions; one may come several times.
            size: images per forward pass.
            needs: what the metric needs of them: counterfactuals are rendered for one that needs them alone.
        """
        places, block, device = list(which), self.block.block, self.run.device
        images, masks = block.images[places], self.block.masks
        full = _upsampled([self.maps[i] for i in places], (images.shape[-2], images.shape[-1]))
        preprocessing = self.classifier.preprocessing
        return Explained(
            self.classifier.module,
            images.to(device),
            self.block.targets[places].to(device),
            full.to(device),
            None if masks is None else masks[0][places].to(device),
            CellMethod(
                with_batch_size(self.cell.method, size),
                self.cell.layer,
                (images.shape[-2], images.shape[-1]),
                self.classifier.module,
                self.further,
            ),
            has_mask=None if masks is None else masks[1][places].to(device),
            ignore=None if block.ignore is None else block.ignore[places].to(device),
            labels=block.labels[places].to(device),
            counterfactuals=self.block.counterfactuals(places).to(device) if "counterfactuals" in needs else None,
            normalisation=(torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)),
            seed=self.run.seed,
            batch_size=size,
            known=self.known(places, size),
        )

    def known(self, which: Sequence[int], size: int) -> KnownScores:
        """Return the known scores of some images in batches of a size, to which others of the block are added."""
        return KnownScores([(i, size) for i in which], self.block.known)


def _upsampled(maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Return maps (h, w), of one shape or of several, at the images' size, (N, H, W)."""
    if len({raw.shape for raw in maps}) == 1:
        return upsample(torch.stack(list(maps)), size)
    return torch.cat([upsample(raw[None], size) for raw in maps])
