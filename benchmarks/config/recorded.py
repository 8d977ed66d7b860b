"""Methods and metrics that a run records, built again from the configs that ship with the recorded options."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.config.targets import targets

CONF = Path(__file__).parents[2] / "conf"


def recorded(group: str, asked: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the objects of these names and options that ship, by name, a number added where a name comes again.

    A name such as ``rise(masks=1000)`` is that of the config before the bracket. What does not ship under its name, or
    not with these options, is left out. No class is taken from the run: a recorded option replaces the value of the
    shipped config, and whether the result is the recorded object is for its keys to say.

    Args:
        group: ``method`` or ``metric``.
        asked: names with their options as JSON.
    """
    wanted = list(dict.fromkeys(asked))
    shipped = _shipped(group, sorted({_base(name) for name, _ in wanted}))
    found: dict[str, Any] = {}
    for name, options in wanted:
        try:
            made = build(OmegaConf.create(_with(shipped[_base(name)], _read(options))), f"{group}={name}")
        except (KeyError, ValueError):  # the caller says that it is missing, in each of its rows
            continue
        found[name if name not in found else f"{name} {len(found)}"] = made
    return found


def _base(name: str) -> str:
    return name.partition("(")[0].strip()


def _read(options: str) -> dict[str, Any]:
    """Return options from JSON.

    Raises:
        ValueError: for what is no JSON, or no mapping.
    """
    try:
        found = json.loads(options)
    except RecursionError as error:
        raise ValueError("the options are nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError(f"the options are {options}, expected names and values")
    return found


def _shipped(group: str, names: Iterable[str]) -> Mapping[str, dict[str, Any]]:
    """Return the shipped configs of these names, those that there are, as plain values."""
    there = {path.stem for path in (CONF / group).glob("*.yaml")}
    config = compose_command("sweep", [f"{group}=[{','.join(name for name in names if name in there)}]"])
    plain: Any = OmegaConf.to_container(config, resolve=True)
    return dict(plain.get(group) or {})


def _with(shipped: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a shipped config with recorded options, those of a method within it too, and its own classes.

    Raises:
        ValueError: for an option that would be built or looked up, where the shipped config holds no object.
    """
    merged = dict(shipped)
    for name, value in options.items():
        if name == "class" or name.startswith("_"):
            continue
        own = shipped.get(name)
        if isinstance(own, Mapping) and isinstance(value, Mapping):
            merged[name] = _with(own, value)
        elif next(targets(value), None) is not None or "${" in json.dumps(value):
            raise ValueError(f"option {name} is {value!r}, expected a plain value")
        else:
            merged[name] = value
    return merged
