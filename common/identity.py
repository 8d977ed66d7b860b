"""The identity of a method or metric: its options as plain values, those that differ from the defaults, and digests.

An option is a plain value (text, a number, true, false or none), a tensor, another dataclass, or a list or mapping of
these. A function or any other object is an error, because another process cannot tell whether it is the same one.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor


def options(thing: object) -> dict[str, Any]:
    """Return a dataclass's options as plain JSON values, without those that its class declares ``speed_only``.

    An option that is a dataclass becomes a mapping of its ``class`` and its own options; a tensor becomes its digest.

    Raises:
        ValueError: for an option that is a function or another object, naming it; for what is no dataclass.
    """
    if not is_dataclass(thing) or isinstance(thing, type):
        raise ValueError(f"{thing!r} is a {type(thing).__name__}, expected a frozen dataclass")
    speed_only: frozenset[str] = getattr(thing, "speed_only", frozenset())
    names = [f.name for f in fields(thing) if f.name not in speed_only]
    return {name: _plain(f"{type(thing).__name__}.{name}", getattr(thing, name)) for name in names}


def _plain(option: str, value: object) -> Any:
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, Tensor):
        return f"tensor:{digest_tensor(value)}"
    if is_dataclass(value) and not isinstance(value, type):
        return {"class": class_path(value), **options(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{option}[{key!r}]", item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(f"{option}[{place}]", item) for place, item in enumerate(value)]
    raise ValueError(
        f"option {option} is {value!r} ({type(value).__name__}), expected text, a number, true, false, none, a tensor, "
        "a dataclass, or a list or mapping of these: nothing else can be told from another in the next process"
    )


def changed(thing: object) -> dict[str, Any]:
    """Return the options, sorted by name, that differ from the preset's value, or from the default without a preset.

    ``presets`` of the class holds values by the name in the field ``preset``, which is itself left out.

    Raises:
        ValueError: as :func:`options`.
    """
    values = options(thing)
    presets: Mapping[str, Mapping[str, object]] = getattr(thing, "presets", {})
    defaults = {f.name: f.default for f in fields(thing) if f.name != "preset"}  # type: ignore[arg-type]
    usual = {**defaults, **presets.get(getattr(thing, "preset", ""), {})}
    plain = {name: _plain(name, value) for name, value in usual.items() if name in values and value is not MISSING}
    names = [name for name in sorted(values) if name != "preset"]
    return {name: values[name] for name in names if name not in plain or values[name] != plain[name]}


def definition(name: str, metric: object) -> str:
    """Return the id of a metric's definition: its name, its preset, and every option that differs from the preset.

    ``deletion:rise-2018`` is the preset itself; ``deletion:rise-2018[baseline=mean,steps=28]`` differs from it in two
    options. Rows of different definitions are never averaged together.

    Raises:
        ValueError: for an option that is a function or another object, naming it; for what is no dataclass.
    """
    if not is_dataclass(metric):
        raise ValueError(f"metric {name!r} is a {type(metric).__name__}, expected a frozen dataclass")
    preset = getattr(metric, "preset", "")
    own = [f"{option}={value}" for option, value in changed(metric).items() if option not in _beside(metric)]
    return name + (f":{preset}" if preset else "") + (f"[{','.join(own)}]" if own else "")


def request(name: str, metric: object) -> str:
    """Return the id of all that is requested of a metric: its definition and the options in ``beside``.

    ``deletion:rise-2018 with tie_orders=8`` has the value of ``deletion:rise-2018``, and further numbers.

    Raises:
        ValueError: as :func:`definition`.
    """
    asked = definition(name, metric)
    more = [f"{option}={value}" for option, value in changed(metric).items() if option in _beside(metric)]
    return asked + (f" with {','.join(more)}" if more else "")


def _beside(metric: object) -> frozenset[str]:
    return getattr(metric, "beside", frozenset())


def class_path(thing: object) -> str:
    """Return the dotted path of an object's class."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def digest_json(value: object) -> str:
    """Return the SHA-256 of the canonical JSON (sorted keys, no spaces) of a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def digest_tensor(tensor: Tensor) -> str:
    """Return the SHA-256 of a tensor's type, shape and values, the same on every device and in every memory layout."""
    values = tensor.detach().cpu().contiguous()
    content = values.reshape(-1).view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(f"{values.dtype} {tuple(values.shape)} ".encode() + content).hexdigest()
