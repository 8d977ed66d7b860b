"""Linter of layers: peculiarities of a model and a layer that mislead every method or make implementations differ."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.findings import Finding
from heatmark.common.features import find_layer
from heatmark.common.model_state import observing
from heatmark.common.probabilities import target_logits
from heatmark.methods.engine.capture import layout_at


@dataclass
class Visit:
    """The record of one forward pass at a layer.

    Args:
        outputs: of every run of the layer.
        versions: how often each output had been written to when the layer returned it.
        logits: of the model.
    """

    outputs: list[object] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    logits: Tensor | None = None


def lint(model: str, module: nn.Module, layer: str, images: Tensor, targets: Tensor) -> Iterator[Finding]:
    """Yield one finding per peculiarity of a layer, or one finding that it has none.

    They are ``called_more_than_once`` (or never), ``no_tensor``, ``non_spatial`` or ``token_grid``, ``single_place``,
    ``in_place_successor``, ``independent_target``, ``dead_gradient``.

    Args:
        model: the model's name in the table.
        module: the network; it is left as it was.
        layer: dotted name.
        images: (N, 3, H, W).
        targets: (N,).

    Raises:
        ValueError: where the model has no such layer.
    """
    visit = _visit(module, layer, images)
    named = [(name, describe(module, layer, images, targets, visit)) for name, describe in _PECULIARITIES.items()]
    peculiar = [(name, note) for name, note in named if note]
    for name, note in peculiar:
        yield Finding(model, layer, "", name, "", "diverges", cause=name, note=note)
    if not peculiar:
        yield Finding(model, layer, "", "linter", "", "agrees")


def _visit(module: nn.Module, layer: str, images: Tensor) -> Visit:
    visit = Visit()

    def note(_module: nn.Module, _inputs: object, output: object) -> None:
        visit.outputs.append(output)
        visit.versions.append(output._version if isinstance(output, Tensor) else 0)

    handle = find_layer(module, layer).register_forward_hook(note)
    try:
        with observing(module):
            visit.logits = module(images)
    finally:
        handle.remove()
    return visit


def _runs(_module: nn.Module, layer: str, _images: Tensor, _targets: Tensor, visit: Visit) -> str:
    count = len(visit.outputs)
    if count == 1:
        return ""
    return f"{layer} runs {count} times in one forward pass; its activations are not one map's"


def _no_tensor(module: nn.Module, layer: str, _images: Tensor, _targets: Tensor, visit: Visit) -> str:
    if not visit.outputs or isinstance(visit.outputs[-1], Tensor):
        return ""
    kind = type(module.get_submodule(layer)).__name__
    return f"{layer} ({kind}) gives a {type(visit.outputs[-1]).__name__}, not a tensor"


def _non_spatial(module: nn.Module, layer: str, images: Tensor, _targets: Tensor, visit: Visit) -> str:
    return _layout_fault(module, layer, images, visit, tokens=False)


def _token_grid(module: nn.Module, layer: str, images: Tensor, _targets: Tensor, visit: Visit) -> str:
    return _layout_fault(module, layer, images, visit, tokens=True)


def _layout_fault(module: nn.Module, layer: str, images: Tensor, visit: Visit, tokens: bool) -> str:
    output = _output(visit)
    if output is None or (output.ndim == 3) != tokens:
        return ""
    try:
        _grid(module, layer, images, output)
    except ValueError as error:
        return str(error)
    return ""


def _single_place(module: nn.Module, layer: str, images: Tensor, _targets: Tensor, visit: Visit) -> str:
    output = _output(visit)
    if output is None:
        return ""
    try:
        rows, columns = _grid(module, layer, images, output)
    except ValueError:
        return ""
    return f"{layer} gives one place of {rows}×{columns}: its map tells no places apart" if rows * columns == 1 else ""


def _grid(module: nn.Module, layer: str, images: Tensor, output: Tensor) -> tuple[int, int]:
    return layout_at(module, layer, output, images).grid


def _in_place(_module: nn.Module, layer: str, _images: Tensor, _targets: Tensor, visit: Visit) -> str:
    output = _output(visit)
    if output is None or output._version == visit.versions[-1]:
        return ""
    return f"what runs after {layer} overwrites its output in place; an implementation that does not copy reads that"


def _independent(module: nn.Module, layer: str, images: Tensor, targets: Tensor, visit: Visit) -> str:
    if _output(visit) is None or _gradient(module, layer, images, targets) is not None:
        return ""
    return f"the target's logit does not depend on {layer}"


def _dead(module: nn.Module, layer: str, images: Tensor, targets: Tensor, visit: Visit) -> str:
    gradient = None if _output(visit) is None else _gradient(module, layer, images, targets)
    if gradient is None:
        return ""
    dead = int((gradient.flatten(1) == 0).all(dim=1).sum())
    return f"all gradients at {layer} are zero for {dead} of {len(images)} images" if dead else ""


def _gradient(module: nn.Module, layer: str, images: Tensor, targets: Tensor) -> Tensor | None:
    """Return the gradient of the logits with respect to zeros added to the layer's output; None without a path."""
    added: list[Tensor] = []

    def add_zeros(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        added.append(torch.zeros_like(output).requires_grad_())
        torch.set_grad_enabled(True)
        return output + added[-1]

    handle = module.get_submodule(layer).register_forward_hook(add_zeros)
    try:
        with observing(module):
            chosen = target_logits(module(images), targets)
            if not chosen.requires_grad:  # no path, and every parameter is frozen
                return None
            (gradient,) = torch.autograd.grad(chosen.sum(), added[-1], allow_unused=True)
    finally:
        handle.remove()
    return gradient


def _output(visit: Visit) -> Tensor | None:
    """Return the output of a layer that ran once and gave a tensor, else None."""
    (output,) = visit.outputs if len(visit.outputs) == 1 else (None,)
    return output if isinstance(output, Tensor) else None


_PECULIARITIES: dict[str, Callable[[nn.Module, str, Tensor, Tensor, Visit], str]] = {
    "called_more_than_once": _runs,
    "no_tensor": _no_tensor,
    "non_spatial": _non_spatial,
    "token_grid": _token_grid,
    "single_place": _single_place,
    "in_place_successor": _in_place,
    "independent_target": _independent,
    "dead_gradient": _dead,
}
"""Name of every peculiarity to the function that describes it in one sentence, ``""`` where the layer lacks it."""
