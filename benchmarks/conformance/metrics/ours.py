"""Stages of our metrics: what their model is given, and the numbers that they give."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from heatmark.common.baselines import find_baseline
from heatmark.common.probabilities import class_probabilities
from heatmark.metrics.base import Curve, Explained, Metric
from heatmark.metrics.engine.perturbation import relevance_ranks
from heatmark.metrics.engine.pixel_flipping import PixelFlipping
from heatmark.metrics.engine.stages import MetricStages, Recorder, points, replaced
from heatmark.metrics.engine.subsets import draws
from heatmark.metrics.engine.ties import find_tie_order
from heatmark.metrics.road import ROAD


class Walk(NamedTuple):
    """What a metric of a curve has done.

    Args:
        curve: its curve.
        values: its values, (N,).
        inputs: what its model was given, (N, K, C, H, W), in the order of the passes.
        order: the rank of every pixel, (N, H·W).
        counts: how many pixels are removed, or inserted, at each point.
    """

    curve: Curve
    values: Tensor
    inputs: Tensor
    order: Tensor
    counts: Tensor


def walked(batch: Explained, metric: PixelFlipping | ROAD) -> Walk:
    """Return what a metric of a curve over an order of pixels does."""
    model = Recorder(batch.model)
    scored = metric(replace(batch, model=model))
    assert scored.curve is not None
    y = scored.curve.y
    inputs = model.given[: y.numel()].view(*y.shape, *batch.images.shape[1:])
    order = relevance_ranks(batch.maps, find_tie_order(metric.path.ties)(batch.images, metric.path.seed))
    return Walk(scored.curve, scored.values, inputs, order, (scored.curve.x * order.shape[1]).round())


def pixel_flipping(batch: Explained, metric: PixelFlipping, **options: object) -> MetricStages:
    """Return the stages of deletion, insertion or a metric like them, with some of its options changed."""
    metric = replace(metric, **options)  # type: ignore[arg-type]
    walk, removes = walked(batch, metric), metric.order == "morf"
    inputs = walk.inputs if removes else walk.inputs.flip(1)
    return MetricStages(
        order=walk.order,
        masks=replaced(walk.order, walk.counts, "removed" if removes else "inserted"),
        fills=inputs[:, -1 if removes else 0],
        inputs=inputs,
        scores=walk.curve.y,
        curve=points(walk.curve.x, walk.curve.y),
        sum=walk.values,
    )


def masking(batch: Explained, metric: Metric, **options: object) -> MetricStages:
    """Return the stages of a metric of the image multiplied with its map: both inputs, and the value."""
    model = Recorder(batch.model)
    single = replace(batch, model=model, batch_size=len(batch.images))
    values = replace(metric, **options)(single).values  # type: ignore[type-var]
    read = class_probabilities(model.outputs).gather(1, batch.targets.repeat(2)[:, None])[:, 0]
    inputs, scores = (torch.stack(torch.split(each, len(batch.images)), dim=1) for each in (model.given, read))
    return MetricStages(inputs=inputs, scores=scores, sum=values)


def value(batch: Explained, metric: Metric, **options: object) -> MetricStages:
    """Return a metric's value, its only stage."""
    return MetricStages(sum=replace(metric, **options)(batch).values)  # type: ignore[type-var]


def moved_images(batch: Explained, metric: Metric, **options: object) -> MetricStages:
    """Return the images on which a metric asks for further maps, and its value."""
    asked: list[Tensor] = []

    def explain(model: torch.nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        asked.append(images)
        return batch.explain(model, images, targets)

    values = replace(metric, **options)(replace(batch, explain=explain)).values  # type: ignore[type-var]
    return MetricStages(inputs=torch.stack(asked, dim=1), sum=values)


def subsets(batch: Explained, cells: int, size: int, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return subsets of an image's cells that our engine draws, as the model sees them: masks, inputs and drops.

    Returns:
        Which pixels are replaced by zero, (N, M, H, W), as 1 and 0; the images so made, (N, M, C, H, W); and by how
        much the target's probability falls, (N, M), read here.
    """
    model = Recorder(batch.model)
    draws(replace(batch, model=model), cells, [size] * samples, "zero")
    count = len(batch.images) * (samples + 1)
    given = model.given[:count].view(len(batch.images), -1, *batch.images.shape[1:])
    read = model.outputs[:count].double().softmax(dim=1).view(len(batch.images), samples + 1, -1)
    scores = read.gather(2, batch.targets[:, None, None].expand(-1, samples + 1, 1))[..., 0]
    masks = (given != batch.images[:, None]).any(dim=2).to(batch.maps.dtype)
    return masks[:, 1:], given[:, 1:], scores[:, :1] - scores[:, 1:]


def blurred(batch: Explained) -> MetricStages:
    """Return our blurred images, the fill of RISE's insertion, and their mean."""
    return _of_fill(find_baseline("blur")(batch.images))


def _of_fill(fills: Tensor) -> MetricStages:
    return MetricStages(fills=fills, sum=fills.flatten(1).mean(dim=1))


def of_points(batch: Explained, metric: Metric) -> MetricStages:
    """Return the points that a metric sums up, (N, K), and its value."""
    scored = metric(batch)
    assert scored.curve is not None
    return MetricStages(curve=scored.curve.y, sum=scored.values)
