"""Which rows of a run are verified: filters by name, and pictures by name or drawn at random."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.tables.jobs import Job
from heatmark.common.names import did_you_mean


@dataclass(frozen=True)
class Which:
    """Rows by name; an empty list means any.

    Args:
        images: names of pictures, or how many are drawn per job; those that the reader has are drawn first.
        method, layer, metric: names as in the run's tables.
        seed: of the draw.
        device: where to recompute; ``auto`` takes the run's kind of device where this machine has it.

    Raises:
        ValueError: for a number of pictures below 1.
    """

    images: int | Sequence[str] = 5
    method: Sequence[str] = ()
    layer: Sequence[str] = ()
    metric: Sequence[str] = ()
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if isinstance(self.images, int) and self.images < 1:
            raise ValueError(f"images is {self.images}, expected a number of at least 1, or names of pictures")

    def entries(self, job: Job, given: Collection[str]) -> list[Entry]:
        """Return the pictures of a job that are verified.

        Args:
            job: the job.
            given: digests of the pictures that the reader has.
        """
        if not isinstance(self.images, int):
            return [entry for entry in job.usable if entry.image in self.images]
        drawn = sorted(job.usable, key=lambda entry: (entry.digest, entry.image))
        random.Random(self.seed).shuffle(drawn)
        drawn.sort(key=lambda entry: entry.digest not in given)  # it is stable
        return sorted(drawn[: self.images], key=lambda entry: entry.position)

    def require_known(self, jobs: Sequence[Job]) -> None:
        """Raise a ValueError for a name that none of the jobs has, with the nearest."""
        cells = [cell for job in jobs for cell in job.request.cells]
        known: Mapping[str, Iterable[str]] = {
            "method": {cell.method for cell in cells},
            "layer": {cell.layer for cell in cells},
            "metric": {metric.name for job in jobs for metric in job.request.metrics},
            "images": {entry.image for job in jobs for entry in job.usable},
        }
        for option, there in known.items():
            wanted = getattr(self, option)
            for name in () if isinstance(wanted, int) else wanted:
                if name not in there:
                    some = ", ".join(sorted(there)[:20])
                    raise ValueError(f"the run has no {option} {name!r}: {did_you_mean(name, there, f'it has {some}')}")
