"""Stages of Captum's metrics, run on maps and perturbations that are given."""

import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max as captum_sensitivity_max
from torch import Tensor

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.stages import MetricStages


def sensitivity_max(batch: Explained, moved: Tensor) -> MetricStages:
    """Return the stages of Captum's max-sensitivity.

    Args:
        batch: model, images, targets and ``explain``.
        moved: the perturbed images, (N, K, C, H, W).
    """
    count = moved.shape[1]

    def explain(images: Tensor | tuple[Tensor, ...], target: Tensor) -> Tensor | tuple[Tensor, ...]:
        if isinstance(images, Tensor):
            return batch.explain(batch.model, images, target)
        return tuple(batch.explain(batch.model, each, target) for each in images)  # else Captum iterates over images

    values = captum_sensitivity_max(
        explain, batch.images, lambda *_: moved.flatten(0, 1), n_perturb_samples=count, target=batch.targets
    )
    return MetricStages(inputs=moved, sum=values)


def infidelity(
    batch: Explained, weights: Tensor, pictures: Tensor, normalize: bool = False, softmax: bool = True
) -> MetricStages:
    """Return the stages of Captum's infidelity for perturbations that are given.

    Args:
        batch: model, images, targets and maps, of which each channel has an equal share.
        weights: what each perturbation takes away, (N, K, C, H, W), by which the attributions are multiplied.
        pictures: what is left of the images, (N, K, C, H, W).
        normalize: whether Captum first scales the attributions to fit the drops best; its default is False.
        softmax: whether the probability drops; else it is the logit, as where Captum is given a network.
    """
    channels, count = batch.images.shape[1], pictures.shape[1]
    scores: list[Tensor] = []

    def score(images: Tensor) -> Tensor:
        outputs = batch.model(images)
        targets = batch.targets.repeat_interleave(len(images) // len(batch.targets))
        read: Tensor = (outputs.softmax(dim=1) if softmax else outputs).gather(1, targets[:, None])[:, 0]
        scores.append(read.view(len(batch.targets), -1))
        return read

    values = captum_infidelity(
        score,
        lambda *_: (weights.flatten(0, 1), pictures.flatten(0, 1)),
        batch.images,
        (batch.maps[:, None] / channels).expand_as(batch.images),
        n_perturb_samples=count,
        normalize=normalize,
    )
    inputs = torch.cat([batch.images[:, None], pictures], dim=1)
    return MetricStages(inputs=inputs, scores=torch.cat(scores[::-1], dim=1), sum=values)
