"""Patterns of presets: ``deletion(preset=*)``, or ``deletion*``, is deletion under every protocol that it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from omegaconf import OmegaConf

from heatmark.benchmarks.config.compose import CONF
from heatmark.benchmarks.config.strings import Named, unquoted
from heatmark.benchmarks.config.targets import located
from heatmark.common.names import did_you_mean

WILD = set("*?[")
"""The signs of a pattern."""


def presets(name: str) -> tuple[str, Sequence[str]]:
    """Return the preset of a shipped metric's config, and all that its class has; ``""`` and none for no presets.

    >>> presets("road")
    ('road-2022', ['road-2022', 'road-pgc'])
    """
    config = OmegaConf.to_container(OmegaConf.load(_file(name)))
    options = config[name] if isinstance(config, dict) else {}
    if "preset" not in options:
        return "", []
    found: Mapping[str, object] = located(options["_target_"], f"metric={name}").presets
    return str(options["preset"]), list(found)


def with_presets(named: Named, pattern: str) -> Named:
    """Return a metric that a pattern of names stands for, with the pattern of its presets where that is meant.

    ``deletion*`` begins with the whole name of a metric that has presets, so that it means these, too; ``*`` and
    ``del*`` mean names alone.
    """
    is_meant = pattern == f"{named.name}*" and "preset" not in dict(named.options) and presets(named.name)[1]
    return replace(named, options=(*named.options, ("preset", "*"))) if is_meant else named


def by_preset(named: Named) -> list[Named]:
    """Return a metric under each preset that a pattern such as ``deletion(preset=rise-*)`` matches, else itself.

    The preset that its config has by itself comes first and is not written: ``deletion``, not
    ``deletion(preset=heatmark-1)``. A metric that does not ship stays as it is.

    Raises:
        ValueError: for a metric that has no presets, and a pattern that matches none; it names the nearest.
    """
    pattern = unquoted(dict(named.options).get("preset", ""))
    if not set(pattern) & WILD or not _file(named.name).is_file():
        return [named]
    own, known = presets(named.name)
    found = sorted((name for name in known if fnmatchcase(name, pattern)), key=lambda name: name != own)
    if not known:
        raise ValueError(f"metric={named}: {named.name} has no presets")
    if not found:
        hint = did_you_mean(pattern.strip("*?"), known, f"there are {', '.join(known)}")
        raise ValueError(f"metric={named}: no preset of {named.name} matches {pattern!r}: {hint}")
    return [_under(named, "" if name == own else name) for name in found]


def _file(name: str) -> Path:
    return CONF / "metric" / f"{name}.yaml"


def _under(named: Named, preset: str) -> Named:
    options = [(key, preset if key == "preset" else value) for key, value in named.options]
    return replace(named, options=tuple(pair for pair in options if pair != ("preset", "")))
