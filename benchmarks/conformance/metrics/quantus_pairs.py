"""Our metrics and Quantus's, which is run itself, with the known reasons for which they differ."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from heatmark.benchmarks.conformance.metrics import ours, quantus_ours
from heatmark.benchmarks.conformance.metrics.batches import HEIGHT, WIDTH
from heatmark.benchmarks.conformance.metrics.comparison import REFUSED, MetricCause, Pair, Side
from heatmark.benchmarks.conformance.metrics.quantus_ours import ranks_of
from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.stages import MetricStages
from heatmark.metrics.faithfulness_correlation import FaithfulnessCorrelation
from heatmark.metrics.irof import IROF
from heatmark.metrics.monotonicity import Monotonicity
from heatmark.metrics.monotonicity_correlation import MonotonicityCorrelation
from heatmark.metrics.region_perturbation import RegionPerturbation

STEPS, FEATURES = 12, HEIGHT * WIDTH * 3 // 12
"""Steps of equal size on the toy network's images, and a step's features: channels of pixels."""

PATCH = 2
BLACK = "Quantus's black is the smallest value of the normalised image; ours is the mean colour."


def theirs(name: str) -> Callable[..., MetricStages]:
    """Return a function of the module of Quantus's sides, which is imported when it is called."""

    def run(batch: Explained, **options: Any) -> MetricStages:
        from heatmark.benchmarks.conformance.metrics import quantus_sides  # it may not be installed

        stages: MetricStages = getattr(quantus_sides, name)(batch, **options)
        return stages

    return run


def ranked(run: Callable[..., MetricStages]) -> Callable[..., MetricStages]:
    """Return a side that is given the ranks of the pixels in our order of ties."""
    return lambda batch, **options: run(batch, ranks=ranks_of(batch), **options)


def flipping_pairs() -> Iterator[tuple[str, Pair]]:
    """Yield the comparisons of metrics that replace pixels in an order, with the name of the batch."""
    yield "toy", _pixel_flipping()
    yield "untied", _regions()
    yield from _irof()
    yield "toy", _monotonicity()
    yield "untied", _monotonicity_correlation()
    yield from _subsets()


def _pixel_flipping() -> Pair:
    def run(batch: Explained, together: bool = False, **options: Any) -> MetricStages:
        ranks = ranks_of(batch) if together else None
        return theirs("pixel_flipping")(batch, ranks=ranks, **options)

    def mine(batch: Explained, **options: Any) -> MetricStages:
        stages = ours.pixel_flipping(batch, Deletion(10, preset="rise-2018"), **options)
        assert stages.masks is not None
        return replace(stages, masks=stages.masks.repeat(1, 1, batch.images.shape[1]))

    return Pair(
        "deletion",
        "quantus",
        Side(mine),
        Side(run),
        (
            MetricCause(
                "channels_as_features",
                "Quantus removes a channel of a pixel after the other; given maps whose channels follow each other, it "
                "removes pixels.",
                "order",
                theirs={"together": True},
            ),
            MetricCause(
                "one_feature_per_step",
                "A feature is removed per step, by default.",
                "masks",
                ours={"steps": STEPS},
                theirs={"features": FEATURES},
            ),
            MetricCause(
                "black_is_minimum",
                "Black is the smallest value of the normalised image, not zero.",
                "fills",
                theirs={"fill": 0.0},
            ),
            MetricCause("intact_point_missing", "The curve lacks the intact image.", "curve", theirs={"intact": True}),
            MetricCause(
                "steps_of_one",
                "The area counts every step as 1: it grows with their number.",
                "sum",
                theirs={"unit_steps": False},
            ),
        ),
        must_differ=True,
    )


def _regions() -> Pair:
    side = partial(quantus_ours.drops, metric=RegionPerturbation(PATCH, ties="raster"))
    missing = "The drops begin at the first patch, without the intact image's 0."
    area = "The value is the area with dx = 1, which grows with the number of patches; ours is the mean drop."
    return Pair(
        "region_perturbation",
        "quantus",
        Side(side),
        Side(theirs("region_perturbation"), {"patch": PATCH}),
        (
            MetricCause("black_is_minimum", BLACK, "fills", ours={"baseline": "image_minimum"}),
            MetricCause("intact_point_missing", missing, "curve", theirs={"intact": True}),
            MetricCause("area_for_mean", area, "sum", ours={"area": True}),
        ),
        must_differ=True,
    )


