"""Forward passes that a job must make: what the store lacks of it, as steps, and what each step costs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from torch import nn

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.cells import Cell, by_layer
from heatmark.benchmarks.sweep.curves import paths
from heatmark.benchmarks.sweep.made import Made
from heatmark.benchmarks.sweep.map_rows import stored_maps
from heatmark.benchmarks.sweep.needs import Need, need, stored
from heatmark.benchmarks.sweep.observer import Step
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.methods.base import Method
from heatmark.methods.engine.cam import CaptureCAM
from heatmark.metrics.base import Metric, sums_up_curves

ASSUMED = 2.0
"""Passes per image of a method that does not say what it costs: one forward and one backward."""


def method_passes(method: Method, module: nn.Module, layer: str, shape: tuple[int, int, int]) -> float | None:
    """Return what a method says that an image costs, None where it says nothing or fails.

    Args:
        method: the method.
        module: the model.
        layer: the layer to explain.
        shape: (C, H, W) of the images.
    """
    try:
        return method.passes(module, layer, shape)
    except Exception:  # noqa: BLE001 - a method may raise anything, and the sweep itself then says so in its rows
        return None


@dataclass(frozen=True)
class Costs:
    """What a job's steps cost in plain forward passes, short batches filled up as in the sweep.

    Args:
        plan: the job.
    """

    plan: Plan

    @cached_property
    def per_image(self) -> Mapping[str, float | None]:
        """Passes per image by the key of the cell; None where the method does not say."""
        shape = self.plan.reference.shape[1:]
        module = self.plan.classifier.module
        return {
            cell.key: method_passes(cell.method, module, cell.layer, (shape[0], shape[1], shape[2]))
            for cell in self.plan.every_cell
        }

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the images."""
        return self.plan.reference.shape[-2], self.plan.reference.shape[-1]

    def of(self, step: Step) -> float:
        """Return the passes of a step: 0 for a metric that does not say what it costs, or how many maps it asks for."""
        if not step.cells:
            return float(self._filled(step.images))
        if step.of is None:
            return max(map(self._map, step.cells)) * self._filled(step.images)
        if isinstance(step.of, str):
            metric = self.plan.computed[step.of]
            own, maps = metric.passes(self.size) or 0.0, 0.0 if step.asked else metric.maps(self.size) or 0.0
            further = maps * self._map(step.cells[0]) * self._filled(step.images)
            return own * self._filled(step.images - step.known) + further
        return float(self._filled(step.images * (step.of.passes(self.size) or 0.0) - step.known))

    def known(self, metric: Metric) -> bool:
        """Return whether a metric says what it costs, and how many maps it asks for."""
        return metric.passes(self.size) is not None and metric.maps(self.size) is not None

    def _map(self, cell: Cell) -> float:
        known = self.per_image[cell.key]
        return ASSUMED if known is None else known

    def _filled(self, images: float) -> int:
        size = self.plan.run.batch_size
        return -int(-images // size) * size


@dataclass(frozen=True)
class Lack:
    """What the store lacks of a job in one block.

    Args:
        images: number of pictures of the block that can be explained, as far as is known.
        predictions: number of pictures without a prediction.
        needs: of every cell; a cell that failed on all its images needs nothing.
        again: by cell, the pictures whose map must be computed: it is not stored, or was not kept and is needed.
    """

    images: int
    predictions: int
    needs: Sequence[Need]
    again: Mapping[str, Sequence[int]]

    def steps(self, metrics: Mapping[str, Metric], image_size: tuple[int, int]) -> Iterator[Step]:
        """Yield the steps of the block, in the order in which a sweep makes them, for images (H, W).

        Maps that order pixels alike are not known before: then a sweep makes fewer passes.
        """
        if self.predictions:
            yield Step((), self.predictions)
        layers = by_layer([n.cell for n in self.needs])
        of, made = {n.cell.key: n for n in self.needs}, Made(image_size)
        for cells in layers.values():
            yield from self._maps(cells)
            for cell in cells:
                yield from _judged(of[cell.key], metrics, made)

    def _maps(self, cells: Sequence[Cell]) -> Iterator[Step]:
        groups: dict[tuple[int, ...], list[Cell]] = {}
        for cell in cells:
            if which := tuple(self.again[cell.key]):
                groups.setdefault(which, []).append(cell)
        for which, together in groups.items():
            sharing = [cell for cell in together if isinstance(cell.method, CaptureCAM)]
            if len(sharing) > 1:
                yield Step(sharing, len(which))
            alone = [cell for cell in together if len(sharing) < 2 or cell not in sharing]
            yield from (Step([cell], len(which)) for cell in alone)


def _judged(n: Need, metrics: Mapping[str, Metric], made: Made) -> Iterator[Step]:
    for path, which in n.curves.items():
        if which:
            yield made.curves(n.cell, which, path)
    for name, which in n.scores.items():
        if which and not sums_up_curves(metrics[name]):
            yield made.scores(n.cell, which, name, metrics[name])


def lacks(plan: Plan, store: Store) -> Iterator[Lack]:
    """Yield what the store lacks of a job, block by block, without a look at any picture.

    A picture is known by its name, from earlier requests of this run with the same model, data and target rule. All
    others count as new.

    Args:
        plan: the job.
        store: the run's store.
    """
    known, seed = _known(plan, store), plan.run.seed
    there = [stored(store, each.cells, each.metrics, seed, plan.run.retry) for each in plan.rounds]
    predictions = store.present("predictions", [plan.key], errors=not plan.run.retry)[plan.key]
    positions, size = plan.asked.shard.positions(len(plan.dataset)), plan.asked.block_size
    for start in range(0, len(positions), size):
        names = [plan.dataset.name_of(position) for position in positions[start : start + size]]
        new = [i for i, name in enumerate(names) if name not in known]
        entries = {i: known[name] for i, name in enumerate(names) if name in known}
        at = {i: entry for i, entry in entries.items() if not entry.reason}
        needs = [
            _with_new(need(cell, each.metrics, at, rows, seed, plan.run.shards == 1), new)
            for each, rows in zip(plan.rounds, there, strict=True)
            for cell in each.cells
        ]
        yield Lack(
            len(new) + len(at),
            len(new) + sum(bool(entry.digest) and entry.digest not in predictions for entry in entries.values()),
            needs,
            {n.cell.key: _again(n, plan, store, at) for n in needs},
        )


def _known(plan: Plan, store: Store) -> dict[str, Entry]:
    facts = plan.request.facts
    same = [
        request
        for request in requests.read(store.root)
        if request.predictions == plan.key
        and all(request.facts.get(name) == facts[name] for name in ("dataset", "target_rule"))
    ]
    return {entry.image: entry for r in sorted(same, key=lambda r: r.written) for entry in r.entries}


def _with_new(n: Need, new: Sequence[int]) -> Need:
    """Return a need with these further images, of which nothing is stored; a cell that is done with needs nothing."""
    if not n.curves and not n.scores:
        return n
    return replace(
        n,
        maps=[*n.maps, *new],
        curves={path: [*which, *new] for path, which in n.curves.items()},
        scores={name: [*which, *new] for name, which in n.scores.items()},
    )


def _again(n: Need, plan: Plan, store: Store, at: Mapping[int, Entry]) -> list[int]:
    absent = set(n.maps)
    rows = {at[i].row(): i for i in n.with_maps(plan.computed) if i not in absent}
    if not rows:
        return sorted(absent)
    maps, reasons = stored_maps(store.read("maps", [n.cell.key], rows=list(rows)))
    return sorted(absent | {i for row, i in rows.items() if row not in maps and row not in reasons})


def names_of(step: Step, metrics: Mapping[str, Metric]) -> str:
    """Return what a step computes: ``predictions``, ``maps``, or the names of the metrics that it is for."""
    if not step.cells:
        return "predictions"
    if step.of is None:
        return "maps"
    if isinstance(step.of, str):
        return step.of
    return ", ".join(name for name, metric in metrics.items() if step.of in paths({name: metric}))


def total(costs: Costs, steps: Iterable[Step]) -> float:
    """Return the passes of some steps together."""
    return sum(map(costs.of, steps))
