"""Stages of Quantus's metrics under options that each undo one thing; it is imported only where Quantus is installed.

Quantus itself is run at every stage; the defaults are its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.metrics.comparison import RefusalError
from heatmark.benchmarks.conformance.metrics.quantus_ours import greyed
from heatmark.common.errors import in_words
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.stages import MetricStages, points
from heatmark.metrics.external import quantus_metrics
from heatmark.metrics.external.quantus_metrics import Given, evaluated


def in_a_row(ranks: Tensor, batch: Explained) -> Tensor:
    """Return maps (N, C, H, W) without equal values, whose channels of a pixel follow each other, by pixels' ranks."""
    channels = batch.images.shape[1]
    features = ranks[:, None] * channels + torch.arange(channels)[:, None]
    return (features.shape[1] * features.shape[2] - features).view(batch.images.shape).to(batch.maps)


def _walked(
    name: str, batch: Explained, count: int, maps: Tensor | None = None, softmax: bool = True, **options: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Return a metric's values, the pictures of its last passes (N, count, C, H, W), and their scores."""
    model = Given(batch)
    values = evaluated(name, batch if maps is None else replace(batch, maps=maps), model, softmax, **options)
    given, outputs = model.last(count)
    targets = batch.targets[:, None, None].expand(-1, count, 1)
    read = outputs.softmax(dim=2) if softmax else outputs
    return torch.from_numpy(values), given, read.gather(2, targets)[..., 0]


def _intact(batch: Explained) -> Tensor:
    with torch.no_grad():
        scores: Tensor = batch.model(batch.images).softmax(dim=1).gather(1, batch.targets[:, None])
    return scores


def pixel_flipping(
    batch: Explained,
    features: int = 1,
    ranks: Tensor | None = None,
    fill: str | float = "black",
    intact: bool = False,
    unit_steps: bool = True,
) -> MetricStages:
    """Return the stages of pixel flipping.

    Args:
        batch: model, images, targets and maps.
        features: removed per step, a divisor of the number of pixels.
        ranks: of the pixels (N, H · W), where all channels of a pixel are to be removed together.
        fill: what Quantus replaces features by: a name or a number.
        intact: whether the curve begins at the intact image.
        unit_steps: whether the area counts a step as 1; else it is over fractions.
    """
    maps = None if ranks is None else in_a_row(ranks, batch)
    count = -(-batch.images[0].numel() // features)
    options: dict[str, Any] = {"features_in_step": features, "perturb_baseline": fill, "return_auc_per_sample": True}
    area, given, scores = _walked("PixelFlipping", batch, count, maps, **options)
    masks, first = _masks("PixelFlipping", batch, count, maps, features_in_step=features), _intact(batch)
    inputs, all_scores = torch.cat([batch.images[:, None], given], dim=1), torch.cat([first, scores], dim=1)
    x = torch.arange(count + 1).to(all_scores) / count
    area = area + (first[:, 0] + scores[:, 0]) / 2 * intact
    kept = slice(None) if intact else slice(1, None)
    return MetricStages(
        order=_order(batch, maps, ranks is not None),
        masks=torch.cat([torch.zeros_like(masks[:, :1]), masks], dim=1),
        fills=given[:, -1],
        inputs=inputs,
        scores=all_scores,
        curve=points(x[kept], all_scores[:, kept]),
        sum=area if unit_steps else area / count,
    )


def _masks(name: str, batch: Explained, count: int, maps: Tensor | None = None, **options: Any) -> Tensor:
    """Return which values are replaced in each picture, (N, count, C · H · W), as 1 and 0.

    They are those that change in pictures of 1, 2, 3, …, none of which is the fill.
    """
    counted = 1 + torch.arange(batch.images[0].numel()).view(batch.images.shape[1:]).to(batch.images)
    told = replace(batch, images=counted.expand_as(batch.images), model=_Blank().eval())
    _, given, _ = _walked(name, told, count, maps, perturb_baseline=0.0, **options)
    return (given != counted).flatten(2).double()


def _order(batch: Explained, maps: Tensor | None, together: bool) -> Tensor:
    """Return the ranks of features, (N, C · H · W), or of pixels, as pixel flipping removes one after the other."""
    order = (1 - _masks("PixelFlipping", batch, batch.images[0].numel(), maps)).sum(dim=1)
    channels = batch.images.shape[1]
    return order.view(len(order), channels, -1).amin(dim=1) // channels if together else order


class _Blank(nn.Module):
    """A model whose logits are all 0."""

    def forward(self, images: Tensor) -> Tensor:
        return images.new_zeros(len(images), 10)


def region_perturbation(
    batch: Explained, patch: int, fill: str | float = "black", intact: bool = False
) -> MetricStages:
    """Return the stages of region perturbation, whose points are drops and whose value is their area with dx = 1.

    Args:
        batch: model, images, targets and maps.
        patch: pixels of a patch's side, a divisor of both sides of the images.
        fill: what Quantus replaces patches by.
        intact: whether the drops begin at the intact image.
    """
    count = batch.images[0, 0].numel() // patch**2
    drops, given, scores = _walked("RegionPerturbation", batch, count, patch_size=patch, perturb_baseline=fill)
    drops = torch.cat([torch.zeros_like(drops[:, :1]), drops], dim=1) if intact else drops
    return MetricStages(
        masks=_masks("RegionPerturbation", batch, count, patch_size=patch),
        fills=given[:, -1],
        inputs=given,
        scores=scores,
        curve=drops,
        sum=torch.trapezoid(drops, dim=1),
    )


def irof(batch: Explained, segments: Sequence[Tensor], fill: str | float = "mean", grey: bool = False) -> MetricStages:
    """Return Quantus's IROF, of segments that are given, as the area over fractions of the segments.

    Args:
        batch: model, images, targets and maps.
        segments: of every image, (H, W).
        fill: what Quantus replaces segments by.
        grey: whether the images are of their first channel alone, which the model sees three times.

    Raises:
        RefusalError: where Quantus refuses the images.
    """
    batch = greyed(batch) if grey else batch
    values = []
    for n, each in enumerate(segments):
        one = replace(batch, images=batch.images[[n]], targets=batch.targets[[n]], maps=batch.maps[[n]], masks=None)
        try:
            value = quantus_metrics.irof(one, [each.numpy()], perturb_baseline=fill)
        except AssertionError as error:
            raise RefusalError(in_words(error)) from error
        values.append(float(value[0]))
    return MetricStages(sum=torch.tensor(values, dtype=torch.float64))


def monotonicity(batch: Explained, ranks: Tensor, features: int, inserts: bool = False) -> MetricStages:
    """Return the stages of monotonicity, from the picture with the first features inserted on.

    Args:
        batch: model, images and targets.
        ranks: of the pixels, (N, H · W), 0 for the most relevant.
        features: inserted per step.
        inserts: whether the image's values are written in, in place of the fill's.
    """
    image = batch.images.flatten(1).cpu().numpy()

    def insert(arr: Any, indices: Any, **_: object) -> Any:
        out, rows = arr.copy(), np.arange(len(arr))[:, None]
        out[rows, indices] = image[rows, indices]
        return out

    options: dict[str, Any] = {"perturb_func": insert} if inserts else {}
    count = batch.images[0].numel() // features
    maps = in_a_row(ranks, batch)
    values, given, scores = _walked("Monotonicity", batch, count, maps, features_in_step=features, **options)
    return MetricStages(inputs=given, scores=scores, sum=values)


def monotonicity_correlation(
    batch: Explained, ranks: Tensor, features: int, fill: str = "uniform", samples: int = 4
) -> MetricStages:
    """Return the stages of the monotonicity correlation: each picture, and the correlation.

    Args:
        batch: model, images and targets.
        ranks: of the pixels, (N, H · W), 0 for the most relevant.
        features: of a group.
        fill: what Quantus replaces a group by.
        samples: number of draws, 1 where nothing is drawn.
    """
    drawn = samples if fill == "uniform" else 1
    count = batch.images[0].numel() // features * drawn
    options: dict[str, Any] = {"features_in_step": features, "nr_samples": drawn}
    maps = in_a_row(ranks, batch)
    values, given, _ = _walked("MonotonicityCorrelation", batch, count, maps, perturb_baseline=fill, **options)
    return MetricStages(inputs=given, sum=values)


def faithfulness_correlation(batch: Explained, size: int, samples: int, softmax: bool = False) -> MetricStages:
    """Return the stages of the faithfulness correlation with the fill 0, over subsets of Quantus's own.

    A fill that has a name draws numbers, and so other subsets.

    Args:
        batch: model, images, targets and maps.
        size: number of features of a subset.
        samples: number of subsets.
        softmax: whether the score is the probability; by Quantus's default it is the logit.
    """
    options: dict[str, Any] = {"subset_size": size, "nr_runs": samples, "return_aggregate": False}
    told = {"perturb_baseline": 0.0, "softmax": softmax, **options}
    values, given, scores = _walked("FaithfulnessCorrelation", batch, samples, **told)
    masks = _masks("FaithfulnessCorrelation", batch, samples, **options)
    return MetricStages(masks=masks, inputs=given, scores=scores, sum=values)


def sensitivity_n(batch: Explained, features: int) -> MetricStages:
    """Return the stages of sensitivity-n: one correlation per step, over the batch.

    Args:
        batch: model, images, targets and maps.
        features: removed per step.
    """
    count = batch.images[0].numel() // features
    options: dict[str, Any] = {
        "features_in_step": features,
        "n_max_percentage": float(batch.images.shape[1]),
        "return_aggregate": False,
    }
    values, given, scores = _walked("SensitivityN", batch, count, None, **options)
    masks = _masks("SensitivityN", batch, count, **options)
    return MetricStages(masks=masks, inputs=given, scores=scores, sum=values)


def robustness(batch: Explained, name: str, moved: Callable[[Explained], Tensor], **options: Any) -> MetricStages:
    """Return what a metric of robustness gives for our neighbours."""
    near = moved(batch)
    values = torch.from_numpy(quantus_metrics.neighbourhood(name, batch, near, **options))
    return MetricStages(inputs=near, sum=values)


def placement(
    batch: Explained, name: str, each_tie: bool = False, constant: bool = True, empty: bool = True, **options: Any
) -> MetricStages:
    """Return what a metric of the place of relevance gives.

    Args:
        batch: maps and masks.
        name: of the class.
        each_tie: whether the value is the mean over maps that have each one of the equal maxima alone.
        constant: whether a constant map has a value.
        empty: whether an image with an empty mask has one.
        options: of the class.
    """
    assert batch.masks is not None
    values = (
        _mean_over_maxima(batch, name, options) if each_tie else torch.from_numpy(evaluated(name, batch, **options))
    )
    flat = batch.maps.flatten(1)
    values = values.masked_fill((flat.amin(dim=1) == flat.amax(dim=1)) & (not constant), torch.nan)
    return MetricStages(sum=values.masked_fill(~batch.masks.flatten(1).any(dim=1) & (not empty), torch.nan))


def _mean_over_maxima(batch: Explained, name: str, options: dict[str, Any]) -> Tensor:
    found = []
    for n, relevance in enumerate(batch.maps):
        places = (relevance == relevance.max()).nonzero()
        raised = relevance.repeat(len(places), 1, 1)
        raised[torch.arange(len(places)), places[:, 0], places[:, 1]] += 1
        many = {field: getattr(batch, field)[[n] * len(places)] for field in ("images", "targets", "masks")}
        found.append(evaluated(name, replace(batch, maps=raised, **many), **options).mean())
    return torch.tensor(found, dtype=torch.float64)


def parameter_randomisation(
    batch: Explained, models: Callable[[Explained], Sequence[nn.Module]], intact: bool = True
) -> MetricStages:
    """Return Quantus's correlations over our randomised models, and the mean that it gives.

    Args:
        batch: images, targets, maps and ``explain``.
        models: makes our models.
        intact: whether the intact model, which has 1, counts.
    """
    found = quantus_metrics.parameter_randomisation(batch, models(batch), abs=False, normalise=False)
    y = torch.tensor([row for name, row in found.items() if intact or name != "original"]).T
    return MetricStages(curve=y, sum=y.mean(dim=1))


def random_logit(batch: Explained, ranked: bool = False) -> MetricStages:
    """Return the stages of the random logit test: the maps of the classes that it drew, (N, 1, H, W), and the value.

    Args:
        batch: model, images, targets, maps and ``explain``.
        ranked: whether the similarity is the rank correlation, in place of SSIM.
    """
    seen: list[Tensor] = []

    def explain(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        seen.append(batch.explain(model, images, targets))
        return seen[-1]

    classes = batch.model(batch.images[:1]).shape[1]
    values = quantus_metrics.random_logit(replace(batch, explain=explain), classes, ranked)
    return MetricStages(inputs=seen[-1][:, None], sum=torch.from_numpy(values))


def complexity(batch: Explained, name: str) -> MetricStages:
    """Return what a metric of the map alone gives."""
    return MetricStages(sum=torch.from_numpy(evaluated(name, batch)))
