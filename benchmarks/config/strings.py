"""The strings that name a model, a method, a metric or a dataset, such as ``rise(masks=1000)``: read, and written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

QUOTED = r"""(?<![^\s,=:\[({])(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
"""A text in quotes, which begins where a value may begin: the quote in ``it's`` is a letter."""

TOKEN = re.compile(rf"\\.|{QUOTED}|.", re.DOTALL)
SEPARATOR = re.compile(rf"{QUOTED}|\s*([,=:\[\](){{}}])\s*", re.DOTALL)
PLAIN = re.compile(r"[\w./\-]+")
"""What Hydra reads as one text without quotes."""


@dataclass(frozen=True)
class Named:
    """A name with the options given in parentheses after it.

    Args:
        name: of a shipped option, a pattern of such names, the path of a file, or SOURCE:NAME.
        options: names of options, with their values as they were typed but for blanks.
    """

    name: str
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return the one spelling: options in the order in which they are typed, without blanks around signs.

        >>> str(read("rise( masks = 1000, cells=7 )"))
        'rise(masks=1000,cells=7)'
        """
        return f"{self.name}({','.join('='.join(pair) for pair in self.options)})" if self.options else self.name


def read(text: str) -> Named:
    """Return what a string names; it may be in quotes, or have its signs escaped, as Hydra writes it.

    Raises:
        ValueError: for options that are not NAME=VALUE, an option given twice, or a bracket without its other half.
    """
    text = unquoted(text.strip())
    found = re.fullmatch(r"([^(]*)\((.*)\)", text, re.DOTALL)
    if not found:
        return Named(text)
    name, inside = found.groups()
    pairs = [_pair(part, text) for part in split(inside)] if inside.strip() else []
    keys = [key for key, _ in pairs]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise ValueError(f"{text} gives {twice[0]} twice")
    return Named(name.strip(), tuple(pairs))


def elements(value: str) -> list[str | list[str]]:
    """Return the values between the commas of an argument; a list in brackets is one of them.

    >>> elements("a,[b,c(d=1,e=[2,3])]")
    ['a', ['b', 'c(d=1,e=[2,3])']]

    Raises:
        ValueError: for a bracket without its other half.
    """
    return [_items(part) if part.startswith("[") and part.endswith("]") else part for part in split(value)]


def split(text: str) -> list[str]:
    """Return the parts of a text between its commas, but for those in brackets or quotes.

    Raises:
        ValueError: for a bracket without its other half.
    """
    parts, depth = [""], 0
    for token in TOKEN.findall(text):
        depth += (token in "[({") - (token in "])}")
        if depth < 0:
            break
        parts = [*parts, ""] if token == "," and depth == 0 else [*parts[:-1], parts[-1] + token]
    if depth:
        raise ValueError(f"cannot read {text!r}: a bracket lacks its other half")
    return [part.strip() for part in parts]


def quoted(text: str) -> str:
    """Return a text as a value of Hydra's, in quotes where it has more than letters, digits, dots and slashes."""
    if PLAIN.fullmatch(text):
        return text
    doubled = re.sub(r"\\+(?='|$)", lambda found: 2 * found.group(), text)  # they escape nothing but a quote
    return "'" + doubled.replace("'", "\\'") + "'"


def unquoted(text: str) -> str:
    """Return the text that Hydra reads: without its quotes, or without the backslashes before its signs."""
    if re.fullmatch(QUOTED, text, re.DOTALL):
        return re.sub(rf"\\+(?={text[0]}|$)", lambda found: found.group()[: len(found.group()) // 2], text[1:-1])
    if re.search(r"(?<!\\)\(", text):  # its options' values have backslashes of their own
        return text
    return re.sub(r"\\([\\()\[\]{}:=, \t])", r"\1", text)


def readable(argument: str) -> str:
    """Return an override of Hydra's with its strings out of their quotes, as a person types it.

    >>> readable("method=[rise,'rise(masks=1000)']")
    'method=[rise,rise(masks=1000)]'
    """
    option, equals, value = argument.partition("=")
    parts = [f"[{','.join(map(_bare, e))}]" if isinstance(e, list) else _bare(e) for e in elements(value)]
    return f"{option}{equals}{','.join(parts)}"


def distinct(named: Sequence[Named]) -> list[Named]:
    """Return what is named, once each."""
    return list({str(each): each for each in named}.values())


def _bare(item: str) -> str:
    """Return an item out of its quotes where it is still one item there."""
    text = unquoted(item)
    return text if not set(text) & set("[]{}$'\"\\") and len(split(text)) == 1 else item


def _items(part: str) -> list[str]:
    return split(part[1:-1]) if part[1:-1].strip() else []


def _pair(part: str, text: str) -> tuple[str, str]:
    key, equals, value = SEPARATOR.sub(lambda found: found.group(1) or found.group(), part).partition("=")
    if not (equals and re.fullmatch(r"[\w.]+", key)):
        raise ValueError(f"cannot read {part!r} in {text}: expected OPTION=VALUE, as in rise(masks=1000,seed=1)")
    return key, value
