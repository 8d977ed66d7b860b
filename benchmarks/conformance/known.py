"""The causes that are known, in the order in which they are tried."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.conformance import formulas, profiles
from benchmarks.conformance.causes import Cause, Evidence
from benchmarks.conformance.compare import difference
from methods.ablation_cam import AblationCAM
from methods.cam import weighted_sum
from methods.eigen_cam import EigenCAM
from methods.external.stages import guided_backprop
from methods.grad_cam_pp import GradCAMPlusPlus
from methods.layers import find_layer
from methods.pristine import untouched
from methods.score_cam import ScoreCAM
from methods.xgrad_cam import XGradCAM

GRAD_CAM_PP_EPSILONS = (1e-6, 1e-7, 1e-8)
XGRAD_EPSILONS = (1e-7, 1e-8)

Formula = Callable[[Tensor, Tensor], Tensor]
"""Activations and gradients, (N, C, h, w), to weights (N, C)."""

FROM_WEIGHTS = ("weights", "raw", "relu")
"""Where a formula for the weights shows first, by which of these stages an implementation lays open."""


@contextmanager
def handing_on_copies(model: nn.Module, layer: str) -> Iterator[None]:
    """Let the layer hand on a copy of its output, so that what runs in place after it spares what hooks have kept.

    The copy is made by a hook that is hung on the layer when it is called, hence after all hooks of libraries.
    """
    module = find_layer(model, layer)

    def hang_last(_module: nn.Module, _inputs: tuple[object, ...]) -> None:
        def copy(_module: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> Tensor:
            handle.remove()
            return output.clone()

        handle = module.register_forward_hook(copy)

    with untouched(model):
        module.register_forward_pre_hook(hang_last)
        yield


def _no_overwriting(e: Evidence) -> Iterator[Evidence]:
    """Where the peer keeps other activations when it is handed copies, take those, and all that follows."""
    with handing_on_copies(e.model, e.layer):
        theirs = e.peer(e.model, e.images, e.targets, e.layer)
    before, now = e.theirs.activations, theirs.activations
    if before is not None and now is not None and not torch.equal(before, now):
        yield replace(e, theirs=theirs)


def _before_guided_backprop(e: Evidence) -> Iterator[Evidence]:
    """Where theirs is what the peer gives after GuidedBackprop, take what it gives now."""
    if isinstance(find_layer(e.model, e.layer), nn.ReLU):
        return  # the layer itself is taken out of the model
    with untouched(e.model):
        guided_backprop(e.model, e.images[:1], e.targets[:1])
        after = e.peer(e.model, e.images, e.targets, e.layer)
    before, now = e.theirs.activations, after.activations
    if before is not None and now is not None and torch.equal(before, now):
        yield replace(e, theirs=e.peer(e.model, e.images, e.targets, e.layer))


def _enough_targets(e: Evidence) -> Iterator[Evidence]:
    """Where the last images' gradients are all 0, give every image its target."""
    gradients = e.theirs.gradients
    if gradients is not None and not gradients[-1].any():
        yield replace(e, theirs=e.peer(e.model, e.images, e.targets, e.layer))


def _with_weights(e: Evidence, weights: Tensor) -> Evidence:
    assert e.ours.activations is not None
    weights = weights.cpu()
    raw = weighted_sum(weights, e.ours.activations)
    return e.with_ours(weights=weights, raw=raw, relu=raw.relu())


def _peers_inputs(e: Evidence) -> tuple[Tensor, Tensor]:
    """Return the activations and gradients that the peer itself had, ours where it does not show them.

    Its gradients may differ from ours by rounding, which a denominator that is nearly 0 makes large.
    """
    A, G = e.theirs.activations, e.theirs.gradients
    assert e.ours.activations is not None
    assert e.ours.gradients is not None
    return (e.ours.activations if A is None else A), (e.ours.gradients if G is None else G)


def _weights_by(kind: type, paper: Formula, *others: Formula) -> Callable[[Evidence], Iterator[Evidence]]:
    """Return an experiment for one kind of method: weights by other formulas of the peer's activations and gradients.

    It is no explanation where our own weights are not the paper's.
    """

    def undone(e: Evidence) -> Iterator[Evidence]:
        A, G, weights = e.ours.activations, e.ours.gradients, e.ours.weights
        if not isinstance(e.method, kind) or A is None or G is None or weights is None:
            return
        slack = formulas.rounding_of_xgrad_cam(A, G, 0.0) if kind is XGradCAM else torch.zeros_like(weights)
        if _follows(weights, paper(A.double(), G.double()), slack):
            for formula in others:
                yield _with_weights(e, formula(*_peers_inputs(e)))

    return undone


