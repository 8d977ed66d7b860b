"""A command's arguments as Hydra takes them: bare words, the strings of the groups, layers and shards rewritten."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from heatmark.benchmarks.config.compose import GROUPS, KEYED
from heatmark.benchmarks.config.options import expanded, register
from heatmark.benchmarks.config.strings import Named, distinct, elements, quoted, read, unquoted

VALUED = (
    "--cfg", "-c", "--package", "-p", "--info", "-i", "--config-path", "-cp", "--config-name", "-cn",
    "--config-dir", "-cd", "--experimental-rerun",
)  # fmt: skip
"""Hydra's own options that are followed by a value."""

SEVERAL = {"-m", "--multirun"}
"""Hydra's own options that make several jobs of one call."""

WORDS = {"rename": ("name", "to"), "diff": ("name", "other"), "merge": ("name", "others")}
"""The options that a command's bare words are values of, in order; all other commands take one, the run's name."""

FILTERS = {
    "forget": ("method", "model", "layer", "metric", "dataset"),
    "verify": ("method", "layer", "metric"),
}
"""Options that are names in a run's tables, of which most are also names of Hydra's groups, where only what ships could
be given."""

LISTS = {"models": "model"}
"""Options that are lists of names of a group, such as ``models`` of ``check`` and ``bench``."""

TEXTS = ("name", "to", "other", "into", "image", "compare", "against")
"""Options that are one text, which may have blanks and signs."""

HYDRAS = re.compile(r"\$\{.*|\{.*|(choice|glob|range|interval|sort|shuffle|tag|extend_list|str)\(.*|", re.DOTALL)
"""Values of a group that are left to Hydra: interpolations, dictionaries, functions of its own, and none."""


@dataclass(frozen=True)
class Choice:
    """What an argument such as ``method=[rise,rise(masks=1000)]`` names.

    Args:
        group: of Hydra's.
        elements: what is named between the argument's commas, and whether that is a list.
    """

    group: str
    elements: Sequence[tuple[list[Named], bool]]

    @property
    def named(self) -> list[Named]:
        """All that is named."""
        return [named for element, _ in self.elements for named in element]

    @property
    def jobs(self) -> list[str]:
        """The values of the override, one per job where a run has one of the group, such as a model."""
        if self.group not in KEYED:
            return [quoted(str(named)) for named in distinct(self.named)]
        return [_value(element, is_list) for element, is_list in self.elements]

    def __str__(self) -> str:
        return f"{self.group}={','.join(self.jobs)}"


def rewritten(command: str, arguments: Sequence[str]) -> list[str]:
    """Return a command's arguments as Hydra takes them; what is rewritten already stays as it is.

    Raises:
        ValueError: for more bare words than the command takes, a number of shards that is none, and strings that name
            nothing.
    """
    found = [_text(argument) for argument in named(command, arguments)]
    filters = FILTERS.get(command, ())
    found = [f"which.{_listed(a)}" if a.partition("=")[0] in filters else a for a in found]
    if command == "forget":
        return found
    found = [_list_of_names(dotted(argument)) for argument in found]
    return in_shards(in_groups(found)) if command == "sweep" else in_groups(found)


def named(command: str, arguments: Sequence[str]) -> list[str]:
    """Return the arguments with bare words replaced: ``gather mine`` is ``gather name=mine``.

    The words of ``merge`` after the first are a list. A word after one of Hydra's own options, as in ``--cfg job``, is
    that option's value and stays.

    Raises:
        ValueError: for more words than the command takes.
    """
    bare = [_is_word(a) and b not in VALUED for a, b in zip(arguments, ["", *arguments], strict=False)]
    words = [quoted(a) for a, is_bare in zip(arguments, bare, strict=True) if is_bare]
    options = WORDS.get(command, ("name",))
    if command == "merge":
        words = [*words[:1], *([f"[{','.join(words[1:])}]"] if words[1:] else [])]
    if len(words) > len(options):
        raise ValueError(f"takes {' and '.join(options)}, got {len(words)} words: {' '.join(words)}")
    given = [f"{option}={word}" for option, word in zip(options, words, strict=False)]
    return [*given, *(a for a, is_bare in zip(arguments, bare, strict=True) if not is_bare)]


