"""Layers of a model that give a map, and the layer that a name or role stands for."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.common.features import FeatureLayout
from heatmark.common.model_state import observing
from heatmark.common.names import did_you_mean
from heatmark.methods.engine.capture import layouts_at

AUTO = "auto"
"""The role of the last convolution, which is found automatically."""

ANY_SIZE = 224
"""Pixels per side of the image sent through a model whose size neither preprocessing nor an ``image_size`` gives."""


@dataclass(frozen=True)
class Candidate:
    """A layer that gives a map and runs exactly once.

    Args:
        name: dotted.
        kind: its class.
        channels: of its output.
        grid: height and width of its output.
        roles: what else it may be called (``early``, ``middle``, ``last``, ``auto``).
        block: whether it has submodules.
        overwritten: whether a module that runs after it changes its output in place.
    """

    name: str
    kind: str
    channels: int
    grid: tuple[int, int]
    roles: tuple[str, ...]
    block: bool
    overwritten: bool


@dataclass(frozen=True)
class _Visit:
    """One run of a module: its output, and how often that tensor had been written to by then."""

    name: str
    module: nn.Module
    output: Tensor
    version: int


def resolve_layer(classifier: Classifier, layer: str, images: Tensor | None = None) -> str:
    """Return the dotted name of a layer given by its role, as ``auto``, or by its name.

    ``auto`` is the last convolution, in the order in which they run, whose output is larger than 1×1.

    Args:
        classifier: whose layer it is.
        layer: a role, ``auto`` or a dotted name.
        images: (N, 3, H, W), the first of which is sent through the model for ``auto``; None takes a grey one of the
            size that the model was made for.

    Raises:
        ValueError: where there is no such layer; it names the nearest ones.
    """
    named = classifier.layers.get(layer, layer)
    if named == AUTO:
        return _last_convolution(classifier, _visits(classifier, _probe(classifier, images)))
    names = [name for name, _ in classifier.module.named_modules() if name]
    if named not in names:
        roles = [*classifier.layers, AUTO]
        tops = ", ".join(name for name, _ in classifier.module.named_children())
        hint = did_you_mean(named, [*roles, *names], f"its roles are {', '.join(roles)}, its top layers {tops}.")
        raise ValueError(f"unknown layer {named!r} of {classifier.name}: {hint}")
    return named


def resolve_layers(classifier: Classifier, names: Sequence[str], images: Tensor | None = None) -> list[str]:
    """Return the dotted names of layers given by roles, names or patterns, once each, in the order given.

    In a pattern ``*`` stands for any characters but a dot, ``?`` for one of them, and ``**`` for any characters. It
    gives the layers whose output is a map (:func:`candidate_layers`), in the order of the model's parts.

    Args:
        classifier: whose layers they are.
        names: roles, ``auto``, dotted names, and patterns such as ``blocks.*.norm1``.
        images: (N, 3, H, W), the first of which is sent through the model; None takes a grey one of the size that the
            model was made for.

    Raises:
        ValueError: where there is no such layer; it names the nearest ones.
    """
    maps = [c.name for c in candidate_layers(classifier, images)] if any(map(_is_pattern, names)) else []
    found: list[str] = []
    for name in names:
        found += _matching(classifier, name, maps) if _is_pattern(name) else [resolve_layer(classifier, name, images)]
    return list(dict.fromkeys(found))


def candidate_layers(classifier: Classifier, images: Tensor | None = None) -> list[Candidate]:
    """Return the layers that give a map larger than 1×1 and run exactly once, in the order of the model's parts.

    One forward pass finds them. Where neither the model's ``token_layout`` nor the layer's kind gives the layout of the
    features on the image, one trace for all such layers finds it; layers for which it cannot are left out. The model is
    left as it was.
    """
    images = _probe(classifier, images)
    visits = {visit.name: visit for visit in _visits(classifier, images)}
    order = [name for name, _ in classifier.module.named_modules() if name in visits]
    roles = _roles_of(classifier, list(visits.values()))
    found = layouts_at(classifier.module, {name: visits[name].output for name in order}, images)
    maps = {name: a for name, a in found.items() if isinstance(a, FeatureLayout) and a.grid != (1, 1)}
    return [_candidate(visits[name], maps[name], roles.get(name, ())) for name in order if name in maps]


def shortlist(candidates: Sequence[Candidate], rows: int = 24, convolutions: int = 3) -> list[Candidate]:
    """Return a short list for a person: layers with a role, outer blocks and convolutions, and the last convolutions.

    Args:
        candidates: of :func:`candidate_layers`.
        rows: blocks and convolutions are listed down to the deepest level at which they are at most so many.
        convolutions: how many of the last ones are always among them.
    """
    structural = [c for c in candidates if c.block or _is_convolution(c)]
    depths = range(1, 1 + max((_depth(c) for c in structural), default=1))
    counts = {depth: sum(_depth(c) <= depth for c in structural) for depth in depths}
    deepest = max((depth for depth, count in counts.items() if count <= rows), default=1)
    ends = [c.name for c in structural if _is_convolution(c)][-convolutions:]
    shown = {c.name for c in structural if _depth(c) <= deepest} | set(ends) | {c.name for c in candidates if c.roles}
    return [c for c in candidates if c.name in shown]


def _is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def _matching(classifier: Classifier, pattern: str, maps: Sequence[str]) -> list[str]:
    """Return the layers that match a pattern among those that give a map.

    Raises:
        ValueError: where none does; it names the nearest.
    """
    signs = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    regular = re.compile("".join(signs.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*|\?)", pattern)))
    if found := [name for name in maps if regular.fullmatch(name)]:
        return found
    others = [name for name, _ in classifier.module.named_modules() if name and regular.fullmatch(name)]
    if others:
        raise ValueError(
            f"layer {pattern!r} matches {len(others)} layers of {classifier.name}, such as {others[0]}, of which none "
            "gives a map; heatmark layers lists those that do"
        )
    hint = did_you_mean(pattern, [*classifier.layers, AUTO, *maps], "heatmark layers lists those that give a map.")
    raise ValueError(f"no layer of {classifier.name} that gives a map matches {pattern!r}: {hint}")


def _is_convolution(candidate: Candidate) -> bool:
    return not candidate.block and candidate.kind.startswith("Conv")


def _depth(candidate: Candidate) -> int:
    return candidate.name.count(".") + 1


def _probe(classifier: Classifier, images: Tensor | None) -> Tensor:
    """Return one image on the model's device: the first of these, or a grey one of the size that it was made for."""
    weight = next(classifier.module.parameters(), torch.zeros(()))
    if images is not None:
        return images[:1].to(weight.device)
    side = getattr(classifier.module, "image_size", ANY_SIZE)
    height, width = classifier.preprocessing.crop or (side, side)
    return torch.zeros(1, 3, height, width, device=weight.device, dtype=weight.dtype)


