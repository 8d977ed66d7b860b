"""Commands run by Hydra, configs composed outside it, and the nearest option's name."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from heatmark.benchmarks.config.strings import readable
from heatmark.benchmarks.runs import names
from heatmark.common.names import did_you_mean

CONF = Path(__file__).parents[2] / "conf"

GROUPS = ("model", "method", "metric", "dataset")
"""Hydra's groups whose options are named by strings."""

KEYED = ("method", "metric")
"""Those of which one run has several; their configs lie under their names."""

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


def run_command(command: str, job: Callable[[DictConfig], object]) -> None:
    """Run a command's job on the configurations that the command line gives: in this process, or by a launcher.

    Args:
        command: name of the command and of its configuration.
        job: a function of a module, which other processes find by its name.
    """
    with _nothing_said_before_an_error():
        hydra.main(version_base="1.3", config_path="pkg://heatmark.conf", config_name=command)(job)()


@contextmanager
def _nothing_said_before_an_error() -> Iterator[None]:
    """Let a job's error be raised without the line ``Error executing job with overrides`` before it, in this context.

    Hydra writes the line to stderr in this process when it asks for the value that the job returned, and has no setting
    for it.
    """
    hydras: Any = vars(JobReturn)["return_value"]

    def value(job: JobReturn) -> Any:
        if job.status is JobStatus.FAILED:
            raise job._return_value
        return job._return_value

    JobReturn.return_value = property(value, hydras.fset)  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        JobReturn.return_value = hydras  # type: ignore[method-assign]


def command_line() -> list[str]:
    """Return the words of a command that runs the job again that runs now, alone, in whichever process it runs."""
    config = HydraConfig.get()
    searched = [o for o in config.overrides.hydra if o.startswith("hydra.searchpath")]
    task = [readable(o) if o.partition("=")[0] in GROUPS else o for o in config.overrides.task]
    return ["heatmark", str(config.job.config_name), *task, *searched]


def compose_command(command: str, overrides: Sequence[str] = ()) -> DictConfig:
    """Return a command's configuration, composed as Hydra composes it for a single run, in a job of Hydra's as well."""
    around = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("heatmark.conf", version_base="1.3"):
            return compose(command, overrides=list(overrides))
    finally:
        GlobalHydra.instance().hydra = around


def run_folder(command: str, arguments: Sequence[str]) -> Path:
    """Return the folder of the run that a command's arguments name and that it writes.

    All other arguments, such as sweeps, are ignored.

    Raises:
        ValueError: for a name that is not a single path component.
    """
    return names.written(*_place(command, arguments))


def opened_folder(command: str, arguments: Sequence[str]) -> Path:
    """Return the folder of the run that a command's arguments name, or to which they give the path.

    Raises:
        ValueError: where there is none.
    """
    return names.opened(*_place(command, arguments))


def _place(command: str, arguments: Sequence[str]) -> tuple[Path, str]:
    config = compose_command(command, [a for a in arguments if a.startswith(FOLDER_OPTIONS)])
    return Path(str(config.results_dir)), str(config.name)


def nearest_hint(message: str, command: str) -> str:
    """Return Hydra's message about an unknown option or key as one that names the nearest; others as they are."""
    wrong = re.search(r"Could not (find|override|load) '([^']+)'", message)
    if not wrong:
        return message
    kind, name = wrong.groups()
    if kind == "override" and (absent := _not_selected(name)):
        return absent
    known = list(_keys(compose_command(command))) if kind == "override" else list(_options(name.partition("/")[0]))
    what = "option" if kind == "override" else name.partition("/")[0]
    there_are = f"there are {', '.join(key for key in known if '.' not in key)}"
    return f"unknown {what} {name!r}: {did_you_mean(name, known, there_are)}".replace(f"{what}/", "")


def _not_selected(name: str) -> str:
    """Return that an option is of a method or metric that this run has not, or ``""`` where that is not its fault."""
    group, _, rest = name.partition(".")
    option = rest.partition(".")[0]
    if group not in KEYED or f"{group}/{option}" not in _options(group):
        return ""
    if name not in _keys(compose_command("sweep", [f"{group}=[{option}]"])):
        return ""
    return (
        f"{name} has nothing to set, because {group} {option} is not selected: "
        f"add it, {group}=[…,{option}], or leave {name} out"
    )


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, config):
        yield f"{prefix}{key}"
        value = config._get_node(key)
        if isinstance(value, DictConfig) and not value._is_none() and not value._is_missing():
            yield from _keys(value, f"{prefix}{key}.")


def _options(group: str) -> Iterable[str]:
    """Yield GROUP/OPTION for every yaml of a group that ships with the suite."""
    return (f"{group}/{path.stem}" for path in sorted((CONF / group).glob("*.yaml")))
