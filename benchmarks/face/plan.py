"""What a sweep would cost, as Python shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from heatmark.benchmarks.sweep.estimate import Estimate, together


@dataclass(frozen=True)
class DryRun:
    """What a sweep would cost: nothing was explained, and nothing was written.

    Args:
        jobs: the estimate of each job.
    """

    jobs: Sequence[Estimate]

    @property
    def passes(self) -> float:
        """All passes still to be made, in plain forward passes, without those that are unknown."""
        return sum(job.passes for job in self.jobs)

    @property
    def seconds(self) -> float:
        """The time of all passes in seconds."""
        return sum(job.seconds for job in self.jobs)

    @property
    def bytes(self) -> int:
        """Everything still to be written, in bytes."""
        return sum(job.bytes for job in self.jobs)

    def __repr__(self) -> str:
        lines = [line for job in self.jobs for line in job.lines()]
        return "\n".join([*lines, *([together(self.jobs)] if len(self.jobs) > 1 else [])])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"
