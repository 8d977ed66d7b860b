"""Metrics compared with other packages' code: what differs, at which stage, by how much, and why."""

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.metrics import batches, ours
from heatmark.benchmarks.conformance.metrics.comparison import (
    LIBRARIES,
    MetricCause,
    Pair,
    RefusalError,
    Side,
    compared,
    first_difference,
)
from heatmark.benchmarks.conformance.metrics.run import (
    compare_metrics,
    compare_metrics_on_toy,
    compared_metrics,
    named_metrics,
    toy_pairs,
)
from heatmark.benchmarks.conformance.metrics.table import markdown
from heatmark.benchmarks.conformance.metrics.walks import SUMS, Conventions, walk
from heatmark.benchmarks.conformance.report import is_red
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.stages import MetricStages
from heatmark.metrics.insertion import Insertion
from heatmark.metrics.max_sensitivity import MaxSensitivity

EXPECTED = """
deletion                torchcam         order  ties_in_raster_order      0.354
deletion                torchcam         masks  chunks_of_ceil            0.35
deletion                torchcam         scores logits_for_probabilities  0.345
insertion               torchcam         order  ties_in_raster_order      0.353
insertion               torchcam         masks  chunks_of_ceil            0.353
insertion               torchcam         fills  zero_for_blur             0.353
insertion               torchcam         scores logits_for_probabilities  0.353
average_drop            torchcam         scores logits_for_probabilities  0.88
average_increase        torchcam         scores logits_for_probabilities  0
average_drop            pytorch_grad_cam scores logits_for_probabilities  0.0041
average_drop            pytorch_grad_cam sum    drop_not_divided          0.0757
average_drop            pytorch_grad_cam scores logits_for_probabilities  0.0589
average_drop            pytorch_grad_cam sum    drop_not_cut              0.0757
average_increase        pytorch_grad_cam scores logits_for_probabilities  0
infidelity              captum           scores logits_for_probabilities  0.817
infidelity              captum           sum    map_not_scaled            0.809
average_increase        pytorch_grad_cam scores too_few_targets           nan
max_sensitivity         captum           sum    prediction_changed        0.862
max_sensitivity         captum           sum    divided_by_one            nan
road                    pytorch_grad_cam order  strict_threshold          0.252
road                    pytorch_grad_cam masks  percentile_of_pixels      0.223
road                    pytorch_grad_cam inputs noise_of_global_state     0.222
road                    pytorch_grad_cam scores logits_for_probabilities  0.222
road                    pytorch_grad_cam sum    change_for_score          0.175
infidelity              captum           scores logits_for_probabilities  0.205
infidelity              captum           sum    map_not_scaled            1.12
infidelity              captum           sum    factor_of_zero            nan
deletion                rise-2018        order  late_index_first          0.00147
deletion                quantus-0.6      order  channels_as_features      28
deletion                quantus-0.6      masks  one_feature_per_step      8.28
deletion                quantus-0.6      fills  black_is_minimum          1.45
deletion                quantus-0.6      curve  intact_point_missing      1.41
deletion                quantus-0.6      sum    steps_of_one              1.58
deletion                latec-2024       curve  both_ends_missing         0.0192
deletion                latec-2024       sum    steps_over_count          0.016
deletion                xplique-2.0      sum    curve_of_the_batch        0.00695
deletion                pnpxai-0.1       curve  point_missing             0.0007
deletion                pnpxai-0.1       sum    mean_of_points            0.00015
deletion                attribench-0.1.9 scores logits_for_probabilities  0.345
deletion                attribench-0.1.9 sum    mean_of_points            0.00015
deletion                chefer-2021      scores accuracy_for_probability  0.176
insertion               rise-2018        order  late_index_first          0.00256
pointing_game           quantus-0.6      sum    any_maximum_hits          0.5
pointing_game           quantus-0.6      sum    constant_map_hits         nan
pointing_game           quantus-0.6      sum    empty_mask_hits           nan
entropy                 pnpxai-0.1       sum    histogram_of_values       2.88
mu_fidelity             xplique-2.0      sum    undefined_is_zero         nan
parameter_randomisation quantus-0.6      curve  intact_model_counts       0.286
insertion               latec-2024       fills  blur_without_padding      0.0978
deletion                quantus          order  channels_as_features      27.8
deletion                quantus          masks  one_feature_per_step      25.6
deletion                quantus          fills  black_is_minimum          1.81
deletion                quantus          curve  intact_point_missing      1.77
deletion                quantus          sum    steps_of_one              1.94
region_perturbation     quantus          fills  black_is_minimum          0.133
region_perturbation     quantus          curve  intact_point_missing      0.127
region_perturbation     quantus          sum    area_for_mean             0.13
irof                    quantus          refused refuses_three_channels    nan
irof                    quantus          sum    mean_drifts               0.00431
monotonicity            quantus          inputs fill_into_fill            0.667
monotonicity            quantus          sum    whole_or_nothing          0.583
monotonicity_correlation quantus          inputs one_number_per_draw       0.413
faithfulness_correlation quantus          masks  features_for_cells        0.725
faithfulness_correlation quantus          scores logits_for_probabilities  0.123
sensitivity_n           quantus          masks  most_relevant_first       nan
sensitivity_n           quantus          sum    correlated_over_the_batch nan
max_sensitivity         quantus          sum    prediction_changed        0.862
avg_sensitivity         quantus          sum    prediction_changed        0.282
local_lipschitz         quantus          sum    batch_maximum             0.796
relative_input_stability quantus          sum    one_changed_prediction    nan
relative_output_stability quantus          sum    one_changed_prediction    nan
pointing_game           quantus          sum    any_maximum_hits          0.5
pointing_game           quantus          sum    constant_map_hits         nan
pointing_game           quantus          sum    empty_mask_hits           nan
relevance_rank_accuracy quantus          sum    ties_of_the_sort          0.0238
top_k_intersection      quantus          sum    ties_of_the_sort          0.0742
energy_inside           quantus          sum    signed_relevance          0.217
parameter_randomisation quantus          curve  intact_model_counts       0.286
random_logit            quantus          inputs class_by_place            0.96
random_logit            quantus          sum    windows_of_a_row          0.971
"""
"""Metric, other implementation, first stage that differs, cause, and by how much the values differ."""

