"""Stages of Captum's metrics, run on maps and perturbations that are given."""

import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max as captum_sensitivity_max
from torch import Tensor

from heatmark.common.probabilities import target_probabilities
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


def infidelity(batch: Explained, masks: Tensor, fills: Tensor, normalize: bool = False) -> MetricStages:
    """Return the stages of Captum's infidelity, Σ a over a subset against the drop of the target's probability.

    Args:
        batch: model, images, targets and maps.
        masks: which pixels each perturbation replaces, (N, K, H, W), as 1 and 0.
        fills: what replaces them, (N, C, H, W).
        normalize: whether Captum first scales the attributions to fit the drops best; its default is False.
    """
    channels, count = batch.images.shape[1], masks.shape[1]
    where = masks[:, :, None].expand(-1, -1, channels, -1, -1)
    inputs = torch.where(where > 0, fills[:, None], batch.images[:, None])

    def perturb(*_: Tensor) -> tuple[Tensor, Tensor]:
        return where.flatten(0, 1), inputs.flatten(0, 1)

    def score(images: Tensor) -> Tensor:
        repeated = batch.targets.repeat_interleave(len(images) // len(batch.targets))
        return target_probabilities(batch.model, images, repeated)

    attributions = (batch.maps[:, None] / channels).expand_as(batch.images)
    values = captum_infidelity(score, perturb, batch.images, attributions, n_perturb_samples=count, normalize=normalize)
    return MetricStages(masks=masks, inputs=inputs, sum=values)