def _follows(ours: Tensor, paper: Tensor, slack: Tensor) -> bool:
    """Say whether our numbers are the paper's, within 1e-4 of the largest and the slack, where they are defined."""
    undefined = ours.isnan() | paper.isnan()
    gaps = torch.where(undefined, 0.0, (ours - paper).abs())
    scale = torch.where(undefined, 0.0, paper.abs()).flatten(1).amax(dim=1)
    return bool((gaps <= 1e-4 * scale.view(-1, *[1] * (gaps.ndim - 1)) + 2 * slack.nan_to_num(0.0)).all())


def _centred(e: Evidence) -> Iterator[Evidence]:
    A, ours, theirs = e.ours.activations, e.ours.raw, e.theirs.raw
    if not isinstance(e.method, EigenCAM) or A is None or ours is None or theirs is None:
        return
    if _follows(ours, formulas.first_component_like(A, ours), torch.zeros_like(ours)):
        raw = formulas.first_component_like(formulas.centred(A), theirs)
        yield e.with_ours(raw=raw, relu=raw.relu())


def _softmax_over_channels(e: Evidence) -> Iterator[Evidence]:
    if isinstance(e.method, ScoreCAM) and e.ours.activations is not None:
        yield _with_weights(e, formulas.score_cam_weights(e.model, e.images, e.targets, e.ours.activations))


def _below_the_minimum(e: Evidence) -> Iterator[Evidence]:
    if isinstance(e.method, AblationCAM) and e.ours.activations is not None:
        yield _with_weights(e, formulas.ablation_weights(e.model, e.images, e.targets, e.layer))


def _second_dimension(e: Evidence) -> Iterator[Evidence]:
    """Take the second dimension of what the layer gives for its channels; there is nothing to be resized then."""
    raw = formulas.grad_cam_of_second_dimension(e.model, e.images, e.targets, e.layer).cpu()
    stages = {"weights": None, "raw": raw, "relu": raw.relu(), "resized": None, "normalised": None}
    yield replace(e, ours=replace(e.ours, **stages))


def _rounding(e: Evidence) -> Iterator[Evidence]:
    """Where the two maps differ by less than what rounding may do to either sum, take theirs."""
    A, factors = e.ours.activations, e.ours.gradients if e.ours.weights is None else e.ours.weights[:, :, None, None]
    if A is None or factors is None:
        return
    pairs = [(e.ours.raw, e.theirs.raw), (e.ours.relu, e.theirs.relu)]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    bound = 2 * formulas.rounding_of_sum(factors, A)
    if all(a.shape == b.shape and bool(((a - b).abs() <= bound).all()) for a, b in both):
        yield e.with_ours(raw=e.theirs.raw, relu=e.theirs.relu)


def _cancelling_activations(e: Evidence) -> Iterator[Evidence]:
    """Where XGrad-CAM's weights, with or without an ε, differ by less than what rounding may do, take theirs."""
    A, G, ours, theirs = e.ours.activations, e.ours.gradients, e.ours.weights, e.theirs.weights
    if not isinstance(e.method, XGradCAM) or A is None or G is None or ours is None or theirs is None:
        return
    if not _follows(
        ours, formulas.xgrad_cam_weights(A.double(), G.double(), 0.0), formulas.rounding_of_xgrad_cam(A, G, 0.0)
    ):
        return
    A, G = _peers_inputs(e)
    for eps in (0.0, *XGRAD_EPSILONS):
        bound = formulas.rounding_of_xgrad_cam(A, G, eps)
        weights = formulas.xgrad_cam_weights(A, G, eps)
        if ((weights - theirs).abs() <= 2 * bound).all():
            yield _with_weights(e, theirs)


def _resized_by(resize: profiles.Resize, stage: str) -> Callable[[Evidence], Iterator[Evidence]]:
    """Return an experiment: where the peer resized its map (of this stage) so, resize it by the profile."""

    def undone(e: Evidence) -> Iterator[Evidence]:
        maps, resized = getattr(e.theirs, stage), e.theirs.resized
        if maps is None or resized is None:
            return
        if difference("resized", resize(maps, (resized.shape[1], resized.shape[2])), resized, 1e-5).agrees:
            shown = e.shown(replace(e.theirs, relu=maps.relu()))
            yield replace(e, theirs=shown if e.theirs.normalised is not None else shown.without("normalised"))

    return undone


