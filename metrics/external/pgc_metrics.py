"""Stages of pytorch-grad-cam's metrics, run on maps that are given."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from pytorch_grad_cam.metrics.cam_mult_image import (
    CamMultImageConfidenceChange,
    DropInConfidence,
    IncreaseInConfidence,
)
from pytorch_grad_cam.metrics.perturbation_confidence import (
    AveragerAcrossThresholds,
    PerturbationConfidenceMetric,
    RemoveMostRelevantFirst,
)
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
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


class _Shown(NoisyLinearImputer):  # type: ignore[misc]
    """The imputer, which keeps which pixels it imputes."""

    def __init__(self, noise: float) -> None:
        super().__init__(noise)
        self.imputed: list[Tensor] = []

    def __call__(self, image: Tensor, kept: Tensor) -> Tensor:
        self.imputed.append(1 - kept)
        filled: Tensor = super().__call__(image.float(), kept)  # its solution is single precision, whatever the image
        return filled.to(image)


def road(
    batch: Explained,
    percentiles: Sequence[float],
    maps: Tensor | None = None,
    noise: float = 0.01,
    softmax: bool = False,
    difference: bool = True,
) -> MetricStages:
    """Return the stages of pytorch-grad-cam's ROAD, most relevant first.

    Args:
        batch: model, images, targets and maps.
        percentiles: of a map's values; pixels from there on are imputed.
        maps: maps (N, H, W) in place of the batch's.
        noise: standard deviation of the noise, drawn from the global state, which is left as it is.
        softmax: whether the targets read probabilities; False, as in pytorch-grad-cam's examples, reads logits.
        difference: whether the value is the change of the score, as pytorch-grad-cam's, or the score.
    """
    maps = batch.maps if maps is None else maps
    model, shown = Recorder(batch.model), _Shown(noise)
    readers = [_reader(int(target), softmax) for target in batch.targets]
    averager = AveragerAcrossThresholds(
        lambda percentile: PerturbationConfidenceMetric(RemoveMostRelevantFirst(percentile, shown)), percentiles
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        changes = torch.from_numpy(averager(batch.images, maps.cpu().numpy(), readers, model))
    shape = len(percentiles), 2, len(readers)  # at each percentile the intact images, and then the imputed ones
    read = torch.stack([readers[n % len(readers)](output) for n, output in enumerate(model.outputs)]).view(shape)
    larger = maps.flatten(1)[:, None] > maps.flatten(1)[:, :, None]
    return MetricStages(
        order=larger.sum(dim=2),
        masks=torch.stack(shown.imputed).view(len(percentiles), *maps.shape).transpose(0, 1),
        inputs=model.given.view(*shape, *batch.images.shape[1:])[:, 1].transpose(0, 1),
        scores=read[:, 1].T,
        sum=changes if difference else changes + read[0, 0].cpu(),
    )
