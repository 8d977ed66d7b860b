"""Stages of pytorch-grad-cam's metrics, run on maps that are given."""

from collections.abc import Callable

import numpy as np
import torch
from pytorch_grad_cam.metrics.cam_mult_image import (
    CamMultImageConfidenceChange,
    DropInConfidence,
    IncreaseInConfidence,
)
from pytorch_grad_cam.metrics.perturbation_confidence import RemoveMostRelevantFirst
from torch import Tensor

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.stages import MetricStages, Recorder
from heatmark.metrics.external.given import min_max

METRICS = {"change": CamMultImageConfidenceChange, "drop": DropInConfidence, "increase": IncreaseInConfidence}
"""pytorch-grad-cam's metrics of an image multiplied with its map."""


def confidence(batch: Explained, kind: str, softmax: bool = False, targets: int | None = None) -> MetricStages:
    """Return the stages of one of :data:`METRICS`; the change is given with its sign turned, as a drop.

    Args:
        batch: model, images, targets and maps.
        kind: the metric.
        softmax: whether the targets read probabilities; False, as in pytorch-grad-cam's examples, reads logits.
        targets: number of targets that are given; None gives one per image.
    """
    model = Recorder(batch.model)
    readers = [_reader(int(target), softmax) for target in batch.targets][:targets]
    values = METRICS[kind]()(batch.images, min_max(batch.maps.to(batch.images)).cpu().numpy(), readers, model)
    count = len(readers)
    pairs = list(zip(*(torch.split(each, len(batch.images)) for each in (model.given, model.outputs)), strict=True))
    read = [[reader(output) for reader, output in zip(readers, outputs, strict=False)] for _, outputs in pairs]
    sign = -1 if kind == "change" else 1
    return MetricStages(
        inputs=torch.stack([images for images, _ in pairs], dim=1),
        scores=torch.tensor(read).T.view(count, 2),
        sum=sign * torch.from_numpy(np.asarray(values)),
    )


def _reader(target: int, softmax: bool) -> Callable[[Tensor], Tensor]:
    def read(output: Tensor) -> Tensor:
        return (output.softmax(dim=0) if softmax else output)[target]

    return read


def road_removed(batch: Explained, percentile: float, maps: Tensor | None = None) -> MetricStages:
    """Return which pixels pytorch-grad-cam's ROAD imputes, most relevant first, and their share.

    Args:
        batch: images and maps.
        percentile: of the map's values; pixels from there on are imputed.
        maps: maps (N, H, W) in place of the batch's.
    """
    removed: list[Tensor] = []

    def impute(image: Tensor, kept: Tensor) -> Tensor:
        removed.append(1 - kept)
        return image

    remove = RemoveMostRelevantFirst(percentile, impute)
    for image, each in zip(batch.images, batch.maps if maps is None else maps, strict=True):
        remove(image, each)
    masks = torch.stack(removed)
    return MetricStages(masks=masks[:, None], sum=masks.flatten(1).mean(dim=1))