KNOWN = (
    Cause(
        "too_few_targets",
        "Fewer targets than images were given: pytorch-grad-cam pairs them with zip, and the images left over get "
        "zero gradients and a zero map.",
        ("gradients", "weights", "raw", "relu"),
        _enough_targets,
    ),
    Cause(
        "in_place_successor",
        "The peer keeps the layer's output without copying it, and a module that runs in place after the layer "
        "overwrites it; with a copy handed on, the peer agrees.",
        ("activations", "gradients", *FROM_WEIGHTS),
        _no_overwriting,
    ),
    Cause(
        "method_order",
        "pytorch-grad-cam's GuidedBackprop ran before and has put new ReLUs, which are not in place, on the model; "
        "its maps of the same model are others since.",
        ("activations",),
        _before_guided_backprop,
    ),
    Cause(
        "alpha_written_to_copy",
        "torch-cam's Grad-CAM++ divides α by its denominator in a copy, so that its weights are Σ relu(g)³.",
        FROM_WEIGHTS,
        _weights_by(
            GradCAMPlusPlus,
            partial(formulas.grad_cam_pp_weights, eps=0.0),
            lambda _, gradients: formulas.undivided_weights(gradients),
        ),
    ),
    Cause(
        "grad_cam_pp_denominator",
        "The peer adds an ε to Grad-CAM++'s denominator 2g² + ΣA g³, which is far larger than g² itself.",
        FROM_WEIGHTS,
        _weights_by(
            GradCAMPlusPlus,
            partial(formulas.grad_cam_pp_weights, eps=0.0),
            *(partial(formulas.grad_cam_pp_weights, eps=eps) for eps in GRAD_CAM_PP_EPSILONS),
        ),
    ),
    Cause(
        "xgrad_cam_epsilon",
        "The peer adds an ε to XGrad-CAM's denominator ΣA, which counts where the activations cancel.",
        FROM_WEIGHTS,
        _weights_by(
            XGradCAM,
            partial(formulas.xgrad_cam_weights, eps=0.0),
            *(partial(formulas.xgrad_cam_weights, eps=eps) for eps in XGRAD_EPSILONS),
        ),
    ),
    Cause(
        "cancelling_activations",
        "A channel's activations cancel: XGrad-CAM divides by a sum that is of the size of its rounding, and of the "
        "peer's ε.",
        FROM_WEIGHTS,
        _cancelling_activations,
    ),
    Cause(
        "centred_activations",
        "The peer centres every channel before Eigen-CAM's decomposition, and leaves the component's sign to chance.",
        ("raw", "relu"),
        _centred,
    ),
    Cause(
        "softmax_over_channels",
        "The peer's Score-CAM weights are a softmax over the channels of logits, of masks resized with "
        "align_corners=True, and no baseline is subtracted.",
        FROM_WEIGHTS,
        _softmax_over_channels,
    ),
    Cause(
        "ablation_below_minimum",
        "The peer's Ablation-CAM sets a channel to 10⁷ below the layer's minimum where that is not 0, instead of to 0.",
        FROM_WEIGHTS,
        _below_the_minimum,
    ),
    Cause(
        "tokens_as_channels",
        "The peer takes the layer's second dimension for its channels, which are tokens or rows, so that its map has "
        "no places.",
        ("raw", "relu"),
        _second_dimension,
    ),
    Cause(
        "cancelling_sum",
        "The channels' contributions cancel, and what is left is of the size of rounding in both implementations.",
        ("raw", "relu"),
        _rounding,
    ),
    Cause(
        "nearest_resize",
        "The peer enlarges the map by repeating pixels, not bilinearly.",
        ("resized", "normalised"),
        _resized_by(profiles.nearest, "relu"),
    ),
    Cause(
        "corners_aligned",
        "The peer resizes with align_corners=True, which moves the map against the image.",
        ("resized", "normalised"),
        _resized_by(profiles.corners_aligned, "relu"),
    ),
    Cause(
        "relu_after_resizing",
        "The peer resizes the signed map and applies the ReLU after.",
        ("resized", "normalised"),
        _resized_by(lambda raw, size: profiles.relu_after_resizing([raw], size), "raw"),
    ),
)
