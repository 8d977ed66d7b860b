"""Experiments that undo a known cause: the library run under other circumstances, or our method with its formula.

An experiment that replaces a stage of ours counts only where ours, in float64, is what the paper says
(``Evidence.is_right``): else it would replace a fault of our own, and blame the library for it. That ours is right in
this precision as well is checked here, up to rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance import formulas, profiles
from heatmark.benchmarks.conformance.causes import Evidence
from heatmark.benchmarks.conformance.compare import difference
from heatmark.common.features import find_layer
from heatmark.common.model_state import untouched
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.engine.cam import weighted_sum
from heatmark.methods.engine.stages import Stages
from heatmark.methods.external.stages import guided_backprop
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.score_cam import ScoreCAM

Formula = Callable[[Tensor, Tensor], Tensor]
"""Activations and gradients, (N, C, h, w), to weights (N, C)."""
FormulaOfEps = Callable[[Tensor, Tensor, float], Tensor]
"""The same with an ε in the denominator."""


@contextmanager
def handing_on_copies(model: nn.Module, layer: str) -> Iterator[None]:
    """Let the layer hand on a copy of its output, so that in-place operations after it leave alone what hooks kept.

    The copy is made by a hook that is registered when the layer is called, hence after all hooks of libraries.
    """
    module = find_layer(model, layer)

    def register_last(_module: nn.Module, _inputs: tuple[object, ...]) -> None:
        def copy(_module: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> Tensor:
            handle.remove()
            return output.clone()

        handle = module.register_forward_hook(copy)

    with untouched(model):
        module.register_forward_pre_hook(register_last)
        yield


def no_overwriting(e: Evidence) -> Iterator[Evidence]:
    """Yield the library's stages with copies handed on, where its activations then differ from those before."""
    with handing_on_copies(e.model, e.layer):
        theirs = e.library(e.model, e.images, e.targets, e.layer)
    before, now = e.theirs.activations, theirs.activations
    if before is not None and now is not None and not torch.equal(before, now):
        yield replace(e, theirs=theirs)


def before_guided_backprop(e: Evidence) -> Iterator[Evidence]:
    """Yield the library's stages of the untouched model, where the given ones are those after GuidedBackprop."""
    if isinstance(find_layer(e.model, e.layer), nn.ReLU):
        return  # the layer itself is taken out of the model
    with untouched(e.model):
        guided_backprop(e.model, e.images[:1], e.targets[:1])
        after = e.library(e.model, e.images, e.targets, e.layer)
    before, now = e.theirs.activations, after.activations
    if before is not None and now is not None and torch.equal(before, now):
        yield replace(e, theirs=e.library(e.model, e.images, e.targets, e.layer))


def enough_targets(e: Evidence) -> Iterator[Evidence]:
    """Yield the library's stages with a target per image, where the last image's gradients are all 0."""
    gradients = e.theirs.gradients
    if gradients is not None and not gradients[-1].any():
        yield replace(e, theirs=e.library(e.model, e.images, e.targets, e.layer))


def weights_by(
    kind: type, paper: Formula, rounding: Formula, *others: Formula
) -> Callable[[Evidence], Iterator[Evidence]]:
    """Return an experiment for one kind of method: other formulas of weights, with the library's inputs.

    It explains nothing where our own weights are not the paper's up to rounding, or our map is not made of them.
    """

    def undone(e: Evidence) -> Iterator[Evidence]:
        if isinstance(e.method, kind) and _is_made_of(e, paper, rounding):
            for formula in others:
                yield _with_weights(e, formula(*_library_inputs(e)))

    return undone


def weights_within_rounding(
    kind: type, formula: FormulaOfEps, rounding: FormulaOfEps, epsilons: Sequence[float]
) -> Callable[[Evidence], Iterator[Evidence]]:
    """Return an experiment: where the formula with one of the εs gives their weights up to rounding, take theirs.

    With an ε of 0 the formula is the paper's.
    """

    def undone(e: Evidence) -> Iterator[Evidence]:
        theirs = e.theirs.weights
        if theirs is None or not isinstance(e.method, kind):
            return
        if not _is_made_of(e, lambda A, G: formula(A, G, 0.0), lambda A, G: rounding(A, G, 0.0)):
            return
        A, G = _library_inputs(e)
        for eps in epsilons:
            if ((formula(A, G, eps) - theirs).abs() <= 2 * rounding(A, G, eps)).all():
                yield _with_weights(e, theirs)

    return undone


def centred(e: Evidence) -> Iterator[Evidence]:
    """Yield the first component of centred channels, where ours is that of the channels as they are."""
    A, ours, theirs = e.ours.activations, e.ours.raw, e.theirs.raw
    if not isinstance(e.method, EigenCAM) or A is None or ours is None or theirs is None:
        return
    paper = formulas.first_component(A)
    if _follows(ours, paper, torch.zeros_like(ours)) and _adds_up(e):
        raw = formulas.first_component_like(formulas.centred(A), theirs)
        yield e.with_ours(raw=raw, relu=raw.relu())


def softmax_over_channels(e: Evidence) -> Iterator[Evidence]:
    """Yield our Score-CAM with pytorch-grad-cam's weights."""
    A = e.ours.activations
    if isinstance(e.method, ScoreCAM) and A is not None:
        yield _with_weights(e, formulas.score_cam_weights(e.model, e.images, e.targets, A))


def below_the_minimum(e: Evidence) -> Iterator[Evidence]:
    """Yield our Ablation-CAM with pytorch-grad-cam's weights."""
    if isinstance(e.method, AblationCAM):
        yield _with_weights(e, formulas.ablation_weights(e.model, e.images, e.targets, e.layer))


