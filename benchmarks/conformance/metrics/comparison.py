"""The comparison of one of our metrics with another implementation: every stage that differs, its size, and why."""

import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from heatmark.benchmarks.conformance.compare import Difference, difference
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.common.errors import in_words
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.stages import METRIC_STAGES, MetricStages

TOLERANCE = 1e-5
"""Of max |a − b| / max |b| at every stage: pytorch-grad-cam and torch-cam's fractions are single precision."""

ROUNDING = 1e-7
"""Of max |a − b|: a drop is the difference of nearly equal probabilities, whose own size says nothing."""

LIBRARIES = ("captum", "pytorch_grad_cam", "torchcam", "quantus")
"""The other implementations that are packages to be installed; all others are profiles."""

REFUSED = "refused"
"""The stage before all others: the other implementation raises in place of a value."""

STAGES = (REFUSED, *METRIC_STAGES)

Options = Mapping[str, object]


class RefusalError(Exception):
    """What another implementation raises in place of a value, as the text of the error."""


@dataclass(frozen=True)
class Side:
    """An implementation with the values of its options.

    Args:
        run: the implementation, which gives its stages for a batch and keyword options.
        options: the values.
    """

    run: Callable[..., MetricStages]
    options: Options = field(default_factory=dict)

    def stages(self, batch: Explained) -> MetricStages:
        """Return the stages for a batch."""
        return self.run(batch, **self.options)

    def with_options(self, options: Options) -> "Side":
        """Return the implementation with other values of some options."""
        return replace(self, options={**self.options, **options})


@dataclass(frozen=True)
class MetricCause:
    """A known reason for which two implementations differ, and the options under which it is undone.

    Args:
        name: its name in the table.
        explanation: one sentence for a person.
        stage: that at which the difference begins; :data:`REFUSED` where the other implementation raises.
        ours, theirs: values of the options of either side without the cause.
    """

    name: str
    explanation: str
    stage: str
    ours: Options = field(default_factory=dict)
    theirs: Options = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """One of our metrics and another implementation of it.

    Args:
        metric: our metric's name.
        check: the other implementation: an installed library, or a profile (our own reading of a package's code).
        ours, theirs: both sides.
        causes: the known reasons for which they differ, in the order of their stages.
        must_differ: whether the batch is made so that they differ: where they agree, ours has the other's fault.
    """

    metric: str
    check: str
    ours: Side
    theirs: Side
    causes: Sequence[MetricCause] = ()
    must_differ: bool = False


def compared(pair: Pair, batch: Explained, model: str, layer: str = "") -> Iterator[Finding]:
    """Yield one finding per stage that differs, each with its cause undone before the next is looked for.

    Where nothing differs, the one finding says so. A difference that no cause explains is the last, and red.
    """
    row = Finding(model, layer, pair.metric, pair.check, "", "agrees")
    if pair.check in LIBRARIES and importlib.util.find_spec(pair.check) is None:
        yield replace(row, verdict="skipped", note=f"{pair.check} is not installed")
        return
    try:
        yield from _chain(pair, batch, row)
    except Exception as error:  # noqa: BLE001 - whatever breaks is a row, and the others go on
        yield replace(row, verdict="error", note=in_words(error))


def _chain(pair: Pair, batch: Explained, row: Finding) -> Iterator[Finding]:
    ours, theirs = pair.ours, pair.theirs
    a, b, found = _both(ours, theirs, batch)
    if found.agrees:
        yield _shared(_sized(row, found, a, b)) if pair.must_differ else _sized(row, found, a, b)
    while not found.agrees:
        said = replace(_sized(row, found, a, b), verdict="diverges")
        for cause in (each for each in pair.causes if each.stage == found.stage):
            mended = ours.with_options(cause.ours), theirs.with_options(cause.theirs)
            c, d, rest = _both(*mended, batch)
            if rest.agrees or STAGES.index(rest.stage) > STAGES.index(found.stage):
                yield replace(said, cause=cause.name, note=f"{cause.explanation}{_values(a, b)}")
                (ours, theirs), a, b, found = mended, c, d, rest
                break
        else:
            yield replace(said, cause="unexplained", fault=True, note=f"no known cause explains the {found.stage}.")
            return


def _both(ours: Side, theirs: Side, batch: Explained) -> tuple[MetricStages, MetricStages, Difference]:
    """Return the stages of both sides, none where the other refuses the batch, and the first that differs."""
    a = ours.stages(batch)
    try:
        b = theirs.stages(batch)
    except RefusalError:
        return a, MetricStages(), Difference(REFUSED, tolerance=TOLERANCE, agrees=False)
    return a, b, first_difference(a, b)


def _values(ours: MetricStages, theirs: MetricStages) -> str:
    """Return the mean values of both as a sentence, ``""`` where there are none."""
    if ours.sum is None or theirs.sum is None:
        return ""
    return f" Ours is {float(ours.sum.double().mean()):.3g} here, theirs {float(theirs.sum.double().mean()):.3g}."


def _shared(row: Finding) -> Finding:
    return replace(row, verdict="diverges", cause="implementation", fault=True, note="ours has the fault of the other.")


def _sized(row: Finding, found: Difference, ours: MetricStages, theirs: MetricStages) -> Finding:
    """Return a row with the size of a difference, and of that of the final values."""
    moved = math.nan
    if ours.sum is not None and theirs.sum is not None and ours.sum.shape == theirs.sum.shape:
        moved = _difference("sum", ours.sum, theirs.sum).max_abs
    return replace(
        row,
        stage=found.stage,
        max_abs=found.max_abs,
        relative=found.relative,
        pearson=found.pearson,
        tolerance=found.tolerance,
        map_moved=moved,
    )


def first_difference(ours: MetricStages, theirs: MetricStages) -> Difference:
    """Return the first stage at which the two differ, of those that both have; else the last that was compared."""
    found = Difference("")
    for stage in METRIC_STAGES:
        a: Tensor | None = getattr(ours, stage)
        b: Tensor | None = getattr(theirs, stage)
        if a is None or b is None:
            continue
        found = _difference(stage, a, b)
        if not found.agrees:
            break
    return found


def _difference(stage: str, a: Tensor, b: Tensor) -> Difference:
    """Return the difference of a stage, of which up to :data:`ROUNDING` counts as none."""
    found = difference(stage, a[:, None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b, TOLERANCE)
    return replace(found, agrees=found.agrees or found.max_abs <= ROUNDING)
