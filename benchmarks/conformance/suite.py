"""The methods that are checked, the in-house methods that they claim to be, and the checks of these claims."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.checked_layer import CheckedLayer, Subject
from heatmark.benchmarks.conformance.findings import Finding, Verdict
from heatmark.benchmarks.conformance.invariants import INVARIANTS, Invariant, consult, right_or_refused
from heatmark.benchmarks.conformance.linter import lint
from heatmark.benchmarks.conformance.toy import TOY_LAYERS, Toy, toy_layer
from heatmark.benchmarks.conformance.traps import FLATTENED, TRAPS
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.common.model_state import observing
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.base import Method
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.fusion import FusedLayers
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.score_cam import ScoreCAM

BRIEFLY: Mapping[str, Method] = {"eigen_cam": EigenCAM(), "score_cam": ScoreCAM(), "ablation_cam": AblationCAM()}
"""In-house methods that take many forward passes or much algebra; all invariants are checked on toy networks only."""


FUSED: Mapping[str, Method] = {
    "fused_mean": FusedLayers(GradCAM(), ("features.1",), "mean"),
    "fused_max": FusedLayers(EigenCAM(), ("features.1", "features.5"), "max"),
}
"""Methods that fuse layers of the toy network; the maps of the second differ in size, so that they are upsampled."""


@dataclass(frozen=True)
class Claim:
    """A method, and the in-house method that it claims to be; an in-house method claims to be itself."""

    name: str
    method: Method
    definition: Method


@dataclass(frozen=True)
class Claims:
    """The methods that are checked.

    Args:
        fully: methods for which all invariants that were asked for are checked, on every network.
        briefly: methods for which all invariants are checked on the toy network, and elsewhere only the reference
            implementation.
    """

    fully: Sequence[Claim]
    briefly: Sequence[Claim] = ()


def claims(methods: Mapping[str, Method]) -> list[Claim]:
    """Return in-house methods as claims to be themselves."""
    return [Claim(name, method, method) for name, method in methods.items()]


def check_invariants(
    checked: CheckedLayer, claimed: Iterable[Claim], invariants: Mapping[str, Invariant] = INVARIANTS
) -> Iterator[Finding]:
    """Yield the findings of every invariant for every method at a layer; a refusal of the layer is one finding."""
    for claim in claimed:
        subject = Subject(checked, claim.name, claim.method, claim.definition)
        reason = claim.method.unsupported(checked.module, checked.layer)
        if reason is None:
            yield from consult(subject, invariants)
        else:
            verdict: Verdict = "error" if _must_explain(claim, checked) else "skipped"
            yield Finding(
                checked.model, checked.layer, claim.name, "invariants", "", verdict, note=f"it refuses: {reason}"
            )


def _must_explain(claim: Claim, checked: CheckedLayer) -> bool:
    """Return whether a method must not refuse: a layer of the toy network that the method it claims to be explains."""
    claimed = claim.definition
    foreign = claim.method is not claimed
    return foreign and isinstance(checked.module, Toy) and claimed.unsupported(checked.module, checked.layer) is None


def check_toys(claimed: Iterable[Claim]) -> Iterator[Finding]:
    """Yield the findings of the invariants on the toy network, on which all of them apply."""
    for layer in TOY_LAYERS:
        yield from check_invariants(toy_layer(layer), claimed)


def check_traps(claimed: Iterable[Claim]) -> Iterator[Finding]:
    """Yield the findings on trap networks, on which a guess about a layer or a shortcut to the logits goes wrong."""
    asked = {name: INVARIANTS[name] for name in ("reference_implementation", "batch_invariance", "nothing_left_behind")}
    claimed = list(claimed)
    for trap in TRAPS:
        for checked in trap.checked_layers():
            yield from check_invariants(checked, claimed, asked)
    yield from check_invariants(toy_layer("features.5"), claims(FUSED), asked)
    for checked in FLATTENED.checked_layers():
        yield from check_invariants(checked, claimed, {"reference_implementation": right_or_refused})


def draw_zero_weights(module: nn.Module, seed: int) -> None:
    """Draw weights for matrices that are initialised to zero, as the head of torchvision's vision transformers is.

    Before such a head every gradient is zero, and every check of gradients would pass whatever is checked.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim >= 2 and not weight.any():
                weight.normal_(0, 0.02, generator=generator)


def alternating(logits: Tensor) -> Tensor:
    """Return the largest logit's class of the first image, the second largest of the next, and so on in turn, (N,)."""
    ranked = torch.argsort(logits, dim=1, descending=True, stable=True)
    return ranked[torch.arange(len(logits)), torch.arange(len(logits)) % 2]


def check_layer(classifier: Classifier, layer: str, images: Tensor) -> Iterator[Finding]:
    """Yield the linter's findings at a layer."""
    with observing(classifier.module):
        targets = alternating(classifier.module(images))
    yield from lint(classifier.name, classifier.module, layer, images, targets)
