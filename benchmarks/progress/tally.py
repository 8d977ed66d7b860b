"""The state of a running job: what is done of it, what runs now, and the time left."""

from collections.abc import Callable
from dataclasses import dataclass

from heatmark.benchmarks.sweep.durations import duration

KNOWN = 0.01
"""Share of a job's passes that is made before the time left is said: the first ones wait for imports."""


@dataclass(frozen=True)
class Now:
    """What runs now.

    Args:
        layer: dotted name, ``input``, or ``""`` where no layer is asked.
        what: the method, and the metrics or ``maps``.
        images: number of images of the step; 0 for a step that does not count any.
        passes: their cost in forward passes.
        seen: passes that had been seen when it began.
    """

    layer: str = ""
    what: str = ""
    images: int = 0
    passes: float = 0.0
    seen: int = 0


class Tally:
    """What is done of a job.

    Args:
        job: the model and the dataset, after ``job n of m`` where several are known.
        pictures: number of the job's pictures.
        blocks: number of its blocks.
        passes: what is to be done, in forward passes.
        clock: seconds from any fixed moment on.
        unknown: whether the passes hold only a part of the work, so that the time left is a lower bound.
    """

    def __init__(
        self, job: str, pictures: int, blocks: int, passes: float, clock: Callable[[], float], unknown: bool = False
    ) -> None:
        self.job, self.pictures, self.blocks = job, pictures, blocks
        self.done = self.ended_blocks = self.errors = self.seen = 0
        self.now = Now()
        self._passes, self._done_passes, self._clock, self._unknown = passes, 0.0, clock, unknown
        self._began = clock()

    def begins(self, layer: str, what: str, images: int, passes: float) -> None:
        """Begin a step, which ends the one before."""
        self._done_passes += self.now.passes
        self.now = Now(layer, what, images, passes, self.seen)

    def ended(self, images: int, errors: int) -> None:
        """End a block of this many pictures, with the job's number of error rows until now."""
        self.begins("", "", 0, 0.0)
        self.done += images
        self.ended_blocks += 1
        self.errors = errors

    @property
    def elapsed(self) -> float:
        """Seconds since the job began."""
        return self._clock() - self._began

    @property
    def images_now(self) -> int:
        """Images done within the step that runs now."""
        return int(self.now.images * self._share_now)

    @property
    def left(self) -> float | None:
        """Seconds left: time until now × passes to be made / passes made; None before 1 % are made and at the end.

        All passes since the job began count, so that a slow step changes it little and never makes it unknown.
        """
        made = self._done_passes + self.now.passes * self._share_now
        if self.ended_blocks >= self.blocks:  # rows that came from other runs are counted, and never made
            return None
        if not KNOWN * self._passes <= made < self._passes:
            return None
        return self.elapsed * (self._passes - made) / made

    @property
    def _share_now(self) -> float:
        return min(1.0, (self.seen - self.now.seen) / self.now.passes) if self.now.passes else 0.0

    @property
    def times(self) -> str:
        """The time until now and the time left, where it is known."""
        least = "at least " if self._unknown else ""
        left = "" if self.left is None else f", {least}{duration(self.left)} left"
        return f"{duration(self.elapsed)}{left}"

    def block_line(self) -> str:
        """Return a line about the block that has ended."""
        errors = "1 error" if self.errors == 1 else f"{self.errors} errors"
        return (
            f"{self.job}: block {self.ended_blocks} of {self.blocks}, {self.done}/{self.pictures} pictures, "
            f"{errors}, after {self.times}"
        )

    def lines(self, width: int) -> tuple[str, str]:
        """Return the job and what runs now as two lines of at most ``width`` characters."""
        errors = f", {self.errors} errors" if self.errors else ""
        images = f"  {self.images_now}/{self.now.images} images" if self.now.images else ""
        first = fitted(self.job, f"  {self.done}/{self.pictures} pictures{errors}, {self.times}", width)
        where = f"{self.now.what} at {self.now.layer}" if self.now.layer else self.now.what
        return first, fitted(f"  {where}", images, width)


def fitted(name: str, rest: str, width: int) -> str:
    """Return a name and the rest of a line in at most ``width`` characters: the name is cut first, then the rest.

    >>> fitted("shapes_residual on shapes", "  12/64", 20)
    'shapes_resid…  12/64'
    """
    space = width - len(rest)
    if len(name) > space:
        name = f"{name[: space - 1]}…" if space > 1 else ""
    return (name + rest)[:width]
