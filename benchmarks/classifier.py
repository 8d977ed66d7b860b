"""A model made ready to be explained: its weights, its preprocessing, its layers and classes by name."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from benchmarks.hints import did_you_mean
from benchmarks.preprocessing import Preprocessing


@dataclass(frozen=True)
class Classifier:
    """A classifier and all that the suite must know of it.

    Args:
        name: what the tables call it.
        module: the network in evaluation mode, images (N, 3, H, W) to logits (N, classes).
        weights: what the tables call its weights, such as ``IMAGENET1K_V2``, ``random-0`` or a file's name.
        preprocessing: from a picture to the network's input.
        layers: role (``early``, ``middle``, ``last``) to the dotted name of a layer, or to ``auto``.
        classes: name of every class, in the order of the logits; empty where unknown.
    """

    name: str
    module: nn.Module
    weights: str
    preprocessing: Preprocessing
    layers: Mapping[str, str] = field(default_factory=dict)
    classes: Sequence[str] = ()

    def class_index(self, label: int | str) -> int:
        """Return the logit that belongs to a class, by its number or its name (case and underscores do not matter).

        Raises:
            ValueError: where there is no such class, or several of that name; it names the nearest ones.
        """
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

    def digest(self) -> str:
        """Return the SHA-256 of the parameters and buffers: names, types, shapes and values."""
        sha = hashlib.sha256()
        for name, tensor in self.module.state_dict().items():
            sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            sha.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return sha.hexdigest()


def _plain(name: str) -> str:
    return name.replace("_", " ").strip().lower()
