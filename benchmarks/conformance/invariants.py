"""Invariants that every right implementation keeps, one function per invariant; no reference library is needed."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance import references
from heatmark.benchmarks.conformance.checked_layer import Subject, Tolerances
from heatmark.benchmarks.conformance.compare import Difference, compare, difference
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.side_effects import left_behind, left_behind_after_an_exception
from heatmark.benchmarks.conformance.toy import Toy
from heatmark.common.model_state import untouched
from heatmark.methods.engine.cam import GradientCAM
from heatmark.methods.engine.stages import Stages
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.xgrad_cam import XGradCAM

TOLERANCES = Tolerances()


def matches_reference_implementation(subject: Subject) -> Finding:
    """Every stage is what the papers' formulas give, written a second time in NumPy, on images that are not square."""
    checked, definition = subject.checked, subject.definition
    if not references.covers(definition):
        return subject.skipped(
            "reference_implementation", f"{type(definition).__name__} is not in the reference implementation"
        )
    if reason := references.too_dear(definition, checked.module, checked.recorded.activations.shape[1], checked.size):
        return subject.skipped("reference_implementation", reason)
    expected = references.reference(definition, checked)
    return subject.finding("reference_implementation", compare(subject.stages, expected, TOLERANCES.of(subject.stages)))


def right_or_refused(subject: Subject) -> Finding:
    """A layer whose places are flattened into one dimension is refused, or read correctly."""
    try:
        subject.call()
    except ValueError as error:
        return replace(subject.holds("reference_implementation", ""), note=f"it refuses: {error}")
    return matches_reference_implementation(subject)


def matches_in_house(subject: Subject) -> Finding:
    """Every stage that the method shows is that of the in-house method that it claims to implement."""
    checked, check = subject.checked, "in_house"
    if subject.method is subject.definition:
        return subject.skipped(check, "it is the in-house method")
    ours = Subject(checked, subject.name, subject.definition, subject.definition).stages
    return subject.finding(check, compare(subject.stages, ours, _tolerance(subject)))


def finite_differences(subject: Subject) -> Finding:
    """Gradients are the slopes of the logit: Σ G V = (y(A + hV) − y(A − hV)) / 2h, to 1e-4 of |G|, in float64.

    V is 0 wherever A is, so that gradients there are not checked here, but against the reference implementation.
    """
    gradients = subject.stages.gradients
    if gradients is None:
        return subject.skipped("finite_differences", "the method shows no gradients")
    known = subject.checked.slopes
    if gradients.shape != known.directions.shape[1:]:
        return subject.finding("finite_differences", Difference("gradients", agrees=False))
    G = gradients.double().numpy()
    claimed, sizes = (known.directions * G).sum(axis=(2, 3, 4)), np.sqrt((G**2).sum(axis=(1, 2, 3)))
    gaps = np.abs(claimed - known.rises).max(axis=0)
    relative = float(np.where(gaps == 0, 0.0, gaps / np.where(sizes == 0, np.nan, sizes)).max())
    agrees = relative <= 1e-4
    found = Difference("gradients", float(gaps.max()), relative, math.nan, 1e-4, agrees)
    return subject.finding("finite_differences", found)


def gap_linear_identity(subject: Subject) -> Finding:
    """Before global average pooling and a linear layer V, Grad-CAM = XGrad-CAM = HiResCAM = relu(Σ_c V_kc A_c) / hw."""
    check = "gap_linear_identity"
    if not isinstance(subject.definition, GradCAM | XGradCAM | HiResCAM):
        return subject.skipped(check, f"no identity of {type(subject.definition).__name__}")
    head = _linear_head(subject)
    if head is None:
        return subject.skipped(check, "what follows the layer is not global average pooling and one linear layer")
    activations = torch.from_numpy(subject.checked.recorded.activations)
    cam = torch.einsum("nc,nchw->nhw", head[subject.checked.targets], activations).relu() / activations[0, 0].numel()
    return subject.finding(check, compare(Stages(relu=subject.stages.relu), Stages(relu=cam), _tolerance(subject)))


def _linear_head(subject: Subject) -> Tensor | None:
    """Return V, (classes, C), if the logits are V mean(A) + b for one of the network's linear layers, else None."""
    means = torch.from_numpy(subject.checked.recorded.activations.mean(axis=(2, 3)))
    logits = torch.from_numpy(subject.checked.recorded.logits)
    for module in subject.checked.module.modules():
        if isinstance(module, nn.Linear) and module.weight.shape == (logits.shape[1], means.shape[1]):
            with torch.no_grad():
                if torch.allclose(module(means), logits, rtol=1e-7, atol=1e-9 * float(logits.abs().max())):
                    return module.weight.detach()
    return None


class _Scaled(nn.Module):
    """A network with its logits multiplied by a factor."""

    def __init__(self, module: nn.Module, factor: float) -> None:
        super().__init__()
        self.module, self.factor = module, factor
        if hasattr(module, "token_layout"):
            self.token_layout = module.token_layout

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.factor * self.module(images)
        return logits


