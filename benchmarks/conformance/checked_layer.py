"""Subjects of the checks: a method at one layer of one network, on some images."""

import copy
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance import recording
from heatmark.benchmarks.conformance.compare import Difference
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.profiles import shown
from heatmark.methods.base import Method
from heatmark.methods.engine.cam import GradientCAM
from heatmark.methods.engine.capture import Capture, capture
from heatmark.methods.engine.stages import Stages, stages_from, stages_of

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class CheckedLayer:
    """A layer of a network with images to explain, and what is recorded there once for all checks.

    Args:
        model: the network's name in the tables.
        module: the network, in float64 and evaluation mode; checks may change it and restore it.
        layer: dotted name.
        images: (N, 3, H, W), in float64, preferably not square.
        targets: (N,), preferably of several classes.
    """

    model: str
    module: nn.Module
    layer: str
    images: Tensor
    targets: Tensor

    @property
    def size(self) -> Size:
        """Height and width of the images."""
        return self.images.shape[2], self.images.shape[3]

    @cached_property
    def captured(self) -> Capture:
        """The activations and gradients that our gradient CAMs read."""
        return capture(self.module, self.images, self.targets, self.layer)

    @cached_property
    def alone(self) -> "tuple[CheckedLayer, ...]":
        """Every image as a checked layer of its own."""
        pairs = zip(torch.split(self.images, 1), torch.split(self.targets, 1), strict=True)
        return tuple(replace(self, images=image, targets=target) for image, target in pairs)

    @cached_property
    def recorded(self) -> recording.Recorded:
        """Activations, gradients and logits, recorded without the code of our methods."""
        return recording.record(self.module, self.layer, self.images, self.targets)

    @cached_property
    def slopes(self) -> recording.Slopes:
        """Finite differences of the targets' logits."""
        return recording.slopes(self.module, self.layer, self.images, self.targets)


def pixels(size: Size) -> str:
    """Return a height and width as the tables write them."""
    return f"{size[0]}×{size[1]}"


def in_float64(module: nn.Module) -> nn.Module:
    """Return a copy of a network on the CPU, in float64 and evaluation mode."""
    return copy.deepcopy(module).cpu().double().eval()


@dataclass(frozen=True)
class Subject:
    """A method at a checked layer.

    Args:
        checked: where it is checked.
        name: the method's name in the tables.
        method: the implementation that is checked.
        definition: the in-house method whose maps it should compute; an in-house method is its own.
    """

    checked: CheckedLayer
    name: str
    method: Method
    definition: Method

    @cached_property
    def stages(self) -> Stages:
        """The method's stages for the images of the checked layer."""
        if isinstance(self.method, GradientCAM) and type(self.method).__call__ is GradientCAM.__call__:
            return shown(stages_from(self.method, self.checked.captured), self.checked.size)
        return self.explain(self.checked.images, self.checked.targets)

    def explain(self, images: Tensor, targets: Tensor) -> Stages:
        """Return the method's stages for images (N, 3, H, W), resized and normalised too."""
        return self.explain_in(self.checked.module, images, targets, self.checked.layer)

    def explain_in(self, module: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Stages:
        """Return the method's stages in another network."""
        size = (images.shape[2], images.shape[3])
        return shown(stages_of(self.method, module, images, targets, layer), size)

    def call(self) -> Tensor:
        """Return the method's maps (N, h, w), without other stages."""
        return self.method(self.checked.module, self.checked.images, self.checked.targets, self.checked.layer)

    def finding(self, check: str, difference: Difference, note: str = "") -> Finding:
        """Return a comparison as a finding; a difference is the method's fault."""
        return Finding(
            model=self.checked.model,
            layer=self.checked.layer,
            method=self.name,
            check=check,
            stage=difference.stage,
            verdict="agrees" if difference.agrees else "diverges",
            max_abs=difference.max_abs,
            relative=difference.relative,
            pearson=difference.pearson,
            tolerance=difference.tolerance,
            cause="" if difference.agrees else "implementation",
            fault=not difference.agrees,
            note=note,
            size=pixels(self.checked.size),
        )

    def holds(self, check: str, fault: str) -> Finding:
        """Return a check without numbers as a finding: ``fault`` says what is wrong, ``""`` that nothing is."""
        return self.finding(check, Difference("", agrees=not fault), fault)

    def skipped(self, check: str, reason: str) -> Finding:
        """Return the finding that a check does not apply."""
        return replace(self.finding(check, Difference("")), verdict="skipped", note=reason)


@dataclass(frozen=True)
class Tolerances:
    """Tolerances for rounding at each stage, relative to its largest value.

    Args:
        exact: for stages computed in float64.
        shown: for ``resized`` and ``normalised``, whose resizing is float32 on every device.
        float32: for all stages of a method that leaves float64 on the way.
    """

    exact: float = 1e-7
    shown: float = 1e-5
    float32: float = field(default=1e-3)

    def of(self, stages: Stages) -> dict[str, float]:
        """Return the tolerance of every stage, by its name."""
        relu = stages.relu
        if relu is not None and relu.dtype != torch.float64:
            return dict.fromkeys(vars(stages), self.float32)
        return {stage: self.shown if stage in ("resized", "normalised") else self.exact for stage in vars(stages)}