TOLD = [line.split() for line in EXPECTED.strip().splitlines()]
ABSENT = {name for name in LIBRARIES if importlib.util.find_spec(name) is None}

needs_torchcam = pytest.mark.skipif(importlib.util.find_spec("torchcam") is None, reason="torch-cam is not installed")


@pytest.fixture(scope="module")
def on_toy() -> list[Finding]:
    return list(compare_metrics_on_toy(compared_metrics()))


def test_the_divergences_of_the_field_are_found_with_stage_size_and_cause(on_toy: list[Finding]) -> None:
    expected = [line for line in TOLD if line[1] not in ABSENT]
    found = [f for f in on_toy if f.verdict == "diverges"]
    assert [[f.method, f.check, f.stage, f.cause] for f in found] == [line[:4] for line in expected]
    sizes = torch.tensor([float(line[4]) for line in expected], dtype=torch.float64)
    moved = torch.tensor([f.map_moved for f in found], dtype=torch.float64)
    torch.testing.assert_close(moved, sizes, rtol=0.05, atol=1e-9, equal_nan=True)


FIELD = {
    "captum": {"map_not_scaled", "prediction_changed", "logits_for_probabilities"},
    "pytorch_grad_cam": {"strict_threshold", "noise_of_global_state", "drop_not_divided", "too_few_targets"},
    "torchcam": {"chunks_of_ceil", "zero_for_blur", "logits_for_probabilities"},
    "quantus": {
        "channels_as_features", "intact_point_missing", "steps_of_one", "mean_drifts", "refuses_three_channels",
        "fill_into_fill", "one_number_per_draw", "most_relevant_first", "correlated_over_the_batch", "batch_maximum",
        "one_changed_prediction", "constant_map_hits", "empty_mask_hits", "any_maximum_hits", "intact_model_counts",
    },
}  # fmt: skip
"""Divergences that are known of the field, by the library, which is run itself."""


@pytest.mark.parametrize("library", FIELD)
def test_what_the_field_is_known_for_is_found_in_the_library_itself(library: str, on_toy: list[Finding]) -> None:
    if library in ABSENT:
        pytest.skip(f"{library} is not installed")
    assert {f.cause for f in on_toy if f.check == library} >= FIELD[library]


def test_ten_are_found_where_nothing_but_the_packages_of_a_fresh_clone_is_installed(on_toy: list[Finding]) -> None:
    here = [f for f in on_toy if f.check not in ("torchcam", "quantus") and f.verdict == "diverges"]
    assert len({(f.check, f.cause) for f in here}) >= 20
    assert len({(f.check, f.cause) for f in here if f.check in LIBRARIES}) >= 10


def test_a_refusal_is_an_outcome_with_a_cause_or_red() -> None:
    def refuses(_batch: object, talks: bool = False) -> MetricStages:
        if not talks:
            raise RefusalError("AssertionError: shapes")
        return MetricStages(sum=torch.ones(1))

    mine = given(sum=[1.0])
    cause = MetricCause("refuses", "", "refused", theirs={"talks": True})
    assert told(Pair("m", "other", mine, Side(refuses), (cause,))) == [("diverges", "refused", "refuses", False)]
    assert told(Pair("m", "other", mine, Side(refuses))) == [("diverges", "refused", "unexplained", True)]


