"""Faults planted one at a time: the part of ``heatmark check`` that needs no model of the user's turns red at each."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.inputs import check_inputs
from heatmark.benchmarks.conformance.refusals import check_refusals
from heatmark.benchmarks.conformance.report import is_red
from heatmark.benchmarks.conformance.suite import BRIEFLY, check_toys, check_traps, claims
from heatmark.benchmarks.conformance.toy_libraries import compare_on_toys
from heatmark.common import model_state, seeds
from heatmark.common.features import FeatureLayout
from heatmark.methods import ablation_cam, edge_filter, eigen_cam, fusion, random_map, rise, score_cam
from heatmark.methods.centre_prior import CentrePrior
from heatmark.methods.engine import cam, capture
from heatmark.methods.engine.partial_forward import PartialForward, partial_forwards
from heatmark.methods.external import captum_gradients, pgc
from heatmark.methods.grad_cam import GradCAM

Plant = Callable[[pytest.MonkeyPatch], None]
ALL = claims({"grad_cam": GradCAM(), **BRIEFLY})


def reds(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    return {(f.method, f.check) for f in findings if is_red(f)}


# ---- of CAMs that ask the network again


def overwritten(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    """Return the layer's own output, after whatever runs in place has written into it."""
    kept: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, output: kept.append(output))
    with model_state.observing(model):
        model(images)
    handle.remove()
    return kept[0]


def eigen_cam_without_clone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cam, "activations_at", overwritten)


def score_cam_without_clone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(score_cam, "activations_at", overwritten)


def resumed(patch: pytest.MonkeyPatch, change: Callable[..., PartialForward]) -> None:
    """Change what Ablation-CAM is given; ``change`` takes the run, model, images and layer."""

    @contextmanager
    def faulty(model: nn.Module, images: Tensor, layer: str) -> Iterator[PartialForward]:
        with partial_forwards(model, images, layer) as run:
            yield change(run, model, images, layer)

    patch.setattr(ablation_cam, "partial_forwards", faulty)


def ablation_cam_without_clone(patch: pytest.MonkeyPatch) -> None:
    resumed(patch, lambda run, model, images, layer: replace(run, features=overwritten(model, images, layer)))


def replay_passed_by(patch: pytest.MonkeyPatch) -> None:
    """Other features change nothing, as where torch's fast path skips the layer."""
    resumed(patch, lambda run, *_: replace(run, head=lambda f, n: run.logits[n].expand(len(f), -1)))


def replay_of_the_first_image(patch: pytest.MonkeyPatch) -> None:
    resumed(patch, lambda run, *_: replace(run, head=lambda f, _n: run.head(f, 0)))


def first_images_features(patch: pytest.MonkeyPatch) -> None:
    resumed(patch, lambda run, *_: replace(run, features=run.features[:1].expand_as(run.features).clone()))


def drops_of_the_next_image(patch: pytest.MonkeyPatch) -> None:
    ours = ablation_cam.channel_drops

    def drops(run: PartialForward, feature_layout: FeatureLayout, n: int, target: Tensor, rows: int) -> Tensor:
        return ours(run, feature_layout, (n + 1) % len(run.features), target, rows)

    patch.setattr(ablation_cam, "channel_drops", drops)


def absolute_logit_in_the_denominator(patch: pytest.MonkeyPatch) -> None:
    ours = ablation_cam.target_logits
    patch.setattr(ablation_cam, "target_logits", lambda logits, targets: ours(logits, targets).abs())


def first_images_activations(patch: pytest.MonkeyPatch) -> None:
    ours = capture.activations_at
    for module in (cam, score_cam):
        patch.setattr(module, "activations_at", lambda *where: (A := ours(*where))[:1].expand_as(A).clone())


def weights_of_another_image(patch: pytest.MonkeyPatch) -> None:
    ours = score_cam.ScoreCAM._increase_of_confidence
    patch.setattr(score_cam.ScoreCAM, "_increase_of_confidence", lambda *args: ours(*args).roll(1, dims=0))


