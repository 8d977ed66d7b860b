"""Progress on a terminal: two lines."""

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from heatmark.benchmarks.progress.tally import Tally


class TwoLines:
    """The two lines of a job, as wide as the console at most.

    Args:
        tally: the job's.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        first, second = self._tally.lines(options.max_width)
        yield Text(first, no_wrap=True, overflow="crop")
        yield Text(second, style="cyan", no_wrap=True, overflow="crop")


class Terminal:
    """Two lines that a thread draws anew, so that time goes on within a slow step.

    Args:
        console: where they are drawn.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def starts(self, tally: Tally) -> None:
        """Draw the lines."""
        self._live = Live(TwoLines(tally), console=self._console, refresh_per_second=4)
        self._live.start()

    def changed(self) -> None:
        """Leave it to the thread."""

    def ended(self) -> None:
        """Leave it to the thread."""

    def close(self) -> None:
        """Draw the lines for the last time, and leave them there."""
        if self._live:
            self._live.stop()