def second_dimension(e: Evidence) -> Iterator[Evidence]:
    """Yield our Grad-CAM with the second dimension of the features taken for the channels, where it is not.

    It explains nothing where our own Grad-CAM is not the paper's.
    """
    G, weights = e.ours.gradients, e.ours.weights
    if not isinstance(e.method, GradCAM) or G is None or weights is None:
        return
    if not (_follows(weights, G.double().mean(dim=(2, 3)), torch.zeros_like(weights)) and _adds_up(e)):
        return
    raw = formulas.grad_cam_of_second_dimension(e.model, e.images, e.targets, e.layer)
    if raw is not None:
        raw = raw.cpu()
        stages = {"weights": None, "raw": raw, "relu": raw.relu(), "resized": None, "normalised": None}
        yield replace(e, ours=replace(e.ours, **stages))


def cancelling_sum(e: Evidence) -> Iterator[Evidence]:
    """Yield their map for ours, where rounding of the sum Σ_c f_c A_c, and of its terms, explains the difference.

    The terms are of stages that were found to agree.
    """
    A, factors = e.ours.activations, _factors(e.ours)
    if A is None or factors is None or not _adds_up(e):
        return
    pairs = [(e.ours.raw, e.theirs.raw), (e.ours.relu, e.theirs.relu)]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    bound = 2 * formulas.rounding_of_sum(factors, A) + _carried(e, factors, A)
    if all(a.shape == b.shape and bool(((a - b).abs() <= bound).all()) for a, b in both):
        yield e.with_ours(raw=e.theirs.raw, relu=e.theirs.relu)


def _factors(stages: Stages) -> Tensor | None:
    """Return the factors of the activations in the map, (N, C, 1, 1) or (N, C, h, w)."""
    return stages.gradients if stages.weights is None else stages.weights[:, :, None, None]


def _carried(e: Evidence, factors: Tensor, A: Tensor) -> Tensor:
    """Return a bound on the difference of the two sums Σ_c f_c A_c that comes from their terms, (N, h, w)."""
    theirs = _factors(e.theirs)
    apart = torch.zeros_like(A[:, 0])
    if theirs is not None and theirs.shape == factors.shape:
        apart = apart + ((factors - theirs).abs() * A.abs()).sum(dim=1)
    if e.theirs.activations is not None and e.theirs.activations.shape == A.shape:
        apart = apart + (factors.abs() * (A - e.theirs.activations).abs()).sum(dim=1)
    return apart


def resized_by(resize: profiles.Resize, stage: str) -> Callable[[Evidence], Iterator[Evidence]]:
    """Return an experiment: where the library resized its map of a stage this way, resize it by the profile instead."""

    def undone(e: Evidence) -> Iterator[Evidence]:
        maps, resized = getattr(e.theirs, stage), e.theirs.resized
        if maps is None or resized is None:
            return
        if difference("resized", resize(maps, (resized.shape[1], resized.shape[2])), resized, 1e-5).agrees:
            shown = e.shown(replace(e.theirs, relu=maps.relu()))
            yield replace(e, theirs=shown if e.theirs.normalised is not None else shown.without("normalised"))

    return undone


def _with_weights(e: Evidence, weights: Tensor) -> Evidence:
    assert e.ours.activations is not None
    weights = weights.cpu()
    raw = weighted_sum(weights, e.ours.activations)
    return e.with_ours(weights=weights, raw=raw, relu=raw.relu())


def _is_made_of(e: Evidence, paper: Formula, rounding: Formula) -> bool:
    """Say whether our weights are the paper's up to rounding, and our map is made of them."""
    A, G, weights = e.ours.activations, e.ours.gradients, e.ours.weights
    if A is None or G is None or weights is None:
        return False
    return _follows(weights, paper(A.double(), G.double()), rounding(A, G)) and _adds_up(e)


def _library_inputs(e: Evidence) -> tuple[Tensor, Tensor]:
    """Return the activations and gradients that the library itself had, ours where it does not show them.

    Its gradients may differ from ours by rounding, which a denominator that is nearly 0 makes large.
    """
    A, G = e.theirs.activations, e.theirs.gradients
    assert e.ours.activations is not None
    assert e.ours.gradients is not None
    return (e.ours.activations if A is None else A), (e.ours.gradients if G is None else G)


def _follows(ours: Tensor, paper: Tensor, slack: Tensor) -> bool:
    """Say whether our numbers are the paper's, where finite, within 1e-4 of the largest plus twice the slack."""
    if ours.shape != paper.shape:
        return False
    undefined = ~paper.isfinite()
    gaps = torch.where(undefined, 0.0, (ours - paper).abs())
    scale = torch.where(undefined, 0.0, paper.abs()).flatten(1).amax(dim=1)
    return bool((gaps <= 1e-4 * scale.view(-1, *[1] * (gaps.ndim - 1)) + 2 * slack.nan_to_num(0.0)).all())


def _adds_up(e: Evidence) -> bool:
    """Say whether our raw map is Σ_c w_c A_c and our map its ReLU, of those stages that our method has."""
    A, weights, raw, relu = e.ours.activations, e.ours.weights, e.ours.raw, e.ours.relu
    if A is not None and weights is not None and raw is not None:
        terms = weights.double()[:, :, None, None] * A.double()
        slack = formulas.rounding_of_sum(weights[:, :, None, None], A)
        if not _follows(raw, terms.sum(dim=1), slack):
            return False
    return raw is None or relu is None or _follows(relu, raw.clamp(min=0), torch.zeros_like(relu))