def masks_with_aligned_corners(patch: pytest.MonkeyPatch) -> None:
    def masks(maps: Tensor, size: tuple[int, ...]) -> Tensor:
        up = nn.functional.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=True)[:, 0]
        low, high = up.amin(dim=(1, 2), keepdim=True), up.amax(dim=(1, 2), keepdim=True)
        return (up - low) / (high - low)

    patch.setattr(score_cam, "unit_masks", masks)


def a_thousandth_too_much(patch: pytest.MonkeyPatch) -> None:
    ours = score_cam.ScoreCAM._increase_of_confidence
    patch.setattr(score_cam.ScoreCAM, "_increase_of_confidence", lambda *args: 1.001 * ours(*args))


def centred_components(patch: pytest.MonkeyPatch) -> None:
    ours = eigen_cam.first_component
    patch.setattr(eigen_cam, "first_component", lambda A: ours(A - A.mean(dim=(2, 3), keepdim=True)))


def negative_components(patch: pytest.MonkeyPatch) -> None:
    ours = eigen_cam.first_component
    patch.setattr(eigen_cam, "first_component", lambda A: -ours(A))


# ---- of axes


def arranged(patch: pytest.MonkeyPatch, arrange: Callable[..., FeatureLayout | None]) -> None:
    """Read layers by other rules; where these say nothing, as we do."""
    ours = capture.layout_at

    def faulty(model: nn.Module, layer: str, features: Tensor, images: Tensor) -> FeatureLayout:
        return arrange(features, images) or ours(model, layer, features, images)

    for module in (capture, ablation_cam):
        patch.setattr(module, "layout_at", faulty)


def axes_by_sizes(patch: pytest.MonkeyPatch) -> None:
    """Channels last where that has the picture's aspect exactly, as it was concluded once."""

    def arrange(features: Tensor, images: Tensor) -> FeatureLayout | None:
        if features.ndim != 4:
            return None
        (a, b, c), (height, width) = features.shape[1:], images.shape[-2:]
        last, first = a * width == b * height, b * width == c * height
        return FeatureLayout(3, 0, (a, b)) if last and not first else None

    arranged(patch, arrange)


def always_channels_first(patch: pytest.MonkeyPatch) -> None:
    arranged(patch, lambda f, _: FeatureLayout(1, 0, (f.shape[2], f.shape[3])) if f.ndim == 4 else None)


def flattened_places_as_tokens(patch: pytest.MonkeyPatch) -> None:
    def arrange(features: Tensor, _images: Tensor) -> FeatureLayout | None:
        side = round(features.shape[1] ** 0.5)
        return FeatureLayout(2, 0, (side, side)) if features.ndim == 3 and side**2 == features.shape[1] else None

    arranged(patch, arrange)


def class_token_for_a_place(patch: pytest.MonkeyPatch) -> None:
    ours = FeatureLayout.maps
    patch.setattr(
        FeatureLayout,
        "maps",
        lambda self, f: ours(self, f.roll(1, dims=1)) if f.ndim == 3 and self.channel_dim == 2 else ours(self, f),
    )


TRAPPED: list[tuple[Plant, str]] = [
    (eigen_cam_without_clone, "eigen_cam"),
    (score_cam_without_clone, "score_cam"),
    (ablation_cam_without_clone, "ablation_cam"),
    (replay_passed_by, "ablation_cam"),
    (replay_of_the_first_image, "ablation_cam"),
    (first_images_features, "ablation_cam"),
    (drops_of_the_next_image, "ablation_cam"),
    (absolute_logit_in_the_denominator, "ablation_cam"),
    (first_images_activations, "eigen_cam"),
    (first_images_activations, "score_cam"),
    (weights_of_another_image, "score_cam"),
    (masks_with_aligned_corners, "score_cam"),
    (a_thousandth_too_much, "score_cam"),
    (centred_components, "eigen_cam"),
    (negative_components, "eigen_cam"),
    (axes_by_sizes, "grad_cam"),
    (axes_by_sizes, "ablation_cam"),
    (always_channels_first, "grad_cam"),
    (flattened_places_as_tokens, "grad_cam"),
    (flattened_places_as_tokens, "eigen_cam"),
    (class_token_for_a_place, "grad_cam"),
]


def test_without_a_fault_the_toys_are_green() -> None:
    assert (
        reds([*check_toys(ALL), *check_traps(ALL), *check_refusals(ALL), *check_inputs(), *compare_on_toys()]) == set()
    )


