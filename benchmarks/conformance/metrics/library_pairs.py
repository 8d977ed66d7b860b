"""Our metrics and those of the installed libraries, with the known reasons for which they differ."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from heatmark.benchmarks.conformance.metrics import ours
from heatmark.benchmarks.conformance.metrics.comparison import MetricCause, Pair, Side
from heatmark.benchmarks.conformance.metrics.removal_pairs import infidelity_pair, removal_pairs
from heatmark.common.baselines import find_baseline
from heatmark.metrics.average_drop import AverageDrop
from heatmark.metrics.average_increase import AverageIncrease
from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.pixel_flipping import PixelFlipping
from heatmark.metrics.engine.stages import MetricStages
from heatmark.metrics.external import captum_metrics, pgc_metrics
from heatmark.metrics.insertion import Insertion
from heatmark.metrics.max_sensitivity import MaxSensitivity

RADIUS = 4.0
"""Of max-sensitivity, so large that some draws change the toy network's prediction."""

LOGITS = "The library reads logits unless it is told to take a softmax; the paper's metric is of probabilities."


def softmax(logits: torch.Tensor) -> torch.Tensor:
    """Return the probabilities of logits (N, classes)."""
    return logits.softmax(dim=-1)


def library_pairs(pixels: int, steps: int) -> Iterator[Pair]:
    """Yield the comparisons that any network and map allow.

    Args:
        pixels: of an image.
        steps: of the curves, a number that does not divide the pixels.
    """
    yield _flipping("deletion", Deletion(steps), pixels)
    yield _flipping("insertion", Insertion(steps), pixels)
    yield from _confidence()
    yield infidelity_pair()


def _flipping(name: str, metric: PixelFlipping, pixels: int) -> Pair:
    steps = metric.steps if isinstance(metric.steps, int) else 1
    even = {"steps": next(k for k in range(steps, 0, -1) if pixels % k == 0)}
    chunks = "torch-cam cuts P pixels into chunks of ceil(P / steps), and the last one is smaller; ours are even."
    ties = "torch-cam takes pixels of equal value in raster order; ours is drawn per image by default."
    zero = "torch-cam inserts into zero, not into the blurred image."
    return Pair(
        name,
        "torchcam",
        Side(partial(ours.pixel_flipping, metric=metric)),
        Side(_torchcam_curve, {"kind": name, "steps": steps}),
        (
            MetricCause("ties_in_raster_order", ties, "order", ours={"ties": "raster"}),
            MetricCause("chunks_of_ceil", chunks, "masks", ours=even, theirs=even),
            MetricCause("zero_for_blur", zero, "fills", theirs={"baseline": find_baseline(str(metric.baseline))}),
            MetricCause("logits_for_probabilities", LOGITS, "scores", theirs={"logits_fn": softmax}),
        ),
    )


def _confidence() -> Iterator[Pair]:
    drop, increase = (Side(partial(ours.masking, metric=metric)) for metric in (AverageDrop(), AverageIncrease()))
    logits = MetricCause("logits_for_probabilities", LOGITS, "scores", theirs={"logits_fn": softmax})
    epsilon = MetricCause(
        "epsilon_in_denominator",
        "torch-cam divides the drop by y + 10⁻⁷, which counts where the class is improbable.",
        "sum",
        theirs={"epsilon": False},
    )
    for name, side, kind, causes in (
        ("average_drop", drop, "avg_drop", (logits, epsilon)),
        ("average_increase", increase, "conf_increase", (logits,)),
    ):
        yield Pair(name, "torchcam", side, Side(_torchcam_confidence, {"kind": kind}), causes)
    logits = MetricCause("logits_for_probabilities", LOGITS, "scores", theirs={"softmax": True})
    absolute = MetricCause(
        "drop_not_divided", "pytorch-grad-cam's drop is y − o, not divided by y.", "sum", ours={"relative": False}
    )
    uncut = MetricCause(
        "drop_not_cut",
        "pytorch-grad-cam's change of confidence counts rises against drops, neither cut off at 0 nor divided by y.",
        "sum",
        ours={"relative": False},
        theirs={"kind": "drop"},
    )
    for name, side, kind, causes in (
        ("average_drop", drop, "drop", (logits, absolute)),
        ("average_drop", drop, "change", (logits, uncut)),
        ("average_increase", increase, "increase", (logits,)),
    ):
        yield Pair(name, "pytorch_grad_cam", side, Side(pgc_metrics.confidence, {"kind": kind}), causes)


def _torchcam_curve(batch: Explained, **options: Any) -> MetricStages:
    from heatmark.metrics.external.torchcam_metrics import deletion_insertion  # it may not be installed

    return deletion_insertion(batch, **options)


def _torchcam_confidence(batch: Explained, **options: Any) -> MetricStages:
    from heatmark.metrics.external.torchcam_metrics import confidence  # it may not be installed

    return confidence(batch, **options)


def special_pairs() -> Iterator[tuple[str, Pair]]:
    """Yield comparisons that need a batch made for them, with the name of the batch."""
    yield "toy", _one_target()
    yield from _sensitivity()
    yield from removal_pairs()


def _one_target() -> Pair:
    few = "Fewer targets than images were given: pytorch-grad-cam pairs them with zip, and images are left out."
    return Pair(
        "average_increase",
        "pytorch_grad_cam",
        Side(partial(ours.masking, metric=AverageIncrease())),
        Side(pgc_metrics.confidence, {"kind": "increase", "softmax": True, "targets": 1}),
        (MetricCause("too_few_targets", few, "scores", theirs={"targets": None}),),
    )


def _sensitivity() -> Iterator[tuple[str, Pair]]:
    changed = "Captum counts draws that change the predicted class, too."
    zero = "Captum divides by 1 where the map is zero everywhere, so that it has a number."
    sensitivity = Side(partial(ours.moved_images, metric=MaxSensitivity(radius=RADIUS, samples=4)))
    captum = Side(_captum_sensitivity, {"undefined": False})
    kept = MetricCause("prediction_changed", changed, "sum", ours={"kept": False})
    divided = MetricCause("divided_by_one", zero, "sum", theirs={"undefined": True})
    yield "gradient", Pair("max_sensitivity", "captum", sensitivity, captum, (kept,))
    yield "zero", Pair("max_sensitivity", "captum", sensitivity.with_options({"kept": False}), captum, (divided,))


def _captum_sensitivity(batch: Explained, undefined: bool) -> MetricStages:
    """Return Captum's max-sensitivity on our draws, NaN for a map of zeros where that is asked for."""
    moved = ours.moved_images(batch, MaxSensitivity(radius=RADIUS, samples=4)).inputs
    assert moved is not None
    stages = captum_metrics.sensitivity_max(batch, moved)
    assert stages.sum is not None
    zero = ~batch.maps.flatten(1).any(dim=1)
    return MetricStages(inputs=moved, sum=stages.sum.masked_fill(zero & undefined, torch.nan))
