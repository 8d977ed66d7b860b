"""Raw maps of a cell, computed batch by batch, and a cell's method as metrics call it for other images."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.benchmarks.sweep.cells import Cell
from heatmark.benchmarks.sweep.job import Job
from heatmark.common.batching import with_batch_size
from heatmark.common.resize import upsample
from heatmark.methods.base import Method


def raw_maps(cell: Cell, job: Job, device: torch.device, batch_size: int) -> Tensor:
    """Return a cell's raw maps of all images of its job, (N, h, w) float32 on the CPU.

    Raises:
        ValueError: if the method gives anything but one map per image.
    """
    method = with_batch_size(cell.method, batch_size)
    chunks = zip(torch.split(job.image_set.images, batch_size), torch.split(job.targets, batch_size), strict=True)
    maps = []
    for images, targets in chunks:
        found = method(job.classifier.module, images.to(device), targets.to(device), cell.layer)
        if found.ndim != 3 or len(found) != len(images):
            raise ValueError(f"the method gave {tuple(found.shape)} for {len(images)} images, expected (N, h, w)")
        maps.append(found.detach().float().cpu())
    return torch.cat(maps)


@dataclass(frozen=True)
class CellMethod:
    """A cell's method for metrics that explain other images or another model: (model, images, targets) -> maps.

    Args:
        method: the cell's method.
        layer: the cell's layer, a dotted name that the other model has too.
        size: (H, W) of the maps.
    """

    method: Method
    layer: str
    size: tuple[int, int]

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Return the maps of other images or of another model, upsampled, (N, H, W)."""
        return upsample(self.method(model, images, targets, self.layer).detach().float(), self.size)
