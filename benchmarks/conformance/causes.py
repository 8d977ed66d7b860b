"""Known causes of differences from a library, each with an experiment that undoes it.

No cause is looked up by the name of a model. An experiment runs the library again under other circumstances, or our
method with the library's formula, and explains a difference only if the two then agree at the stage that differed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from heatmark.benchmarks.conformance.compare import Difference, Tolerances, compare
from heatmark.methods.base import Method
from heatmark.methods.engine.stages import STAGES, Stages

StagesOfLibrary = Callable[[nn.Module, Tensor, Tensor, str], Stages]
"""Model, images, targets, layer -> the library's stages."""


@dataclass(frozen=True)
class Evidence:
    """Two implementations side by side, and the means to run them again.

    Args:
        method: our method.
        ours, theirs: the stages of both.
        shown: fills in our ``resized`` and ``normalised`` by the library's conventions.
        library: runs the library again.
        model, images, targets, layer: what both are run on.
        is_right: says whether our method is what the papers say; called before any stage of ours is replaced.
    """

    method: Method
    ours: Stages
    theirs: Stages
    shown: Callable[[Stages], Stages]
    library: StagesOfLibrary
    model: nn.Module
    images: Tensor
    targets: Tensor
    layer: str
    is_right: Callable[[], bool] = lambda: True

    def with_ours(self, **stages: Tensor | None) -> "Evidence":
        """Return the evidence with other stages of ours; ``resized`` and ``normalised`` follow from them."""
        return replace(self, ours=self.shown(replace(self.ours, **stages)))


@dataclass(frozen=True)
class Cause:
    """A known reason for which implementations differ.

    Args:
        name: its name in the table.
        explanation: one sentence for a person.
        stages: those at which the difference can begin.
        undone: yields the evidence without the cause, once for each way in which it occurs; nothing where it does not
            apply.
    """

    name: str
    explanation: str
    stages: tuple[str, ...]
    undone: Callable[[Evidence], Iterator[Evidence]]


@dataclass(frozen=True)
class Explanation:
    """Why two implementations differ.

    Args:
        first: the difference at the first stage that differs.
        causes: in the order of their stages.
        rest: the difference that is left with all causes undone; it agrees where they explain everything.
    """

    first: Difference
    causes: tuple[Cause, ...]
    rest: Difference

    @property
    def name(self) -> str:
        """The first cause's name, ``""`` where nothing differs, or ``unexplained`` where a difference is left."""
        if not self.rest.agrees:
            return "unexplained"
        return self.causes[0].name if self.causes else ""


def explain(evidence: Evidence, known: Sequence[Cause], tolerance: Tolerances) -> Explanation:
    """Return the known causes of a difference, undone one after the other until both agree or none helps further.

    A cause helps if the first difference then lies at a later stage. An experiment that replaces a stage of ours counts
    only where ours is right, because it would hide a fault of ours.
    """
    first = rest = compare(evidence.ours, evidence.theirs, tolerance)
    causes: list[Cause] = []
    while not rest.agrees:
        found = _first_that_helps(evidence, known, rest, tolerance)
        if found is None:
            break
        cause, evidence, rest = found
        causes.append(cause)
    return Explanation(first, tuple(causes), rest)


def _first_that_helps(
    evidence: Evidence, known: Sequence[Cause], found: Difference, tolerance: Tolerances
) -> tuple[Cause, Evidence, Difference] | None:
    for cause in known:
        if found.stage not in cause.stages:
            continue
        for mended in cause.undone(evidence):
            if mended.ours is not evidence.ours and not evidence.is_right():
                break
            rest = compare(mended.ours, mended.theirs, tolerance)
            if rest.agrees or STAGES.index(rest.stage) > STAGES.index(found.stage):
                return cause, mended, rest
    return None
