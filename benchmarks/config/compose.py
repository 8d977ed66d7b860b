"""Commands run by Hydra: their arguments as it takes them, configs composed outside it, the nearest option's name."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import hydra
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from heatmark.benchmarks.runs import names
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


WORDS = {"rename": ("name", "to"), "diff": ("name", "other"), "merge": ("name", "others")}
"""The options that a command's bare words are values of, in order; all other commands take one, the run's name."""

FILTERS = {
    "forget": ("method", "model", "layer", "metric", "dataset"),
    "verify": ("method", "layer", "metric"),
}
"""Options that are names in a run's tables, of which most are also names of Hydra's groups, where only what ships could
be given."""


def rewritten(command: str, arguments: Sequence[str]) -> list[str]:
    """Return a command's arguments as Hydra takes them.

    Raises:
        ValueError: for more bare words than the command takes, or a number of shards that is none.
    """
    found = named(command, arguments)
    if command == "sweep":
        return in_shards(found)
    if filters := FILTERS.get(command, ()):
        return [f"which.{a}" if a.partition("=")[0] in filters else a for a in found]
    return found


def named(command: str, arguments: Sequence[str]) -> list[str]:
    """Return the arguments with bare words replaced: ``gather mine`` is ``gather name=mine``.

    The words of ``merge`` after the first are a list. A word after one of Hydra's own options, as in ``--cfg job``, is
    that option's value and stays.

    Raises:
        ValueError: for more words than the command takes.
    """
    bare = [_is_word(a) and b not in VALUED for a, b in zip(arguments, ["", *arguments], strict=False)]
    words = [_quoted(a) for a, is_bare in zip(arguments, bare, strict=True) if is_bare]
    options = WORDS.get(command, ("name",))
    if command == "merge":
        words = [*words[:1], *([f"[{','.join(words[1:])}]"] if words[1:] else [])]
    if len(words) > len(options):
        raise ValueError(f"takes {' and '.join(options)}, got {len(words)} words: {' '.join(words)}")
    given = [f"{option}={word}" for option, word in zip(options, words, strict=False)]
    return [*given, *(a for a, is_bare in zip(arguments, bare, strict=True) if not is_bare)]


def _is_word(argument: str) -> bool:
    return argument != "" and "=" not in argument and argument[0] not in "-+~"


def _quoted(word: str) -> str:
    """Return a word as a value of Hydra's, in quotes where it has more than letters, digits, dots and slashes."""
    if re.fullmatch(r"[\w./\-]+", word):
        return word
    doubled = re.sub(r"\\+(?='|$)", lambda found: 2 * found.group(), word)  # they escape nothing but a quote
    return "'" + doubled.replace("'", "\\'") + "'"


def in_shards(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a sweep with ``shards=8`` replaced by ``shard=0/8,1/8,…,7/8``: one job per shard.

    Raises:
        ValueError: for shards without ``-m``, which makes several jobs of one call, or a number below 1.
    """
    found = []
    for argument in arguments:
        option, _, value = argument.partition("=")
        if option != "shards":
            found.append(argument)
            continue
        if not value.isdecimal() or int(value) < 1:
            raise ValueError(f"shards is {value!r}, expected a number of at least 1")
        if not {"-m", "--multirun"} & set(arguments):
            raise ValueError(
                f"shards={value} makes {value} jobs of one call, which needs -m: heatmark sweep -m {argument}"
            )
        found.append("shard=" + ",".join(f"{n}/{value}" for n in range(int(value))))
    return found


def run_command(command: str, job: Callable[[DictConfig], object]) -> None:
    """Run a command's job on the configurations that the command line gives: in this process, or by a launcher.

    Args:
        command: name of the command and of its configuration.
        job: a function of a module, which other processes find by its name.
    """
    hydra.main(version_base="1.3", config_path="pkg://heatmark.conf", config_name=command)(job)()


def command_line() -> list[str]:
    """Return the words of a command that runs the job again that runs now, alone, in whichever process it runs."""
    config = HydraConfig.get()
    searched = [o for o in config.overrides.hydra if o.startswith("hydra.searchpath")]
    return ["heatmark", str(config.job.config_name), *config.overrides.task, *searched]


def compose_command(command: str, overrides: Sequence[str] = ()) -> DictConfig:
    """Return a command's configuration, composed as Hydra composes it for a single run."""
    GlobalHydra.instance().clear()
    with initialize_config_module("heatmark.conf", version_base="1.3"):
        return compose(command, overrides=list(overrides))


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
