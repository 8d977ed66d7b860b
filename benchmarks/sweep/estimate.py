"""The estimate of a job before it runs: forward passes, time and disk, and what the store has already."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from heatmark.benchmarks.machine.provenance import device_name
from heatmark.benchmarks.machine.timing import milliseconds
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.disk_space import disk_space
from heatmark.benchmarks.sweep.durations import duration
from heatmark.benchmarks.sweep.passes import ASSUMED, Costs, Lack, lacks, names_of
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.benchmarks.sweep.timings import untimed

REMARKS = {
    "assumed": "two passes per map, because the method does not say what it costs",
    "shared": "made from the pass of a method before it",
    "masks": "none on pictures without a mask of the class explained, which have no value",
    "labels": "none on pictures without a label, which have no value",
    "counterfactuals": "none on pictures without a counterfactual, which have no value",
}


@dataclass(frozen=True)
class Cost:
    """The passes of a method, of a metric's curves or of another part of a job.

    Args:
        part: ``predictions``, ``method``, ``metric`` or ``timing``.
        name: of the method or the metrics; ``""`` for the other parts.
        passes: in plain forward passes.
        remark: ``assumed`` where maps are made by a method that does not say what it costs, ``shared`` where it reads
            the pass of a method before it, ``unknown`` where a metric does not say what it costs; or what a metric
            needs of a picture, at which no dry run looks.
    """

    part: str
    name: str
    passes: float
    remark: str = ""


@dataclass(frozen=True)
class Estimate:
    """What a job will cost, and what it finds done.

    Args:
        job: the model and the dataset.
        cells: number of cells to explain.
        skipped: why a cell is skipped, by its method and layer.
        pictures: number of pictures, of this shard.
        stored: rows that are stored and rows that are asked for, by artefact.
        costs: passes still to be made.
        seconds_per_pass: of a plain forward pass per image, at the batch size.
        batch_size: images per forward pass.
        machine: name of the device.
        disk: bytes still to be written, by artefact.
        reuse: other runs, whose rows come for nothing; they are not looked at, and nothing is taken off for them.
    """

    job: str
    cells: int
    skipped: Mapping[str, str]
    pictures: int
    stored: Mapping[str, tuple[int, int]]
    costs: Sequence[Cost]
    seconds_per_pass: float
    batch_size: int
    machine: str
    disk: Mapping[str, int]
    reuse: Sequence[str] = ()

    @property
    def passes(self) -> float:
        """All passes still to be made, without those that are unknown."""
        return sum(cost.passes for cost in self.costs)

    @property
    def seconds(self) -> float:
        """The time of all passes in seconds."""
        return self.passes * self.seconds_per_pass

    @property
    def bytes(self) -> int:
        """Everything still to be written, in bytes."""
        return sum(self.disk.values())

    @property
    def unknown(self) -> list[str]:
        """The metrics that do not say what they cost."""
        return [cost.name for cost in self.costs if cost.remark == "unknown"]

    def lines(self) -> list[str]:
        """Return the estimate as lines of text."""
        stored = ", ".join(f"{name} {there:,} of {asked:,}" for name, (there, asked) in self.stored.items())
        disk = ", ".join(f"{name} {megabytes(size)}" for name, size in self.disk.items() if size)
        return [
            f"{self.job}: {self.pictures:,} pictures, {self.cells:,} cells, {len(self.skipped):,} skipped",
            *(f"  skipped {cell}: {reason}" for cell, reason in self.skipped.items()),
            f"  stored already: {stored}",
            *(
                f"  reuse: what {Path(each).name} has is taken over, so it costs less than is said below"
                for each in self.reuse
            ),
            "  passes still to be made, in plain forward passes:",
            *(f"    {cost.part:12}{cost.name:32}{_count(cost):>14}{_said(cost)}" for cost in self.costs),
            f"    {'together':44}{self.passes:>14,.0f}",
            *(f"  {word}: {meaning}" for word, meaning in REMARKS.items() if any(c.remark == word for c in self.costs)),
            f"  time: {self._time()}",
            f"  disk: up to {megabytes(self.bytes)}" + (f" ({disk})" if disk else ""),
        ]

    def _time(self) -> str:
        about = "up to" if self.reuse else "about"
        least = f"at least {duration(self.seconds)}, without {', '.join(self.unknown)}"
        measured = f"{1000 * self.seconds_per_pass:.3g} ms per image, batches of {self.batch_size}, on {self.machine}"
        return f"{least if self.unknown else f'{about} {duration(self.seconds)}'} ({measured})"


def together(estimates: Sequence[Estimate]) -> str:
    """Return the sums over several jobs as a line of text."""
    passes, size = sum(each.passes for each in estimates), sum(each.bytes for each in estimates)
    most = "up to" if any(each.reuse for each in estimates) else "about"
    least = "at least" if any(each.unknown for each in estimates) else most
    seconds = duration(sum(each.seconds for each in estimates))
    return f"{len(estimates)} jobs together: {passes:,.0f} passes, {least} {seconds}, up to {megabytes(size)}"


def megabytes(size: float) -> str:
    """Return a number of bytes in a unit that people read.

    >>> megabytes(1_234_567), megabytes(2e9), megabytes(900)
    ('1.2 MB', '2.0 GB', '0.0 MB')
    """
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _count(cost: Cost) -> str:
    return "unknown" if cost.remark == "unknown" else f"{cost.passes:,.0f}"


def _said(cost: Cost) -> str:
    return f"  {cost.remark}" if cost.remark in REMARKS else ""


def estimate(plan: Plan, store: Store, measure: Callable[[Plan], float] | None = None) -> Estimate:
    """Return the estimate of a job; the plain forward pass is measured, and nothing is written.

    Time is that of the passes: decoding and the methods' own sums are not in it.

    Args:
        plan: the job.
        store: the run's store.
        measure: seconds per image of a plain forward pass; None measures it.
    """
    seconds = (measure or seconds_per_pass)(plan)
    costs, found = Costs(plan), list(lacks(plan, store))
    return Estimate(
        f"{plan.classifier.name} on {plan.dataset.name}",
        len(plan.cells),
        {f"{cell.method} at {cell.layer}": cell.skipped for cell in plan.request.cells if cell.skipped},
        int(plan.request.facts["shard_size"]),
        _stored(plan, found),
        [*_costs(plan, costs, found), *_timing(plan, costs, store, seconds)],
        seconds,
        plan.run.batch_size,
        device_name(plan.run.device),
        disk_space(plan, found),
        plan.asked.reuse,
    )


def seconds_per_pass(plan: Plan) -> float:
    """Return the seconds per image of a plain forward pass at the run's batch size, the median of five.

    The caller sets the precision, as for a sweep.
    """
    size, module = plan.run.batch_size, plan.classifier.module
    images = plan.reference.to(plan.run.device).expand(size, *plan.reference.shape[1:]).contiguous()
    with torch.inference_mode():
        module(images)
        return median(milliseconds(lambda: module(images), plan.run.device) for _ in range(5)) / 1000 / size


def _costs(plan: Plan, costs: Costs, found: Sequence[Lack]) -> Iterator[Cost]:
    """Yield one cost per method and per metric or group of metrics, in the order of a sweep."""
    passes: dict[tuple[str, str], float] = {}
    for cell in plan.cells:
        passes["method", cell.method_name] = 0.0
    shared: set[str] = set()
    for step in (step for lack in found for step in lack.steps(plan.computed, costs.size)):
        shared |= {cell.method_name for cell in step.cells[1:]}
        name = names_of(step, plan.computed)
        key = ("method", step.cells[0].method_name) if name == "maps" else ("metric", name)
        key = ("predictions", "") if name == "predictions" else key
        passes[key] = passes.get(key, 0.0) + costs.of(step)
    silent = {cell.method_name for cell in plan.cells if costs.per_image[cell.key] is None}
    unknown = {name for name, metric in plan.computed.items() if not costs.known(metric)}
    again = {name for name, metric in plan.computed.items() if metric.maps(costs.size)} if silent else set()
    for (part, name), count in passes.items():
        if part == "method":
            yield Cost(part, name, count, "assumed" if count and name in silent else "shared" if name in shared else "")
        else:
            names = set(name.split(", "))
            needs = sorted({need for each in names & set(plan.computed) for need in plan.computed[each].needs})
            remark = "unknown" if unknown & names else "assumed" if again & names else needs[0] if needs else ""
            yield Cost(part, name, count, remark)


def _timing(plan: Plan, costs: Costs, store: Store, seconds: float) -> Iterator[Cost]:
    """Yield the passes of the timing phase: a warm-up and up to ``repeats`` rounds per cell, each beside a forward."""
    size = min(plan.run.batch_size, plan.asked.block_size, int(plan.request.facts["shard_size"]))
    if not plan.asked.timed or not size:
        return
    passes = 0.0
    for cell, _, _ in untimed(plan.cells, plan.run, size, store):
        known = costs.per_image[cell.key]
        each = size * (1 + (ASSUMED if known is None else known))
        in_time = int(plan.asked.max_seconds / max(each * seconds, 1e-9)) + 1
        passes += each * max(2, min(plan.asked.repeats + 1, in_time))
    yield Cost("timing", "", passes)


def _stored(plan: Plan, found: Sequence[Lack]) -> dict[str, tuple[int, int]]:
    asked = sum(lack.images for lack in found)
    lacking = {
        "predictions": sum(lack.predictions for lack in found),
        "maps": sum(len(n.maps) for lack in found for n in lack.needs),
        "scores": sum(len(which) for lack in found for n in lack.needs for which in n.scores.values()),
    }
    rows = {
        "predictions": asked,
        "maps": asked * len(plan.every_cell),
        "scores": asked * sum(len(each.cells) * len(each.judges) for each in plan.rounds),
    }
    return {name: (max(0, rows[name] - lacking[name]), rows[name]) for name in rows}
