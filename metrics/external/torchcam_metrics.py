"""Stages of torch-cam's metrics, run on maps that are given."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchcam.metrics import ClassificationMetric, DeletionInsertionMetric

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.stages import MetricStages, Recorder, points, replaced
from heatmark.metrics.external.given import min_max

EPSILON = 1e-7
"""What torch-cam adds to the intact score before it divides a drop by it."""

LogitsFn = Callable[[Tensor], Tensor] | None


class _Given:
    """An extractor that gives maps (N, H, W) which are there, scaled to [0, 1] as torch-cam's extractors scale them."""

    def __init__(self, batch: Explained, model: nn.Module) -> None:
        self.model, self._maps = model, min_max(batch.maps)

    def __call__(self, *_: object, **__: object) -> list[Tensor]:
        return [self._maps]

    def fuse_cams(self, cams: list[Tensor]) -> Tensor:
        return cams[0]

    def _hooks_off(self) -> AbstractContextManager[None]:
        return nullcontext()


class _Shown(DeletionInsertionMetric):
    """The metric, which keeps the ranks, the fill and the two curves of its last batch."""

    def _compute_curves(self, images: Tensor, fill: Tensor, ranks: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
        self.fill, self.ranks = fill.expand_as(images), ranks
        curves: tuple[Tensor, Tensor, Tensor] = super()._compute_curves(images, fill, ranks, *rest)
        self.curves = curves
        return curves


def deletion_insertion(
    batch: Explained,
    kind: Literal["deletion", "insertion"],
    steps: int = 20,
    logits_fn: LogitsFn = None,
    baseline: Callable[[Tensor], Tensor] | None = None,
) -> MetricStages:
    """Return the stages of torch-cam's deletion or insertion.

    Args:
        batch: model, images, targets and maps.
        kind: which of the two that torch-cam computes together.
        steps: the largest number of intervals.
        logits_fn: what is made of the logits; None, torch-cam's default, leaves them.
        baseline: what replaces pixels; None, torch-cam's default, is zero.
    """
    model = Recorder(batch.model)
    metric = _Shown(_Given(batch, model), logits_fn, steps=steps, baseline=baseline, batch_size=batch.batch_size)
    metric.update(batch.images, batch.targets.tolist())
    fractions, *both = metric.curves
    y = both[0 if kind == "deletion" else 1]
    inputs = _inputs(batch.images, model.given, kind)
    counts = (fractions * metric.ranks.shape[1]).round()
    return MetricStages(
        order=metric.ranks,
        masks=replaced(metric.ranks, counts, "removed" if kind == "deletion" else "inserted"),
        fills=metric.fill,
        inputs=inputs,
        scores=y,
        curve=points(fractions, y),
        sum=torch.trapezoid(y, fractions.to(y), dim=1),
    )


def _inputs(images: Tensor, given: Tensor, kind: Literal["deletion", "insertion"]) -> Tensor:
    """Return the inputs of one curve (N, K, C, H, W): per image the filled one, then both curves' in turn."""
    jobs = given[len(images) :].view(len(images), -1, *images.shape[1:])
    filled, intact = jobs[:, :1], images[:, None]
    if kind == "deletion":
        return torch.cat([intact, jobs[:, 1::2], filled], dim=1)
    return torch.cat([filled, jobs[:, 2::2], intact], dim=1)


def confidence(
    batch: Explained, kind: Literal["avg_drop", "conf_increase"], logits_fn: LogitsFn = None, epsilon: bool = True
) -> MetricStages:
    """Return the stages of torch-cam's average drop or increase, one image after the other.

    Args:
        batch: model, images, targets and maps.
        kind: torch-cam's name of the metric.
        logits_fn: what is made of the logits; None, torch-cam's default, leaves them.
        epsilon: whether the drop is divided by y + 10⁻⁷, as torch-cam divides it, or multiplied back to one by y.
    """
    inputs, scores, values = [], [], []
    for n in range(len(batch.images)):
        one = slice(n, n + 1)
        model = Recorder(batch.model)
        maps = batch.maps[one].to(batch.images)
        given = Explained(model, batch.images[one], batch.targets[one], maps, None, batch.explain)
        metric = ClassificationMetric(_Given(given, model), logits_fn)
        metric.update(given.images, given.targets.tolist())
        inputs.append(model.given)
        read = model.outputs if logits_fn is None else logits_fn(model.outputs)
        scores.append(read[:, batch.targets[n]])
        intact = float(read[0, batch.targets[n]])
        values.append(metric.summary()[kind] * (1 if epsilon else (intact + EPSILON) / intact))
    return MetricStages(inputs=torch.stack(inputs), scores=torch.stack(scores), sum=torch.tensor(values))
