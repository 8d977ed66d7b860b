"""Where progress is shown: a notebook, or any output that is no terminal; :mod:`.terminal` is a view, too."""

import html
import sys
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from heatmark.benchmarks.progress.tally import Tally

REDRAWN = 0.5
"""Seconds after which a notebook's display is drawn anew."""
WIDE = 200
"""Characters of a line in a notebook, which wraps by itself."""


class View(Protocol):
    """A place where a job's progress is shown."""

    def starts(self, tally: Tally) -> None:
        """Begin to show a job."""

    def changed(self) -> None:
        """Called at every step and after every forward pass."""

    def ended(self) -> None:
        """Called after every block."""

    def close(self) -> None:
        """Show no more."""


class Plain:
    """One line per block, written out at once.

    Args:
        file: where the lines go; None for the standard error.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file

    def starts(self, tally: Tally) -> None:
        """Begin to show a job."""
        self._tally = tally

    def changed(self) -> None:
        """Show nothing."""

    def ended(self) -> None:
        """Write a line."""
        file = self._file or sys.stderr
        file.write(self._tally.block_line() + "\n")
        file.flush()

    def close(self) -> None:
        """Show no more."""


class Notebook:
    """One display of a notebook, drawn anew in its place.

    Args:
        clock: seconds from any fixed moment on.
        show: gives an object a display and returns its handle; IPython's ``display`` with a display id.
    """

    def __init__(self, clock: Callable[[], float], show: Callable[[object], Any]) -> None:
        self._clock, self._show = clock, show
        self._drawn = clock()

    def starts(self, tally: Tally) -> None:
        """Show the display."""
        self._tally = tally
        self._display = self._show(Page(bar(tally)))

    def changed(self) -> None:
        """Draw the display anew, where the last time is long enough ago."""
        if self._clock() - self._drawn >= REDRAWN:
            self.ended()

    def ended(self) -> None:
        """Draw the display anew."""
        self._drawn = self._clock()
        self._display.update(Page(bar(self._tally)))

    def close(self) -> None:
        """Draw the display for the last time."""
        if hasattr(self, "_display"):
            self.ended()


class Page:
    """HTML that a notebook shows.

    Args:
        content: the HTML.
    """

    def __init__(self, content: str) -> None:
        self._content = content

    def _repr_html_(self) -> str:
        return self._content


def bar(tally: Tally) -> str:
    """Return a job's progress as HTML: its two lines, and a bar of its pictures."""
    first, second = (html.escape(line.strip()) for line in tally.lines(WIDE))
    return (
        f'<div>{first}<br><progress value="{tally.done}" max="{tally.pictures}" style="width:20em"></progress> '
        f"<small>{second}</small></div>"
    )
