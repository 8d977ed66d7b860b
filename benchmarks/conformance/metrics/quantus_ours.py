"""Stages of our metrics as they are compared with Quantus's: with its pictures, subsets or classes where asked."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.metrics.ours import moved_images, subsets
from heatmark.metrics.base import CurveMetric, Explained, Metric
from heatmark.metrics.engine.perturbation import relevance_ranks
from heatmark.metrics.engine.stages import MetricStages, Recorder
from heatmark.metrics.engine.subset_correlation import SubsetCorrelation
from heatmark.metrics.engine.subsets import Draws, correlated
from heatmark.metrics.engine.ties import find_tie_order
from heatmark.metrics.engine.units import slic_segments
from heatmark.metrics.irof import IROF
from heatmark.metrics.monotonicity import Monotonicity
from heatmark.metrics.parameter_randomisation import ParameterRandomisation
from heatmark.metrics.random_logit import RandomLogit


def ranks_of(batch: Explained, ties: str = "raster") -> Tensor:
    """Return the rank of every pixel, (N, H · W), 0 for the most relevant."""
    return relevance_ranks(batch.maps, find_tie_order(ties)(batch.images, 0))


def walked(batch: Explained, metric: CurveMetric, **options: Any) -> MetricStages:
    """Return the stages of a metric that sums up a curve: fills, inputs, scores, and the value."""
    metric = replace(metric, **options)  # type: ignore[type-var]
    model = Recorder(batch.model)
    scored = metric(replace(batch, model=model))
    assert scored.curve is not None
    y = scored.curve.y
    inputs = model.given[: y.numel()].view(*y.shape, *batch.images.shape[1:])
    return MetricStages(fills=inputs[:, -1], inputs=inputs, scores=y, sum=scored.values)


def _masks(batch: Explained, metric: CurveMetric) -> Tensor:
    """Return which values are replaced at each point, (N, K, C · H · W), as 1 and 0: those that vanish from ones."""
    ones = replace(batch, images=torch.ones_like(batch.images))
    inputs = walked(ones, metric, baseline="zero").inputs
    assert inputs is not None
    return (inputs == 0).flatten(2).double()


def drops(batch: Explained, metric: CurveMetric, area: bool = False, **options: Any) -> MetricStages:
    """Return the stages of region perturbation, whose points are drops; its pictures without the intact one.

    Args:
        batch: model, images, targets and maps.
        metric: ours.
        area: whether the value is the area under all drops with dx = 1, in place of the metric's.
        options: of the metric.
    """
    stages = walked(batch, metric, **options)
    assert stages.inputs is not None
    assert stages.scores is not None
    y = stages.scores
    fallen, rest = (
        y[:, :1] - y,
        {"masks": _masks(batch, metric)[:, 1:], "inputs": stages.inputs[:, 1:], "scores": y[:, 1:]},
    )
    return replace(stages, **rest, curve=fallen, sum=torch.trapezoid(fallen, dim=1) if area else stages.sum)


def segments_of(batch: Explained, count: int) -> list[Tensor]:
    """Return our segments of the first channel of every image, (H, W), which both sides are given."""
    return [slic_segments(image[:1], count).view(image.shape[1:]) for image in batch.images]


def relative_area(batch: Explained, metric: IROF, grey: bool = False) -> MetricStages:
    """Return our IROF in Quantus's unit: the number of segments less the area, with dx = 1, from the first one on.

    Args:
        batch: model, images, targets and maps.
        metric: ours, whose segments, fill and order of ties are taken.
        grey: whether the images are of their first channel alone, which the model sees three times.
    """
    batch = greyed(batch) if grey else batch
    values = []
    for n, segments in enumerate(segments_of(batch, metric.segments)):
        count = int(segments.max()) + 1
        one = replace(batch, images=batch.images[[n]], targets=batch.targets[[n]], maps=batch.maps[[n]], masks=None)
        y = replace(metric.path, steps=tuple(k / count for k in range(count + 1))).curve(one).y[0]
        values.append(count - torch.trapezoid(y[1:] / y[0]))
    return MetricStages(sum=torch.stack(values))


class _Tripled(nn.Module):
    """A model that sees pictures of one channel as three equal ones."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.model(images.expand(-1, 3, -1, -1))
        return logits


def greyed(batch: Explained) -> Explained:
    """Return a batch of the first channel of the images, which the model sees three times."""
    return replace(batch, model=_Tripled(batch.model), images=batch.images[:, :1].contiguous())


