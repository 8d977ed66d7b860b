"""Our metrics and profiles: our own reading of packages that need not be installed, with what each does differently."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import partial

from heatmark.benchmarks.conformance.metrics import ours, readings
from heatmark.benchmarks.conformance.metrics.comparison import MetricCause, Pair, Side
from heatmark.benchmarks.conformance.metrics.walks import Conventions, walk
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.pixel_flipping import PixelFlipping
from heatmark.metrics.entropy import Entropy
from heatmark.metrics.insertion import Insertion
from heatmark.metrics.mu_fidelity import MuFidelity
from heatmark.metrics.parameter_randomisation import ParameterRandomisation
from heatmark.metrics.pointing_game import PointingGame

WALKS: Mapping[str, Conventions] = {
    "rise-2018": Conventions(ties="last"),
    "quantus-0.6": Conventions(channels=True, steps=0, fill="black", points="without_intact", rule="unit_steps"),
    "latec-2024": Conventions(points="without_ends", rule="over_count"),
    "xplique-2.0": Conventions(rule="mean_of_batch"),
    "pnpxai-0.1": Conventions(points="without_last_but_one", rule="mean"),
    "attribench-0.1.9": Conventions(score="logit", rule="mean"),
    "chefer-2021": Conventions(score="accuracy"),
}
"""Deletion in other packages' code, by protocol; FIELD.md's files and commits."""

CAUSES: Mapping[tuple[str, object], tuple[str, str, str]] = {
    ("ties", "last"): (
        "late_index_first",
        "order",
        "RISE's code flips an unstable ascending order: of equal pixels the last comes first in arrays of up to 16 "
        "values, where NumPy's sort is stable, as here; in larger ones their order is the sort's.",
    ),
    ("channels", True): ("channels_as_features", "order", "A channel of a pixel is a feature, not the pixel."),
    ("steps", 0): ("one_feature_per_step", "masks", "One feature is removed per step."),
    ("fill", "black"): ("black_is_minimum", "fills", "Black is the smallest value of the normalised image, not zero."),
    ("score", "logit"): ("logits_for_probabilities", "scores", "The score is the target's logit, not its probability."),
    ("score", "accuracy"): ("accuracy_for_probability", "scores", "The score is whether the target is predicted."),
    ("points", "without_intact"): ("intact_point_missing", "curve", "The curve lacks the intact image."),
    ("points", "without_ends"): ("both_ends_missing", "curve", "The curve lacks the intact image and the last one."),
    ("points", "without_last_but_one"): ("point_missing", "curve", "The curve jumps over its last point but one."),
    ("rule", "unit_steps"): ("steps_of_one", "sum", "The area counts every step as 1: it grows with their number."),
    ("rule", "over_count"): ("steps_over_count", "sum", "The area counts a step as 1 / points, not by its fraction."),
    ("rule", "mean"): ("mean_of_points", "sum", "The curve's points are averaged, so that both ends count in full."),
    ("rule", "mean_of_batch"): ("curve_of_the_batch", "sum", "The area is that of the batch's mean curve, one number."),
}  # fmt: skip
"""What a convention is called, the stage at which it shows, and a sentence: by the field and its value."""

SAMPLES = 20


def profile_pairs() -> Iterator[tuple[str, Pair]]:
    """Yield all profiles, with the name of the batch that shows what is different."""
    for check, conventions in WALKS.items():
        yield "toy", _walked("deletion", Deletion(10, preset="rise-2018"), check, conventions)
    yield "toy", _walked("insertion", Insertion(10, "zero", "rise-2018"), "rise-2018", Conventions(True, "last"))
    yield from _pointing()
    yield from _others()


def _walked(name: str, metric: PixelFlipping, check: str, told: Conventions) -> Pair:
    """Return a pair of pixel flipping whose causes are the conventions that are not the paper's."""
    usual = Conventions(inserts=told.inserts)
    ways = [(f.name, getattr(told, f.name)) for f in fields(told) if getattr(told, f.name) != getattr(usual, f.name)]
    causes = [_cause(each, getattr(usual, each[0])) for each in ways]
    side = Side(partial(ours.pixel_flipping, metric=metric))
    return Pair(name, check, side, Side(partial(walk, conventions=told)), causes, must_differ=True)


def _cause(way: tuple[str, object], usual: object) -> MetricCause:
    name, stage, explanation = CAUSES[way]
    return MetricCause(name, explanation, stage, theirs={way[0]: usual})


def _pointing() -> Iterator[tuple[str, Pair]]:
    side, theirs = Side(partial(ours.value, metric=PointingGame())), Side(readings.quantus_pointing_game)
    nan = float("nan")
    for batch, name, explanation, option in (
        ("two maxima", "any_maximum_hits", "Any of several equal maxima is enough for a hit.", {"ties": "share"}),
        ("constant", "constant_map_hits", "A constant map is a hit.", {"constant": nan}),
        ("empty", "empty_mask_hits", "An empty mask is a hit: its NaN is written into booleans.", {"empty": nan}),
    ):
        cause = MetricCause(name, explanation, "sum", theirs=option)
        yield batch, Pair("pointing_game", "quantus-0.6", side, theirs, (cause,), must_differ=True)


def _others() -> Iterator[tuple[str, Pair]]:
    def pair(name: str, check: str, mine: Side, theirs: Side, cause: MetricCause) -> Pair:
        return Pair(name, check, mine, theirs, (cause,), must_differ=True)

    histogram = "The entropy is that of a histogram of 10 bins of the map's values, not of the pixels' shares."
    yield (
        "toy",
        pair(
            "entropy",
            "pnpxai-0.1",
            Side(partial(ours.value, metric=Entropy())),
            Side(readings.pnpxai_entropy),
            MetricCause("histogram_of_values", histogram, "sum", theirs={"bins": None}),
        ),
    )
    mu = MuFidelity(cells=4, samples=SAMPLES)
    xplique = Side(partial(readings.xplique_mu_fidelity, cells=4, samples=SAMPLES))
    undefined = MetricCause(
        "undefined_is_zero", "A correlation that is undefined counts as 0.", "sum", theirs={"undefined": float("nan")}
    )
    side = Side(partial(ours.value, metric=mu))
    yield "zero", pair("mu_fidelity", "xplique-2.0", side, xplique, undefined)
    yield "gradient", Pair("mu_fidelity", "xplique-2.0", side, xplique)
    intact = "The intact model, whose correlation with itself is 1, counts in the mean."
    yield (
        "gradient",
        pair(
            "parameter_randomisation",
            "quantus-0.6",
            Side(partial(ours.of_points, metric=ParameterRandomisation(points=3))),
            Side(partial(readings.quantus_parameter_randomisation, points=3)),
            MetricCause("intact_model_counts", intact, "curve", theirs={"intact": False}),
        ),
    )
    yield from _blurs()


def _blurs() -> Iterator[tuple[str, Pair]]:
    padded = (
        "Insertion starts from a picture blurred with reflecting borders and a Gaussian window of 15 pixels; RISE's "
        "window of 11 is nearly a box, and what lies beyond the border is zero, so that borders darken."
    )
    rise = {"pixels": 11, "border": "constant", "rise": True}
    other = Side(readings.gaussian_blur, {"pixels": 15, "sigma": 5.0, "border": "mirror"})
    cause = MetricCause("blur_without_padding", padded, "fills", theirs=rise)
    yield "toy", Pair("insertion", "latec-2024", Side(ours.blurred), other, (cause,), must_differ=True)