def logit_scaling(subject: Subject, factor: float = 8.0) -> Finding:
    """Logits times s give gradients, weights and raw maps times s; activations and the normalised map do not change."""
    if isinstance(subject.definition, GradCAMPlusPlus) or not isinstance(subject.definition, GradientCAM):
        return subject.skipped("logit_scaling", f"{type(subject.definition).__name__} is not linear in the gradients")
    checked, plain = subject.checked, subject.stages
    scaled = subject.explain_in(
        _Scaled(checked.module, factor), checked.images, checked.targets, f"module.{checked.layer}"
    )
    fixed = ("activations", "normalised")
    expected = Stages(**{n: v if v is None or n in fixed else factor * v for n, v in vars(plain).items()})
    return subject.finding("logit_scaling", compare(scaled, expected, _tolerance(subject)))


def translation(subject: Subject) -> Finding:
    """The image's content shifted by the stride shifts the map by one place, away from the borders."""
    checked = subject.checked
    if not isinstance(checked.module, Toy):
        return subject.skipped("translation", "only the toy network is known to be fully convolutional")
    margin, step = 8, checked.module.stride
    images = torch.zeros_like(checked.images)
    height, width = (n - 2 * margin for n in images.shape[-2:])
    images[..., margin:-margin, margin:-margin] = checked.images[..., :height, :width]
    moved = images.roll((step, -step), dims=(-2, -1))
    here, there = (subject.method(checked.module, x, checked.targets, checked.layer) for x in (images, moved))
    inner = (slice(None), slice(2, -2), slice(2, -2))  # the outermost place sees the border, and moves by one
    shifted = here.roll((1, -1), dims=(-2, -1))
    if there.shape != shifted.shape:
        return subject.finding("translation", Difference("relu", agrees=False))
    return subject.finding("translation", difference("relu", there[inner], shifted[inner], _tolerance(subject)["relu"]))


def batch_invariance(subject: Subject) -> Finding:
    """A map is the same whether its image is explained alone or in a batch."""
    alone = [replace(subject, checked=checked).stages for checked in subject.checked.alone]
    return subject.finding("batch_invariance", compare(_joined(alone), subject.stages, _tolerance(subject)))


def order_invariance(subject: Subject) -> Finding:
    """Images in another order have their maps in that order."""
    checked = subject.checked
    backwards = subject.explain(checked.images.flip(0), checked.targets.flip(0))
    expected = Stages(**{n: None if v is None else v.flip(0) for n, v in vars(subject.stages).items()})
    return subject.finding("order_invariance", compare(backwards, expected, _tolerance(subject)))


def _joined(parts: list[Stages]) -> Stages:
    columns = {name: [getattr(part, name) for part in parts] for name in vars(parts[0])}
    return Stages(**{name: None if values[0] is None else torch.cat(values) for name, values in columns.items()})


def device_invariance(subject: Subject) -> Finding:
    """Another device gives the same stages, in float32 on both; a copy is moved, so that the network stays float64."""
    check, checked = "device_invariance", subject.checked
    device = second_device()
    if device is None:
        return subject.skipped(check, "this machine has no second device (CUDA or MPS)")
    images, targets = checked.images.float(), checked.targets
    module = copy.deepcopy(checked.module).float()
    here = subject.explain_in(module, images, targets, checked.layer)
    there = subject.explain_in(module.to(device), images.to(device), targets.to(device), checked.layer)
    return subject.finding(check, compare(there, here, dict.fromkeys(vars(here), TOLERANCES.float32)))


def second_device() -> torch.device | None:
    """Return a device that is not the CPU, or None."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps") if torch.backends.mps.is_available() else None


def nothing_left_behind(subject: Subject) -> Finding:
    """Hooks, flags, weights, buffers, ``.grad``, random state, grad mode and inputs are as they were."""
    checked = subject.checked
    left = left_behind(checked.module, (checked.images, checked.targets), subject.call)
    return subject.holds("nothing_left_behind", f"left behind: {', '.join(left)}" if left else "")


def nothing_left_behind_by_an_exception(subject: Subject) -> Finding:
    """Nothing is left behind either where the network raises during a call."""
    checked = subject.checked
    left = left_behind_after_an_exception(checked.module, (checked.images, checked.targets), subject.call)
    note = f"left behind by an exception: {', '.join(left)}" if left else ""
    return subject.holds("nothing_left_behind_by_an_exception", note)


def _tolerance(subject: Subject) -> dict[str, float]:
    return TOLERANCES.of(subject.stages)


Invariant = Callable[[Subject], Finding]

INVARIANTS: Mapping[str, Invariant] = {
    "reference_implementation": matches_reference_implementation,
    "in_house": matches_in_house,
    "finite_differences": finite_differences,
    "gap_linear_identity": gap_linear_identity,
    "logit_scaling": logit_scaling,
    "translation": translation,
    "batch_invariance": batch_invariance,
    "order_invariance": order_invariance,
    "device_invariance": device_invariance,
    "nothing_left_behind": nothing_left_behind,
    "nothing_left_behind_by_an_exception": nothing_left_behind_by_an_exception,
}
"""All invariants by name; those that name a stage come first."""


def consult(subject: Subject, invariants: Mapping[str, Invariant] = INVARIANTS) -> Iterator[Finding]:
    """Yield one finding per invariant; where the method raises, its verdict is ``error``.

    Each invariant begins with the network as it was, whatever the method did to it before.
    """
    for name, invariant in invariants.items():
        try:
            with untouched(subject.checked.module):
                finding = invariant(subject)
            yield finding
        except Exception as error:  # noqa: BLE001 - whatever a method raises is a finding about it
            note = f"{type(error).__name__}: {error}".splitlines()[0]
            yield replace(subject.skipped(name, note), verdict="error")
