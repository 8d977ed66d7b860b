"""Models whose layers are drawn anew, one after the other; the given model is never touched."""

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from heatmark.common.digests import digest_json

VERSION = 1
"""Raised by whoever changes which layers are drawn, or what is drawn."""

Order = Literal["top_down", "bottom_up", "independent"]


def layers_of(model: nn.Module) -> list[str]:
    """Return the names of the layers that can be drawn anew: they have ``reset_parameters``.

    Raises:
        ValueError: if there is none.
    """
    names = [name for name, part in model.named_modules() if hasattr(part, "reset_parameters")]
    if not names:
        raise ValueError(f"no part of {type(model).__name__} can be drawn anew: none has reset_parameters")
    return names


def randomised(
    model: nn.Module, order: Order, points: int | None, until: float, seed: int
) -> Iterator[tuple[float, nn.Module]]:
    """Yield the share of layers that are drawn anew, with a copy of the model that has them, from few layers to many.

    Args:
        model: the model.
        order: ``top_down`` draws from the output to the input and keeps what is drawn, ``bottom_up`` from the input on,
            ``independent`` those of each point alone.
        points: number of models, among which layers are shared out evenly; None has one per layer.
        until: the share at the last point, in (0, 1]; at least one layer is drawn.
        seed: together with its name, the seed of each layer.

    Raises:
        ValueError: if no layer can be drawn anew.
    """
    names = layers_of(model)
    names = names if order == "bottom_up" else names[::-1]
    last = max(1, int(len(names) * until))
    count = last if points is None else min(points, last)
    for start, end in pairwise(round(last * point / count) for point in range(count + 1)):
        yield end / len(names), drawn_anew(model, names[0 if order != "independent" else start : end], seed)


def drawn_anew(model: nn.Module, names: list[str], seed: int) -> nn.Module:
    """Return a copy of a model with some of its layers drawn anew, each from a seed of its own."""
    made = copy.deepcopy(model)
    parts = dict(made.named_modules())
    with torch.random.fork_rng(devices=[]):
        for name in names:
            torch.default_generator.manual_seed(int(digest_json([name, seed])[:15], 16))
            _on_cpu(parts[name])
    return made


def _on_cpu(part: nn.Module) -> None:
    """Draw a part's own parameters anew on the CPU, so that all devices get equal numbers."""
    places = {name: tensor.device for name, tensor in part.named_parameters(recurse=False)}
    home = next(iter(places.values()), torch.device("cpu"))
    part.to("cpu").reset_parameters()  # type: ignore[operator]
    part.to(home)
