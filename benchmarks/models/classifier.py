"""Classifiers: a network with its preprocessing, and its weights, layers and classes by name."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.common.digests import digest_tensor
from heatmark.common.features import TokenLayout
from heatmark.common.names import did_you_mean

OF_EVERY_MODULE = frozenset(vars(nn.Module()))
"""Attributes that PyTorch gives every module, ``training`` among them; none is an option."""


@dataclass(frozen=True)
class Classifier:
    """A network that is ready to be explained, with all that Heatmark needs to know of it.

    Args:
        name: its name in the tables.
        module: the network in evaluation mode, images (N, 3, H, W) to logits (N, classes).
        weights: the name of its weights in the tables, such as ``IMAGENET1K_V2``, ``random-0`` or a file's name.
        preprocessing: from a picture to the network's input.
        layers: role (``early``, ``middle``, ``last``) to the dotted name of a layer, or to ``auto``.
        classes: name of every class, in the order of the logits; empty where unknown.
        checkpoint: absolute path of the user's file that its weights come from; ``""`` where there is none.
        options: what the network was made with, as plain JSON values; a network may keep an option where
            :func:`structure` does not read it, such as in a function or an object.
    """

    name: str
    module: nn.Module
    weights: str
    preprocessing: Preprocessing
    layers: Mapping[str, str] = field(default_factory=dict)
    classes: Sequence[str] = ()
    checkpoint: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def class_index(self, label: int | str) -> int:
        """Return the logit that belongs to a class, by its number or its name (capitals and underscores do not matter).

        Raises:
            ValueError: where there is no such class, or several of that name; it names the nearest ones.
        """
        if not isinstance(label, int | str):
            raise ValueError(f"a class is {label!r} ({type(label).__name__}), expected its number or its name")
        if isinstance(label, int) or label.isdecimal():
            if self.classes and not 0 <= int(label) < len(self.classes):
                raise ValueError(f"class {label} is out of range: {self.name} has {len(self.classes)} classes")
            return int(label)
        names = [_plain(name) for name in self.classes]
        found = [index for index, name in enumerate(names) if name == _plain(label)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(
                f"{self.name} has several classes {label!r}: {', '.join(map(str, found))}; give the number"
            )
        hint = did_you_mean(_plain(label), names, "give its number instead.")
        raise ValueError(f"unknown class {label!r} of {self.name}: {hint}")

    def __repr__(self) -> str:
        known = f"{len(self.classes)} classes" if self.classes else "classes without names"
        size = "its own size" if self.preprocessing.crop is None else "×".join(map(str, self.preprocessing.crop))
        roles = ", ".join(f"{role}={layer}" for role, layer in self.layers.items())
        return f"Classifier {self.name} ({self.weights}): {known}, pictures of {size}, layers {roles or 'by name'}"

    def digest(self) -> str:
        """Return the SHA-256 of the parameters and buffers: names, types, shapes and values."""
        sha = hashlib.sha256()
        for name, tensor in self.module.state_dict().items():
            sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            sha.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return sha.hexdigest()

    def network_digest(self) -> str:
        """Return the SHA-256 of the network as it is run: preprocessing, architecture and weights."""
        prepared = json.dumps(vars(self.preprocessing), sort_keys=True, default=list)  # lists of any kind are one
        parts = (prepared, *structure(self.module), self.digest())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def structure(module: nn.Module) -> Iterator[str]:
    """Yield one line per submodule: its name, its class, its options and its buffers that no file of weights holds.

    Networks with equal tensors may still differ in these: in an activation, a stride, the layout of tokens. Options are
    attributes that are numbers, texts or functions, or lists, tuples and dicts of these. The options of PyTorch's own
    modules are their ``extra_repr``, so that a version of PyTorch with other attributes changes nothing; those of other
    modules include private numbers and texts.
    """
    for name, part in module.named_modules():
        theirs = part.extra_repr() if _is_torch(part) else ""
        own = {} if theirs else {key: said for key, value in sorted(_options(part)) if (said := _said(value))}
        kept = {key: digest_tensor(tensor) for key, tensor in sorted(_unsaved(part))}
        yield f"{name} {type(part).__qualname__} {theirs or own}{f' {kept}' if kept else ''}"


def _is_torch(part: nn.Module) -> bool:
    return type(part).__module__.startswith("torch.")


def _options(part: nn.Module) -> Iterator[tuple[str, object]]:
    """Yield the attributes that may be options of a forward pass; private ones only where they hold plain values."""
    for key, value in vars(part).items():
        private = key.startswith("_") and (_is_torch(part) or callable(value))
        if key not in OF_EVERY_MODULE and key != "forward" and not private:
            yield key, value


def _unsaved(part: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the buffers that are no part of the state dict."""
    for key in part._non_persistent_buffers_set:
        if (buffer := part._buffers.get(key)) is not None:
            yield key, buffer


def _said(value: object) -> str:
    """Return an attribute as text that is equal in every process; ``""`` for what is no option of a forward pass."""
    if isinstance(value, str | int | float | TokenLayout | None):
        return repr(value)
    if isinstance(value, Mapping):
        items = sorted((repr(key), _said(item)) for key, item in value.items())
        return _listed([f"{key}: {said}" if said else "" for key, said in items])
    if isinstance(value, list | tuple):
        return _listed([_said(item) for item in value])
    return str(getattr(value, "__qualname__", ""))


def _listed(items: Sequence[str]) -> str:
    """Return items as one text, a ``?`` for what is no option; ``""`` where nothing is."""
    return f"({', '.join(item or '?' for item in items)})" if any(items) or not items else ""


def _plain(name: str) -> str:
    return name.replace("_", " ").strip().lower()