def built_up(batch: Explained, metric: Monotonicity, whole: bool = False, **options: Any) -> MetricStages:
    """Return the stages of monotonicity, from the first group of pixels on.

    Args:
        batch: model, images, targets and maps.
        metric: ours.
        whole: whether the value is if no step falls, the first apart, in place of the share of the steps.
        options: of the metric.
    """
    stages = walked(batch, metric, **options)
    assert stages.inputs is not None
    assert stages.scores is not None
    y = stages.scores.flip(1)[:, 1:]
    value = (y.diff(dim=1) >= 0).all(dim=1).double() if whole else stages.sum
    return MetricStages(inputs=stages.inputs.flip(1)[:, 1:], scores=y, sum=value)


def pictures(batch: Explained, metric: Metric, **options: Any) -> MetricStages:
    """Return what the model is given by a metric that scores the intact images first, without these, and its value."""
    model = Recorder(batch.model)
    single = replace(batch, model=model, batch_size=len(batch.images))
    values = replace(metric, **options)(single).values  # type: ignore[type-var]
    shape = batch.images.shape[1:]
    given = model.given[len(batch.images) :]
    return MetricStages(inputs=given.view(len(batch.images), -1, *shape), sum=values)


def subset_correlation(
    batch: Explained, metric: SubsetCorrelation, given: Any = None, across: bool = False
) -> MetricStages:
    """Return our correlation of relevance and drop, over our subsets of cells or over those of another.

    Args:
        batch: model, images, targets, maps and seed.
        metric: ours, whose cells, fill and number of subsets are taken.
        given: the other side, of which the masks and the scores are taken; None takes ours.
        across: whether each subset's numbers are correlated over the batch, with the relevance of the values that it
            has and the one before it has not.
    """
    if given is None:
        masks, _, drop = subsets(batch, metric.cells, metric.size, metric.samples)
        relevance = (masks * batch.maps[:, None]).sum(dim=(2, 3))
        every = masks.flatten(2).repeat(1, 1, batch.images.shape[1])
        return MetricStages(masks=every, sum=correlated(Draws(relevance, drop), ranks=False)[0])
    stages: MetricStages = given(batch)
    assert stages.masks is not None
    features = batch.maps.flatten(1).repeat(1, batch.images.shape[1])
    taken = torch.diff(stages.masks, dim=1, prepend=torch.zeros_like(stages.masks[:, :1])) if across else stages.masks
    relevance = (taken * features[:, None]).sum(dim=2)
    with torch.no_grad():
        intact = batch.model(batch.images).softmax(dim=1).gather(1, batch.targets[:, None])
    found = Draws(relevance.T, (intact - stages.scores).T) if across else Draws(relevance, intact - stages.scores)
    return replace(stages, sum=correlated(found, ranks=False)[0])


def unequal(batch: Explained) -> Explained:
    """Return a batch whose maps are their pixels' ranks, no two of them equal; the largest is the most relevant."""
    ranks = ranks_of(batch).view(batch.maps.shape)
    return replace(batch, maps=(batch.maps[0].numel() - ranks).to(torch.float64))


def without_ties(run: Callable[..., MetricStages]) -> Callable[..., MetricStages]:
    """Return a side with an option ``untied``, which gives it maps without equal values."""
    return lambda batch, untied=False, **options: run(unequal(batch) if untied else batch, **options)


def without_negative(run: Callable[..., MetricStages]) -> Callable[..., MetricStages]:
    """Return a side with an option ``positive``, which gives it the positive part of the maps."""

    def positive_part(batch: Explained, positive: bool = False, **options: Any) -> MetricStages:
        return run(replace(batch, maps=batch.maps.relu()) if positive else batch, **options)

    return positive_part


def neighbours_of(metric: Metric) -> Any:
    """Return a function from a batch to the neighbours that a metric draws, (N, K, C, H, W)."""

    def moved(batch: Explained) -> Tensor:
        inputs = moved_images(batch, metric).inputs
        assert inputs is not None
        return inputs

    return moved


def randomised_by(metric: ParameterRandomisation) -> Any:
    """Return a function from a batch to the models that a metric randomises."""

    def models(batch: Explained) -> list[nn.Module]:
        seen: list[nn.Module] = []

        def explain(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
            seen.append(deepcopy(model))
            return batch.explain(model, images, targets)

        metric(replace(batch, explain=explain))
        return seen

    return models


def random_logit(batch: Explained, given: Any = None) -> MetricStages:
    """Return our comparison with the map of a class that we draw, or with the map that another side took.

    Args:
        batch: model, images, targets, maps, seed and ``explain``.
        given: the other side; None draws.
    """
    metric = RandomLogit()
    other = (
        batch.explain(batch.model, batch.images, metric.others(batch)) if given is None else given(batch).inputs[:, 0]
    )
    return MetricStages(inputs=other[:, None], sum=metric.compared(batch.maps, other).values)