@pytest.mark.parametrize(("plant", "method"), TRAPPED, ids=lambda v: getattr(v, "__name__", v))
def test_a_planted_fault_is_red_against_the_reference_implementation(
    plant: Plant, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = [claim for claim in ALL if claim.name == method]
    plant(monkeypatch)
    assert (method, "reference_implementation") in reds([*check_toys(mine), *check_traps(mine)])


@pytest.mark.parametrize(
    ("plant", "method"),
    [
        (eigen_cam_without_clone, "eigen_cam"),
        (score_cam_without_clone, "score_cam"),
        (ablation_cam_without_clone, "ablation_cam"),
        (a_thousandth_too_much, "score_cam"),
    ],
)
def test_no_cause_explains_a_fault_of_ours_away(plant: Plant, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Activations that are overwritten on both sides once passed for centred ones."""
    plant(monkeypatch)
    assert (method, "pytorch_grad_cam") in reds(compare_on_toys())


# ---- of layers in series, refusals, precisions


def fused_without_scaling(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fusion, "unit_range", lambda maps: maps)


def any_target_is_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(capture, "target_logits", lambda logits, t: logits[torch.arange(len(t)), t % logits.shape[1]])


def half_precision_is_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(capture, "full_precision", lambda features: features)


def called_with_an_offset(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cam.GradientCAM, "__call__", lambda self, *where: self.relevance(capture.capture(*where)) - 1)


@pytest.mark.parametrize(
    ("plant", "checks", "red"),
    [
        (called_with_an_offset, check_refusals, ("grad_cam", "call")),
        (fused_without_scaling, check_traps, ("fused_mean", "reference_implementation")),
        (any_target_is_taken, check_refusals, ("grad_cam", "target_beyond_the_classes")),
        (half_precision_is_kept, check_refusals, ("grad_cam", "half_precision")),
    ],
)
def test_other_faults_of_layer_methods(plant: Plant, checks, red: tuple[str, str], monkeypatch) -> None:
    plant(monkeypatch)
    assert red in reds(checks(ALL))


# ---- of methods that explain the input


def sigma_of_pixels(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CentrePrior, "_profile", lambda self, side: torch.exp(-torch.linspace(-1, 1, side).square()))


def zeros_around_the_picture(patch: pytest.MonkeyPatch) -> None:
    ours = nn.functional.pad
    patch.setattr(edge_filter.F, "pad", lambda x, sides, mode: ours(x, sides))


def noise_from_the_order(patch: pytest.MonkeyPatch) -> None:
    count = iter(range(1000))
    patch.setattr(random_map, "image_generator", lambda _image, _seed: torch.Generator().manual_seed(next(count)))


def seed_left_out(patch: pytest.MonkeyPatch) -> None:
    ours = seeds.image_seed
    patch.setattr(seeds, "image_seed", lambda image, seed, purpose: ours(image, seed + 1, purpose))


def masks_not_cropped(patch: pytest.MonkeyPatch) -> None:
    ours = rise.place
    patch.setattr(rise, "place", lambda grids, offsets, size: ours(grids, offsets * 0, size))


def sum_for_largest_gradient(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(captum_gradients, "largest_magnitude", lambda a: a.abs().sum(dim=1))


@pytest.mark.parametrize(
    ("plant", "method"),
    [
        (sigma_of_pixels, "centre_prior"),
        (zeros_around_the_picture, "edge_filter"),
        (noise_from_the_order, "random"),
        (seed_left_out, "random"),
        (masks_not_cropped, "rise"),
        (sum_for_largest_gradient, "captum_saliency"),
        (sum_for_largest_gradient, "captum_smooth_grad"),
    ],
)
def test_a_planted_fault_is_red_against_its_closed_form(plant: Plant, method: str, monkeypatch) -> None:
    plant(monkeypatch)
    assert (method, "closed_form") in reds(check_inputs())


def test_an_adapter_that_gives_another_map_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = pgc.PytorchGradCAM.raw
    monkeypatch.setattr(pgc.PytorchGradCAM, "raw", lambda *args: ours(*args).flip(1))
    assert ("pytorch_grad_cam grad_cam", "adapter") in reds(compare_on_toys())
