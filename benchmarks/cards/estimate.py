"""The estimate of cards before they are made: forward passes and time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from heatmark.benchmarks.cards.cards import CONTROL
from heatmark.benchmarks.cards.variants import SHARES
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.machine.devices import autocast
from heatmark.benchmarks.machine.provenance import device_name
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.curves import paths
from heatmark.benchmarks.sweep.durations import duration
from heatmark.benchmarks.sweep.estimate import seconds_per_pass
from heatmark.benchmarks.sweep.passes import ASSUMED, Costs
from heatmark.benchmarks.sweep.prepare import Plan, prepare
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.methods.base import Method
from heatmark.methods.random_map import RandomMap
from heatmark.metrics.base import Metric, sums_up_curves

OF_A_METHOD = 4 + len(SHARES)
"""Planted maps of a real method: itself, inverted, scaled, shifted, and shuffled in steps."""


@dataclass(frozen=True)
class CardEstimate:
    """What the cards of some metrics cost.

    Args:
        job: the model and the dataset.
        pictures: their number.
        real: number of real maps per picture.
        explaining: passes of all maps.
        scored: planted maps per picture, those that are scored again counted as often.
        per_map: passes of a planted map under all metrics, by name.
        unknown: metrics that do not say what they cost.
        seconds_per_pass: of a plain forward pass per image.
        machine: name of the device.
    """

    job: str
    pictures: int
    real: int
    explaining: float
    scored: int
    per_map: Mapping[str, float]
    unknown: Sequence[str]
    seconds_per_pass: float
    machine: str

    @property
    def passes(self) -> float:
        """All passes, without those that are unknown."""
        return self.explaining + self.pictures * self.scored * sum(self.per_map.values())

    def lines(self) -> list[str]:
        """Return the estimate as lines of text."""
        each = self.pictures * self.scored
        time = f"{duration(self.passes * self.seconds_per_pass)} ({1000 * self.seconds_per_pass:.3g} ms per image"
        return [
            f"{self.job}: {self.pictures:,} pictures, {self.scored} planted maps each, of {self.real} real methods",
            f"    {'maps':44}{self.explaining:>14,.0f}",
            *(f"    {name:44}{cost * each:>14,.0f}" for name, cost in self.per_map.items()),
            *(f"    {name:44}{'unknown':>14}" for name in self.unknown),
            f"    {'together, at most, in plain forward passes':44}{self.passes:>14,.0f}",
            f"  time: about {time} on {self.machine})",
        ]


def estimate(
    classifier: Classifier,
    dataset: Dataset,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    settings: SweepSettings,
) -> CardEstimate:
    """Return what the cards cost, nothing of which is computed; equal curves may make it less.

    Raises:
        ValueError: for anything in model, data, methods, metrics or settings that cannot be run.
    """
    everyone = {CONTROL: RandomMap(seed=settings.seed), **methods}
    with TemporaryDirectory() as folder:
        record = JobRecord(Path(folder), {}, classifier.name)
        plan = prepare(classifier, dataset, everyone, metrics, settings, record.batch_size_unwritten)
        with autocast(classifier.module, plan.run.precision):
            seconds = seconds_per_pass(plan)
    per_image = Costs(plan).per_image.values()
    real = sum(cell.method_name != CONTROL for cell in plan.cells)
    costs = per_map(plan)
    return CardEstimate(
        f"{classifier.name} on {dataset.name}",
        len(dataset),
        real,
        len(dataset) * sum(ASSUMED if each is None else each for each in per_image),
        2 + OF_A_METHOD * real + 2 * (1 + real),
        {name: cost for name, cost in costs.items() if cost is not None},
        [name for name, cost in costs.items() if cost is None],
        seconds,
        device_name(plan.run.device),
    )


def per_map(plan: Plan) -> dict[str, float | None]:
    """Return the passes of one map under each metric, None where unknown; a path of several counts for the first."""
    size = (int(plan.reference.shape[-2]), int(plan.reference.shape[-1]))
    found: dict[str, float | None] = {}
    seen: set[object] = set()
    for name, metric in plan.computed.items():
        if not sums_up_curves(metric):
            found[name] = metric.passes(size)
            continue
        own = [path for path in paths({name: metric}) if path not in seen]
        seen |= set(own)
        costs = [path.passes(size) for path in own]
        found[name] = None if None in costs else sum(cost for cost in costs if cost is not None)
    return found
