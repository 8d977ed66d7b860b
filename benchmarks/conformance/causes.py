"""Why a library differs: known causes, each an experiment that undoes the cause and sees whether the difference goes.

No cause is looked up by the name of a model. An experiment runs the library again under other circumstances, or our
method with the library's formula, and counts only if the two then agree at the stage at which they parted.
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
        method: what ours is an instance of.
        ours, theirs: their stages.
        shown: fills in ``resized`` and ``normalised`` of ours, by the library's conventions.
        library: runs the library again.
        model, images, targets, layer: on what.
        is_right: says whether ours is what the papers say; asked before anything is put in the place of ours.
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
        """Return the same with other stages of ours, and what is shown of them."""
        return replace(self, ours=self.shown(replace(self.ours, **stages)))


@dataclass(frozen=True)
class Cause:
    """A known reason for which implementations differ.

    Args:
        name: what the table says.
        explanation: one sentence for a person.
        stages: at which it can show first.
        undone: the evidence without the cause, in as many ways as it is known to occur; none where it cannot apply.
    """

    name: str
    explanation: str
    stages: tuple[str, ...]
    undone: Callable[[Evidence], Iterator[Evidence]]


@dataclass(frozen=True)
class Explanation:
    """Why two implementations differ.

    Args:
        first: the first stage that differs, by how much.
        causes: in the order in which they show; with all of them undone, what is left is ``rest``.
        rest: agrees where the causes explain all of the difference.
    """

    first: Difference
    causes: tuple[Cause, ...]
    rest: Difference

    @property
    def name(self) -> str:
        """Return the first cause's name, ``""`` where nothing differs, or ``unexplained`` where anything is left."""
        if not self.rest.agrees:
            return "unexplained"
        return self.causes[0].name if self.causes else ""


def explain(evidence: Evidence, known: Sequence[Cause], tolerance: Tolerances) -> Explanation:
    """Undo one cause after the other, until the two agree or no known cause moves the first difference on.

    What puts something in the place of ours explains nothing where ours is wrong: it would take our fault away with it.
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
