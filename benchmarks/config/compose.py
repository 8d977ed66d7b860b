"""Configs composed outside a command, to find a run's folder before it and the nearest option's name after it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from heatmark.common.names import did_you_mean

FOLDER_OPTIONS = (
    "name=",
    "++name=",
    "results_dir=",
    "++results_dir=",
    "experiment=",
    "+experiment=",
    "hydra.searchpath=",
)
"""The beginnings of arguments that can change which folder a run has."""

VALUED = (
    "--cfg", "-c", "--package", "-p", "--info", "-i", "--config-path", "-cp", "--config-name", "-cn",
    "--config-dir", "-cd", "--experimental-rerun",
)  # fmt: skip
"""Hydra's own options that are followed by a value."""


def named(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with a bare word replaced by the run's name: ``gather mine`` is ``gather name=mine``.

    A word after one of Hydra's own options, as in ``--cfg job``, is that option's value and stays.
    """
    before = ["", *arguments]
    return [f"name={a}" if _is_name(a) and b not in VALUED else a for b, a in zip(before, arguments, strict=False)]


def _is_name(argument: str) -> bool:
    return re.fullmatch(r"[\w.\-]+", argument) is not None and not argument.startswith("-")


def compose_command(command: str, overrides: Sequence[str] = ()) -> DictConfig:
    """Return a command's configuration, composed as Hydra composes it for a single run."""
    GlobalHydra.instance().clear()
    with initialize_config_module("heatmark.conf", version_base="1.3"):
        return compose(command, overrides=list(overrides))


def run_folder(command: str, arguments: Sequence[str]) -> Path:
    """Return the run's folder that a command's arguments name; all other arguments, such as sweeps, are ignored."""
    config = compose_command(command, [a for a in arguments if a.startswith(FOLDER_OPTIONS)])
    return Path(str(config.results_dir)) / str(config.name)


def nearest_hint(message: str, command: str) -> str:
    """Return Hydra's message about an unknown option or key as one that names the nearest; others as they are."""
    wrong = re.search(r"Could not (find|override|load) '([^']+)'", message)
    if not wrong:
        return message
    kind, name = wrong.groups()
    known = list(_keys(compose_command(command))) if kind == "override" else list(_options(name.partition("/")[0]))
    what = "option" if kind == "override" else name.partition("/")[0]
    there_are = f"there are {', '.join(key for key in known if '.' not in key)}"
    return f"unknown {what} {name!r}: {did_you_mean(name, known, there_are)}".replace(f"{what}/", "")


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, config):
        yield f"{prefix}{key}"
        value = config._get_node(key)
        if isinstance(value, DictConfig) and not value._is_none() and not value._is_missing():
            yield from _keys(value, f"{prefix}{key}.")


def _options(group: str) -> Iterable[str]:
    """Yield GROUP/OPTION for every yaml of a group that ships with the suite."""
    folder = Path(__file__).parents[2] / "conf" / group
    return (f"{group}/{path.stem}" for path in sorted(folder.glob("*.yaml")))
