"""Absolute paths found in facts and texts, and replaced by their last component: what a machine's folders are called
is of no use elsewhere."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

WORD = r"""[^\s'"`,;()\[\]{}<>|]+"""
ABSOLUTE = re.compile(rf"(?<![\w./:\\])(?:~[\w.-]*/|/|[A-Za-z]:[\\/]|\\\\){WORD}")
"""A path in a text: what begins with ``/``, ``~/``, ``~me/``, ``C:\\`` or ``\\\\``, no part of a word or an address."""
HOME = re.compile(r"(?:/home|/Users|[A-Za-z]:[\\/]Users)[\\/][^\\/]+[\\/]*")
"""A person's own folder, whose last component is the person's name."""


class Paths:
    """The absolute paths of some facts, which are known wherever they occur, with spaces in them too.

    Args:
        facts: plain JSON values.
    """

    def __init__(self, facts: Iterable[object]) -> None:
        known = {
            path for value in facts for text in _texts(value) if _is_absolute(path := text.partition("=")[2] or text)
        }
        self._known = sorted(known, key=len, reverse=True)
        self.in_text = cache(self._in_text)

    def removed(self, value: Any) -> Any:
        """Return a plain JSON value in which each absolute path of a text is its last component."""
        if isinstance(value, str):
            return self.in_text(value)
        if isinstance(value, Mapping):
            return {name: self.removed(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.removed(item) for item in value]
        return value

    def _in_text(self, text: str) -> str:
        """Return a text in which each absolute path is its last component."""
        for path in self._known:
            text = re.sub(rf"{re.escape(path)}(?![\w.-])(?:[\\/]{WORD})?", lambda found: _last(found.group()), text)
        return ABSOLUTE.sub(lambda found: _last(found.group()), text)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _is_absolute(text: str) -> bool:
    return len(text) > 1 and (PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute())


def _last(path: str) -> str:
    """Return a path's last component, with the punctuation that follows it; ``""`` for a root, ``~`` for a home."""
    if HOME.fullmatch(path):
        return "~"
    return PureWindowsPath(path).name or PureWindowsPath(path).drive.replace(":", "")
