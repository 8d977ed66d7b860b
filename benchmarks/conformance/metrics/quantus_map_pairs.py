"""Our metrics of maps, their place and their stability, and Quantus's, with the known reasons for which they differ."""

from collections.abc import Iterator
from functools import partial

from heatmark.benchmarks.conformance.metrics import ours, quantus_ours
from heatmark.benchmarks.conformance.metrics.comparison import MetricCause, Options, Pair, Side
from heatmark.benchmarks.conformance.metrics.quantus_pairs import theirs
from heatmark.metrics.avg_sensitivity import AvgSensitivity
from heatmark.metrics.base import Metric
from heatmark.metrics.energy_inside import EnergyInside
from heatmark.metrics.entropy import Entropy
from heatmark.metrics.gini_index import GiniIndex
from heatmark.metrics.local_lipschitz import LocalLipschitz
from heatmark.metrics.max_sensitivity import MaxSensitivity
from heatmark.metrics.parameter_randomisation import ParameterRandomisation
from heatmark.metrics.pointing_game import PointingGame
from heatmark.metrics.relative_input_stability import RelativeInputStability
from heatmark.metrics.relative_output_stability import RelativeOutputStability
from heatmark.metrics.relevance_rank_accuracy import RelevanceRankAccuracy
from heatmark.metrics.top_k_intersection import TopKIntersection

RADIUS, SAMPLES = 4.0, 4
"""Of neighbours, so far that some draws change the toy network's prediction, and not all."""


def map_pairs() -> Iterator[tuple[str, Pair]]:
    """Yield the comparisons, with the name of the batch."""
    yield from _robustness()
    yield from _pointing()
    yield from _places()
    yield from _randomisation()
    for name, metric, cls in (("entropy", Entropy(), "Complexity"), ("gini_index", GiniIndex(), "Sparseness")):
        yield "toy", Pair(name, "quantus", _value(metric), Side(theirs("complexity"), {"name": cls}))


def _value(metric: Metric) -> Side:
    return Side(partial(ours.value, metric=metric))


def _near(name: str, cls: str, metric: Metric, theirs_too: Options, cause: MetricCause) -> Pair:
    mine = Side(partial(ours.moved_images, metric=metric))
    moved = quantus_ours.neighbours_of(metric)
    return Pair(
        name,
        "quantus",
        mine,
        Side(theirs("robustness"), {"name": cls, "moved": moved, **theirs_too}),
        (cause,),
        must_differ=True,
    )


def _robustness() -> Iterator[tuple[str, Pair]]:
    changed = "It counts draws that change the predicted class, too."
    counted = MetricCause("prediction_changed", changed, "sum", ours={"kept": False})
    as_it_is: Options = {"normalise": False}
    yield (
        "gradient",
        _near("max_sensitivity", "MaxSensitivity", MaxSensitivity(radius=RADIUS, samples=SAMPLES), as_it_is, counted),
    )
    yield (
        "gradient",
        _near("avg_sensitivity", "AvgSensitivity", AvgSensitivity(radius=RADIUS, samples=SAMPLES), as_it_is, counted),
    )
    largest = "Quantus divides all maps of a batch by their largest value: the other images change an image's value."
    divided = MetricCause("batch_maximum", largest, "sum", theirs=as_it_is)
    lipschitz = LocalLipschitz(radius=0.1, samples=SAMPLES, kept=False)
    yield "gradient", _near("local_lipschitz", "LocalLipschitzEstimate", lipschitz, {}, divided)
    lost = "One draw that changes the prediction makes the value of the image NaN, by the maximum with a NaN."
    whole = MetricCause("one_changed_prediction", lost, "sum", ours={"all_kept": True})
    for name, cls, metric in (
        ("relative_input_stability", "RelativeInputStability", RelativeInputStability(radius=RADIUS, samples=SAMPLES)),
        (
            "relative_output_stability",
            "RelativeOutputStability",
            RelativeOutputStability(radius=RADIUS, samples=SAMPLES),
        ),
    ):
        yield "gradient", _near(name, cls, metric, as_it_is, whole)


def _pointing() -> Iterator[tuple[str, Pair]]:
    for batch, name, explanation, option in (
        ("two maxima", "any_maximum_hits", "Any of several equal maxima is enough for a hit.", {"each_tie": True}),
        ("one constant", "constant_map_hits", "A constant map is a hit.", {"constant": False}),
        ("empty", "empty_mask_hits", "An empty mask is a hit: its NaN is written into booleans.", {"empty": False}),
    ):
        cause = MetricCause(name, explanation, "sum", theirs=option)
        other = Side(theirs("placement"), {"name": "PointingGame"})
        yield batch, Pair("pointing_game", "quantus", _value(PointingGame()), other, (cause,), must_differ=True)


def _places() -> Iterator[tuple[str, Pair]]:
    sort = "Pixels of equal relevance are taken in the order of an unstable sort; ours are counted by their share."
    signed = "Relevance is summed with its sign, so that the value may lie outside [0, 1]."
    for name, metric, cls, options in (
        ("relevance_rank_accuracy", RelevanceRankAccuracy(), "RelevanceRankAccuracy", {}),
        ("top_k_intersection", TopKIntersection(20), "TopKIntersection", {"k": 20}),
    ):
        ties = MetricCause("ties_of_the_sort", sort, "sum", ours={"untied": True}, theirs={"untied": True})
        other = Side(quantus_ours.without_ties(theirs("placement")), {"name": cls, **options})
        mine = Side(quantus_ours.without_ties(partial(ours.value, metric=metric)))
        yield "tied", Pair(name, "quantus", mine, other, (ties,), must_differ=True)
    positive = MetricCause("signed_relevance", signed, "sum", theirs={"positive": True})
    other = Side(quantus_ours.without_negative(theirs("placement")), {"name": "RelevanceMassAccuracy"})
    yield "gradient", Pair("energy_inside", "quantus", _value(EnergyInside()), other, (positive,), must_differ=True)


def _randomisation() -> Iterator[tuple[str, Pair]]:
    intact = "The intact model, whose correlation with itself is 1, counts in the mean."
    metric = ParameterRandomisation(points=3)
    models = quantus_ours.randomised_by(metric)
    counts = MetricCause("intact_model_counts", intact, "curve", theirs={"intact": False})
    yield (
        "gradient",
        Pair(
            "parameter_randomisation",
            "quantus",
            Side(partial(ours.of_points, metric=metric)),
            Side(theirs("parameter_randomisation"), {"models": models}),
            (counts,),
            must_differ=True,
        ),
    )
    drawn = "The other class is drawn from a seed and the image's place in the batch; ours from the image itself."
    row = "Maps are compared by SSIM, of windows of 7 pixels of a map written as one row; ours by ranks."
    given = theirs("random_logit")
    causes = (
        MetricCause("class_by_place", drawn, "inputs", ours={"given": given}),
        MetricCause("windows_of_a_row", row, "sum", theirs={"ranked": True}),
    )
    yield (
        "gradient",
        Pair("random_logit", "quantus", Side(quantus_ours.random_logit), Side(given), causes, must_differ=True),
    )