def _visits(classifier: Classifier, image: Tensor) -> list[_Visit]:
    """Return the runs of the modules that run exactly once and give a tensor, in the order in which they end."""
    model = classifier.module
    with observing(model), _recording(model) as visits:
        model(image)
    runs = Counter(visit.name for visit in visits)
    return [visit for visit in visits if runs[visit.name] == 1 and isinstance(visit.output, Tensor)]


@contextmanager
def _recording(model: nn.Module) -> Iterator[list[_Visit]]:
    names = {module: name for name, module in model.named_modules() if name}
    visits: list[_Visit] = []

    def record(module: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> None:
        visits.append(_Visit(names[module], module, output, getattr(output, "_version", 0)))

    handles = [module.register_forward_hook(record) for module in names]
    try:
        yield visits
    finally:
        for handle in handles:
            handle.remove()


def _last_convolution(classifier: Classifier, visits: Sequence[_Visit]) -> str:
    convolutions = [
        visit.name for visit in visits if isinstance(visit.module, nn.Conv2d) and visit.output.shape[-2:].numel() > 1
    ]
    if not convolutions:
        raise ValueError(
            f"{classifier.name} has no convolution that runs once and gives a map larger than 1x1, so layer=auto finds "
            f"none; name one of its layers (heatmark layers lists them)"
        )
    return convolutions[-1]


def _roles_of(classifier: Classifier, visits: Sequence[_Visit]) -> dict[str, tuple[str, ...]]:
    """Return every named layer's roles."""
    roles = {role: layer for role, layer in classifier.layers.items() if layer != AUTO}
    automatic = [role for role, layer in classifier.layers.items() if layer == AUTO]
    try:
        found = _last_convolution(classifier, visits)
    except ValueError:
        found = ""
    roles |= dict.fromkeys([*automatic, AUTO], found)
    return {layer: tuple(role for role, name in roles.items() if name == layer) for layer in roles.values() if layer}


def _candidate(visit: _Visit, feature_layout: FeatureLayout, roles: tuple[str, ...]) -> Candidate:
    return Candidate(
        name=visit.name,
        kind=type(visit.module).__name__,
        channels=visit.output.shape[feature_layout.channel_dim],
        grid=feature_layout.grid,
        roles=roles,
        block=any(True for _ in visit.module.children()),
        overwritten=visit.output._version > visit.version,
    )
