"""Inputs that every layer method must refuse, and inputs it must take: precisions, inference tensors, empty batches."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor

from heatmark.benchmarks.conformance.checked_layer import Subject
from heatmark.benchmarks.conformance.compare import compare, difference
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.invariants import Invariant, consult
from heatmark.benchmarks.conformance.references import reference
from heatmark.benchmarks.conformance.suite import Claim
from heatmark.benchmarks.conformance.toy import toy_layer
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.engine.stages import Stages

Change = Callable[[Subject], Subject]
"""Subject to one that must be refused."""


def _elsewhere(layer: str) -> Change:
    return lambda s: replace(s, checked=replace(s.checked, layer=layer))


def _for(targets: Tensor) -> Change:
    return lambda s: replace(s, checked=replace(s.checked, targets=targets))


REFUSED: dict[str, tuple[Change, bool]] = {
    "unknown_layer": (_elsewhere("features.9"), True),
    "layer_without_places": (_elsewhere("fc"), True),
    "layer_that_never_runs": (_elsewhere("spare"), True),
    "target_beyond_the_classes": (_for(torch.tensor([3, 5, 1])), False),
    "negative_target": (_for(torch.tensor([3, -1, 1])), False),
    "too_few_targets": (_for(torch.tensor([3, 0])), False),
}
"""Name to an input that must be refused, and whether methods that ignore targets must refuse it too."""


def check_refusals(claimed: Iterable[Claim]) -> Iterator[Finding]:
    """Yield whether each method refuses inputs that it cannot explain, and takes others."""
    checked = toy_layer("features.5")
    checked.module.add_module("spare", torch.nn.Conv2d(3, 3, 1).double())
    for claim in claimed:
        subject = Subject(checked, claim.name, claim.method, claim.definition)
        asked = {
            name: _refuses(name, change)
            for name, (change, always) in REFUSED.items()
            if always or not isinstance(claim.definition, EigenCAM)
        }
        yield from consult(subject, {**asked, **TAKEN})


def _refuses(check: str, change: Change) -> Invariant:
    def refuses(subject: Subject) -> Finding:
        try:
            change(subject).call()
        except ValueError:
            return subject.holds(check, "")
        return subject.holds(check, "it gives maps, expected a ValueError")

    return refuses


def inference_tensors(subject: Subject) -> Finding:
    """Images and targets made under ``torch.inference_mode()`` have the same maps as others."""
    with torch.inference_mode():
        checked = replace(
            subject.checked, images=subject.checked.images.clone(), targets=subject.checked.targets.clone()
        )
    found = replace(subject, checked=checked).call()
    return subject.finding("inference_tensors", difference("relu", found, subject.call(), 1e-12))


def same_when_called(subject: Subject) -> Finding:
    """The map that a sweep gets, by a call, is that of the reference implementation."""
    expected = Stages(relu=reference(subject.definition, subject.checked).relu)
    return subject.finding("call", compare(Stages(relu=subject.call()), expected, {"relu": 1e-7}))


def single_precision(subject: Subject) -> Finding:
    """A network in float32 has the maps of the same network in float64, to 1e-4 of the largest value."""
    return _in(subject, torch.float32, "single_precision", 1e-4)


def half_precision(subject: Subject) -> Finding:
    """A network in bfloat16 has float32 maps, those of the same network in float64 to 0.2 of the largest value."""
    return _in(subject, torch.bfloat16, "half_precision", 0.2)


def _in(subject: Subject, dtype: torch.dtype, check: str, tolerance: float) -> Finding:
    checked = replace(
        subject.checked, module=deepcopy(subject.checked.module).to(dtype), images=subject.checked.images.to(dtype)
    )
    found = replace(subject, checked=checked).call()
    if found.dtype != torch.float32:
        return subject.holds(check, f"maps in {found.dtype}, expected torch.float32")
    return subject.finding(check, difference("relu", found, subject.call(), tolerance))


def empty_batch(subject: Subject) -> Finding:
    """An empty batch has maps (0, h, w), of the size of others."""
    checked = replace(subject.checked, images=subject.checked.images[:0], targets=subject.checked.targets[:0])
    found, expected = replace(subject, checked=checked).call().shape, (0, *subject.call().shape[1:])
    return subject.holds("empty_batch", "" if tuple(found) == expected else f"{tuple(found)}, expected {expected}")


TAKEN: dict[str, Invariant] = {
    "call": same_when_called,
    "inference_tensors": inference_tensors,
    "single_precision": single_precision,
    "half_precision": half_precision,
    "empty_batch": empty_batch,
}