def test_the_table_has_a_row_per_divergence(on_toy: list[Finding]) -> None:
    lines = markdown(on_toy).splitlines()
    assert len(lines) == 2 + sum(f.verdict == "diverges" for f in on_toy)
    assert {line.count(" | ") for line in lines} == {4}
    row = "| pointing_game | quantus-0.6 | sum | 0.5 | `any_maximum_hits`: Any of several equal maxima"
    assert [line.startswith(row) for line in lines].count(True) == 1


def test_nothing_is_red_and_at_least_ten_causes_are_known(on_toy: list[Finding]) -> None:
    assert not [f for f in on_toy if is_red(f)]
    assert len({(f.check, f.cause) for f in on_toy if f.cause}) >= 10


def test_a_size_at_the_stage_is_that_of_the_stage(on_toy: list[Finding]) -> None:
    (pointing,) = [f for f in on_toy if (f.check, f.cause) == ("quantus-0.6", "any_maximum_hits")]
    assert (pointing.max_abs, pointing.relative) == (0.5, 0.5)  # half of two maxima against a hit
    assert pointing.note.endswith("Ours is 0.5 here, theirs 1.")
    (road,) = [f for f in on_toy if f.cause == "percentile_of_pixels"]
    assert road.max_abs == 1  # a pixel that one imputes and the other does not


@pytest.mark.parametrize(
    ("metric", "conventions"),
    [
        (Deletion(10, preset="rise-2018"), Conventions()),
        (Insertion(10, "zero", "rise-2018"), Conventions(inserts=True)),
        (Deletion(7, ties="reversed"), Conventions(ties="last", steps=7)),
    ],
)
def test_the_walk_without_deviations_is_our_metric_at_every_stage(
    metric: Deletion | Insertion, conventions: Conventions
) -> None:
    batch = batches.toy_batch()
    mine, theirs = ours.pixel_flipping(batch, metric), walk(batch, conventions)
    for stage in ("order", "masks", "fills", "inputs", "scores", "curve", "sum"):
        torch.testing.assert_close(getattr(mine, stage).double(), getattr(theirs, stage).double(), rtol=0, atol=1e-12)


class RedSum(nn.Module):
    """Two logits: the sum of the first channel, and 0."""

    def forward(self, images: Tensor) -> Tensor:
        red = images[:, 0].sum(dim=(1, 2))
        return torch.stack([red, torch.zeros_like(red)], dim=1)


def test_a_walk_by_hand() -> None:
    image = torch.zeros(1, 3, 1, 2).double()
    image[0, 0, 0] = torch.tensor([3.0, 1.0])
    batch = replace(batches.toy_batch(), model=RedSum().eval(), images=image, targets=torch.tensor([0]))
    batch = replace(batch, maps=image[:, 0])
    logits = walk(batch, Conventions(steps=2, score="logit"))
    assert logits.scores is not None
    assert logits.scores.tolist() == [[4.0, 1.0, 0.0]]
    sums = {
        rule: float(walk(batch, Conventions(steps=2, score="logit"), rule=rule).sum)  # type: ignore[arg-type]
        for rule in SUMS
    }
    assert sums == pytest.approx(
        {"trapezoid": 1.5, "unit_steps": 3.0, "over_count": 1.0, "mean": 5 / 3, "mean_of_batch": 1.5}
    )
    black = walk(batch, Conventions(steps=2, score="logit", fill="black", points="without_intact", rule="mean"))
    assert black.sum is not None
    assert float(black.sum) == 0.5


def given(**stages: object) -> Side:
    """Return a side that gives stages of plain numbers, and other sums where it is told to."""

    def run(_batch: object, **options: object) -> MetricStages:
        told = {**stages, **options}
        return MetricStages(**{name: torch.tensor(values, dtype=torch.float64) for name, values in told.items()})

    return Side(run)


def told(pair: Pair) -> list[tuple[str, str, str, bool]]:
    return [(f.verdict, f.stage, f.cause, is_red(f)) for f in compared(pair, batches.toy_batch(), "toy")]


def test_causes_are_undone_one_after_the_other_and_what_is_left_is_red() -> None:
    mine, other = given(scores=[[1.0]], sum=[1.0]), given(scores=[[2.0]], sum=[3.0])
    scores = MetricCause("of_scores", "", "scores", theirs={"scores": [[1.0]]})
    sums = MetricCause("of_sums", "", "sum", ours={"sum": [3.0]})
    known = [("diverges", "scores", "of_scores", False)]
    assert told(Pair("m", "other", mine, other, (scores, sums))) == [*known, ("diverges", "sum", "of_sums", False)]
    assert told(Pair("m", "other", mine, other, (scores,))) == [*known, ("diverges", "sum", "unexplained", True)]
    assert told(Pair("m", "other", mine, other, (sums,))) == [("diverges", "scores", "unexplained", True)]
    useless = replace(scores, theirs={"scores": [[5.0]]})
    assert told(Pair("m", "other", mine, other, (useless,))) == [("diverges", "scores", "unexplained", True)]


