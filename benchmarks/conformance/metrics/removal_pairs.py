"""Our ROAD and infidelity, and those of pytorch-grad-cam and Captum, with the known reasons for which they differ."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from heatmark.benchmarks.conformance.metrics import ours
from heatmark.benchmarks.conformance.metrics.comparison import MetricCause, Pair, Side
from heatmark.common.probabilities import class_probabilities
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.perturbation import relevance_ranks
from heatmark.metrics.engine.perturbations import Perturbing
from heatmark.metrics.engine.stages import MetricStages, Recorder
from heatmark.metrics.engine.ties import find_tie_order
from heatmark.metrics.external import captum_metrics, pgc_metrics
from heatmark.metrics.infidelity import Infidelity
from heatmark.metrics.road import ROAD

SQUARES = Infidelity(samples=20)
"""Our infidelity: 20 squares, the map scaled to fit best, drops of the probability."""

LOGITS = "The library reads logits unless it is told to take a softmax; our default is the probability."


def infidelity_pair() -> Pair:
    """Return the comparison of our infidelity with Captum's, given the perturbations that ours draws."""
    scale = (
        "Captum compares the map's sums with the drops as they are, unless normalize=True: a map times 100 has another "
        "infidelity."
    )
    return Pair(
        "infidelity",
        "captum",
        Side(partial(our_infidelity, metric=SQUARES)),
        Side(captum_infidelity, {"softmax": False, "normalize": False}),
        (
            MetricCause("logits_for_probabilities", LOGITS, "scores", theirs={"softmax": True}),
            MetricCause("map_not_scaled", scale, "sum", theirs={"normalize": True}),
        ),
    )


def removal_pairs() -> Iterator[tuple[str, Pair]]:
    """Yield comparisons that need a batch made for them, or long, with the name of the batch."""
    yield "toy", _road()
    yield "sharp", infidelity_pair()
    zero = "Captum takes β = 0 where no factor fits, so that a map of zeros has a number."
    pair, divided = infidelity_pair(), MetricCause("factor_of_zero", zero, "sum", theirs={"undefined": True})
    alike = pair.theirs.with_options({"softmax": True, "normalize": True})
    yield "zero", replace(pair, theirs=alike, causes=(divided,))


def _road() -> Pair:
    ties = (
        "pytorch-grad-cam's ROAD imputes all pixels that equal the percentile: where most of a map is one number, the "
        "whole image is imputed."
    )
    counts = "pytorch-grad-cam's percentiles interpolate between pixels, and impute one more or less than a fraction."
    noise = "The noise is drawn from the global state for every map; ours from the image and a seed. It is left out."
    change = "pytorch-grad-cam's ROAD is the change of the score; ours is the score, as in the paper."
    return Pair(
        "road",
        "pytorch_grad_cam",
        Side(partial(our_road, metric=ROAD("road-pgc"))),
        Side(pgc_road, {"untied": False, "exact": False}),
        (
            MetricCause("strict_threshold", ties, "order", theirs={"untied": True}),
            MetricCause("percentile_of_pixels", counts, "masks", theirs={"exact": True}),
            MetricCause("noise_of_global_state", noise, "inputs", ours={"noise": 0.0}, theirs={"noise": 0.0}),
            MetricCause("logits_for_probabilities", LOGITS, "scores", theirs={"softmax": True}),
            MetricCause("change_for_score", change, "sum", theirs={"difference": False}),
        ),
    )


def our_road(batch: Explained, metric: ROAD, **options: object) -> MetricStages:
    """Return the stages of our ROAD, with some of its options changed."""
    metric = replace(metric, **options)  # type: ignore[arg-type]
    walk = ours.walked(batch, metric)
    masks = (walk.order[:, None] < walk.counts[:, None]).view(*walk.curve.y.shape, *batch.maps.shape[1:])
    return MetricStages(
        order=walk.order, masks=masks.double(), inputs=walk.inputs, scores=walk.curve.y, sum=walk.values
    )


def _order(batch: Explained, metric: ROAD) -> Tensor:
    return relevance_ranks(batch.maps, find_tie_order(metric.path.ties)(batch.images, metric.path.seed))


def pgc_road(batch: Explained, untied: bool, exact: bool, **options: object) -> MetricStages:
    """Return the stages of pytorch-grad-cam's ROAD at the fractions of ours.

    Args:
        batch: model, images, targets and maps.
        untied: whether its maps are the ranks of the pixels in our order, of which no two are equal.
        exact: whether its percentiles lie between the pixels that ours imputes and those that it leaves.
        options: of :func:`~heatmark.metrics.external.pgc_metrics.road`.
    """
    metric = ROAD("road-pgc")
    pixels, fractions = batch.maps[0].numel(), metric.path.fractions
    between = [100 * (pixels - round(fraction * pixels) - 0.5) / (pixels - 1) for fraction in fractions]
    percentiles = between if exact else [100 - 100 * fraction for fraction in fractions]
    maps = -_order(batch, metric).view(batch.maps.shape).to(batch.maps) if untied else None
    return pgc_metrics.road(batch, percentiles, maps, **options)  # type: ignore[arg-type]


def our_infidelity(batch: Explained, metric: Infidelity, **options: object) -> MetricStages:
    """Return the stages of our infidelity, with some of its options changed: the image and what is left of it."""
    metric = replace(metric, **options)  # type: ignore[arg-type]
    model = Recorder(batch.model)
    values = metric(replace(batch, model=model)).values
    given = len(batch.images) * int(metric.passes((1, 1)))
    inputs = model.given[:given].view(len(batch.images), -1, *batch.images.shape[1:])
    targets = batch.targets.repeat_interleave(inputs.shape[1])
    read = class_probabilities(model.outputs[:given]).gather(1, targets[:, None])
    return MetricStages(inputs=inputs, scores=read.view(len(batch.images), -1), sum=values)


def captum_infidelity(batch: Explained, undefined: bool = False, **options: bool) -> MetricStages:
    """Return the stages of Captum's infidelity on our perturbations, NaN for a map of zeros where that is asked for."""
    assert SQUARES.samples is not None
    assert SQUARES.size is not None
    perturbing = Perturbing(str(SQUARES.perturbation), SQUARES.size, str(SQUARES.fill), SQUARES.samples)
    _, _, *both = zip(*perturbing.drawn(batch), strict=True)
    weights, pictures = (_stacked(batch, each)[:, 1:] for each in both)
    stages = captum_metrics.infidelity(batch, weights, pictures, **options)
    assert stages.sum is not None
    zero = ~batch.maps.flatten(1).any(dim=1)
    return replace(stages, sum=stages.sum.masked_fill(zero & undefined, torch.nan))


def _stacked(batch: Explained, drawn: Sequence[Tensor]) -> Tensor:
    """Return the numbers of all perturbations, the intact image first, (N, K + 1, C, H, W)."""
    shape = batch.images.shape[1:]
    return torch.stack([each.expand(shape) for each in drawn]).view(len(batch.images), -1, *shape)