def in_groups(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the strings of ``model=``, ``method=``, ``metric=``, ``dataset=`` as Hydra's options.

    Several models or datasets are several jobs of one call, with ``-m`` or without.

    Raises:
        ValueError: for strings that name nothing or cannot be read.
    """
    searched = [argument for argument in arguments if argument.startswith("hydra.searchpath=")]
    choices = {argument: choice for argument in arguments if (choice := _choice(argument))}
    for choice in choices.values():
        register(choice.group, choice.named, searched)
    several = any(choice.group not in KEYED and len(choice.jobs) > 1 for choice in choices.values())
    begin = ["-m"] if several and not SEVERAL & set(arguments) else []
    return [*begin, *(str(choices.get(argument, argument)) for argument in arguments)]


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
        if not SEVERAL & set(arguments):
            raise ValueError(
                f"shards={value} makes {value} jobs of one call, which needs -m: heatmark sweep -m {argument}"
            )
        found.append("shard=" + ",".join(f"{n}/{value}" for n in range(int(value))))
    return found


def dotted(argument: str) -> str:
    """Return an argument whose layers are written as Python writes them with dots.

    >>> dotted("layer=[last,features[28].conv[0]]")
    'layer=[last,features.28.conv.0]'
    """
    option, equals, value = argument.partition("=")
    return argument if option != "layer" else option + equals + re.sub(r"(?<=[\w\]])\[(\d+)\]", r".\1", value)


def _is_word(argument: str) -> bool:
    is_option = argument[:1] in "-+~" and not argument.startswith("~/")  # a path in the home folder, in quotes
    return argument != "" and "=" not in argument and not is_option


def _text(argument: str) -> str:
    """Return an argument whose value is one text, such as a path, in quotes where it needs them."""
    option, _, value = argument.partition("=")
    is_plain = value and not set(value) & set(",[]{}$\\'\"")
    return f"{option}={quoted(value)}" if option in TEXTS and is_plain else argument


def _listed(argument: str) -> str:
    """Return an argument whose value is a name or a list of names, which are taken as they are."""
    option, _, value = argument.partition("=")
    items = [item for part in elements(value) for item in (part if isinstance(part, list) else [part])]
    names = ",".join(quoted(str(read(item)) if "(" in item else unquoted(item)) for item in items)
    return f"{option}=[{names}]" if "[" in value[:1] else f"{option}={names}"


def _list_of_names(argument: str) -> str:
    """Return an argument whose value is a list of names of a group, with patterns expanded."""
    option, _, value = argument.partition("=")
    parts = elements(value) if option in LISTS else []
    if len(parts) != 1 or not isinstance(parts[0], list):
        return argument
    found = [each for item in parts[0] for each in expanded(LISTS[option], item)]
    return f"{option}={_value(distinct(found), is_list=True)}"


def _choice(argument: str) -> Choice | None:
    """Return what an argument names; None where it is none of a group, or left to Hydra."""
    group, _, value = argument.partition("=")
    parts = elements(value) if group in GROUPS else []
    items = [part if isinstance(part, list) else [part] for part in parts]
    if not parts or any(HYDRAS.fullmatch(item) for element in items for item in element):
        return None
    found = [[each for item in element for each in expanded(group, item)] for element in items]
    if not any(found):
        return None
    return Choice(group, [(distinct(e), isinstance(p, list)) for e, p in zip(found, parts, strict=True)])


def _value(named: Sequence[Named], is_list: bool) -> str:
    names = [quoted(str(each)) for each in named]
    return names[0] if len(names) == 1 and not is_list else f"[{','.join(names)}]"