def test_a_metric_that_does_what_a_profile_does_wrong_is_red() -> None:
    mine = given(sum=[1.0])
    assert told(Pair("m", "other", mine, mine, must_differ=True)) == [("diverges", "sum", "implementation", True)]
    assert told(Pair("m", "other", mine, mine)) == [("agrees", "sum", "", False)]


def test_rounding_is_no_difference_and_what_breaks_is_a_row() -> None:
    assert told(Pair("m", "other", given(sum=[1e-9]), given(sum=[3e-9]))) == [("agrees", "sum", "", False)]
    assert told(Pair("m", "other", given(sum=[1.0]), given(sum=[1 + 2e-5])))[0][3]
    assert told(Pair("m", "other", given(sum=[1.0]), given(scored=[1.0]))) == [("error", "", "", True)]
    assert first_difference(MetricStages(), MetricStages()).stage == ""


def test_a_library_that_is_not_installed_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    found = list(compare_metrics_on_toy(["average_increase"]))
    assert {(f.check, f.verdict, f.note) for f in found} == {
        ("torchcam", "skipped", "torchcam is not installed"),
        ("pytorch_grad_cam", "skipped", "pytorch_grad_cam is not installed"),
    }


def test_names_of_metrics_are_those_that_are_compared() -> None:
    assert named_metrics(["road", "entropy"]) == ["road", "entropy"]
    with pytest.raises(ValueError, match="pointing_game"):
        named_metrics(["pointing_gam"])


def classifier(weight: float) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
        )
    module[4].weight.data *= weight
    return Classifier("net", module.eval(), "random-0", Preprocessing())


@needs_torchcam
def test_a_network_is_compared_with_the_libraries_on_its_own_maps() -> None:
    images = torch.randn(2, 3, 10, 11, generator=torch.Generator().manual_seed(1))
    names = compared_metrics()
    found = list(compare_metrics(classifier(3.0), images, torch.tensor([1, 2]), "0", names))
    assert not [f for f in found if is_red(f)]
    assert {(f.model, f.layer) for f in found} == {("net", "0")}
    assert {f.check for f in found} == {"torchcam", "pytorch_grad_cam", "captum"}
    assert {"chunks_of_ceil", "zero_for_blur", "logits_for_probabilities"} <= {f.cause for f in found}
    (skipped,) = compare_metrics(classifier(0.0), images, torch.tensor([1, 2]), "0", names)
    assert (skipped.verdict, skipped.note) == ("skipped", "every Grad-CAM is constant")


def faulty(cause: str) -> Iterator[Pair]:
    """Yield pairs in which ours itself has the fault of a profile."""
    for _, pair in toy_pairs():
        if pair.must_differ and pair.check not in LIBRARIES and cause in [each.name for each in pair.causes]:
            yield replace(pair, ours=pair.theirs)


@pytest.mark.parametrize("cause", ["any_maximum_hits", "histogram_of_values", "blur_without_padding", "mean_of_points"])
def test_a_fault_that_ours_would_share_is_red(cause: str) -> None:
    for pair in faulty(cause):
        batch = batches.two_maxima(batches.toy_batch())
        assert [is_red(f) for f in compared(pair, batch, "toy")] == [True]


def test_a_remembering_model_runs_equal_pictures_once() -> None:
    seen: list[int] = []

    class Counting(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(len(images))
            return images.flatten(1)

    images = torch.rand(2, 3, 2, 2)
    model = batches.Remembering(Counting())
    assert torch.equal(model(images[[0, 1, 0]]), images[[0, 1, 0]].flatten(1))
    assert torch.equal(model(images), images.flatten(1))
    assert seen == [1, 1]


def test_partial_sides_take_options_on_top() -> None:
    side = Side(partial(ours.pixel_flipping, metric=Deletion(4))).with_options({"steps": 8})
    stages = side.stages(batches.toy_batch())
    assert stages.scores is not None
    assert stages.scores.shape == (3, 9)


def test_max_sensitivity_draws_evenly_to_both_sides() -> None:
    batch = batches.explained_by_gradient(batches.toy_batch())
    moved = ours.moved_images(batch, MaxSensitivity(radius=0.5, samples=20)).inputs
    assert moved is not None
    change = moved - batch.images[:, None]
    assert float(change.abs().max()) <= 0.5
    assert abs(float(change.mean())) < 0.02  # 4 standard errors of 8640 draws are 0.0124
    assert float(change.std()) == pytest.approx(0.5 / 3**0.5, rel=0.03)