def _irof() -> Iterator[tuple[str, Pair]]:
    refuses = (
        "Quantus's IROF raises for images of three channels ('shape of arr must be the same as the mask shape'); it "
        "takes images of one."
    )
    drifts = (
        "Its mean is that of the images so far perturbed, and drifts from step to step; given a number, it writes "
        "in that."
    )
    metric = IROF(segments=6, baseline="zero", ties="raster")
    mine = Side(partial(quantus_ours.relative_area, metric=metric))
    run = Side(lambda batch, **options: theirs("irof")(batch, segments=quantus_ours.segments_of(batch, 6), **options))
    cause = MetricCause("refuses_three_channels", refuses, REFUSED, ours={"grey": True}, theirs={"grey": True})
    yield "toy", Pair("irof", "quantus", mine, run.with_options({"fill": 0.0}), (cause,), must_differ=True)
    grey = {"grey": True}
    drifting = MetricCause("mean_drifts", drifts, "sum", theirs={"fill": 0.0})
    yield "toy", Pair("irof", "quantus", mine.with_options(grey), run.with_options(grey), (drifting,), must_differ=True)


def _monotonicity() -> Pair:
    writes = (
        "Quantus writes the fill into the fill, and never shows the model a pixel of the image: every map is monotone. "
        "Given a function that writes the image's values in, it shows what ours shows."
    )
    whole = "The value is whether no step falls at all; ours is the share of the steps that do not."
    metric = Monotonicity(steps=STEPS, baseline="image_minimum", ties="raster")
    return Pair(
        "monotonicity",
        "quantus",
        Side(partial(quantus_ours.built_up, metric=metric)),
        Side(ranked(theirs("monotonicity")), {"features": FEATURES}),
        (
            MetricCause("fill_into_fill", writes, "inputs", theirs={"inserts": True}),
            MetricCause("whole_or_nothing", whole, "sum", ours={"whole": True}),
        ),
        must_differ=True,
    )


def _monotonicity_correlation() -> Pair:
    one = "Its uniform fill is one number in [0, 1] for all features of a draw, whatever the normalisation."
    fixed = {"fill": "image_minimum"}
    return Pair(
        "monotonicity_correlation",
        "quantus",
        Side(partial(quantus_ours.pictures, metric=MonotonicityCorrelation(STEPS, 1, ties="raster"))),
        Side(ranked(theirs("monotonicity_correlation")), {"features": FEATURES, "samples": 1}),
        (MetricCause("one_number_per_draw", one, "inputs", ours=fixed, theirs={"fill": "black"}),),
        must_differ=True,
    )


def _subsets() -> Iterator[tuple[str, Pair]]:
    features = "Its subsets are of single channels of pixels, drawn from the global state; ours are of cells."
    metric = FaithfulnessCorrelation(cells=4, samples=20)
    mine = Side(partial(quantus_ours.subset_correlation, metric=metric))
    drawn = partial(theirs("faithfulness_correlation"), size=40, samples=20)
    logits = "Its default score is the logit, though that of its other metrics is the probability."
    cause = MetricCause("features_for_cells", features, "masks", ours={"given": partial(drawn, softmax=True)})
    read = MetricCause("logits_for_probabilities", logits, "scores", theirs={"softmax": True})
    yield "toy", Pair("faithfulness_correlation", "quantus", mine, Side(drawn), (cause, read), must_differ=True)
    chosen = "It removes the most relevant features first, more and more of them; no subset is drawn."
    across = (
        "It correlates the numbers of a step over the images of the batch, one value per step, and the relevance is "
        "that of the last step alone."
    )
    steps = partial(theirs("sensitivity_n"), features=FEATURES)
    causes = (
        MetricCause("most_relevant_first", chosen, "masks", ours={"given": steps}),
        MetricCause("correlated_over_the_batch", across, "sum", ours={"across": True}),
    )
    yield "gradient", Pair("sensitivity_n", "quantus", mine, Side(steps), causes, must_differ=True)
