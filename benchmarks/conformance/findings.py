"""Findings: the rows that checks report."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["agrees", "diverges", "skipped", "error"]


@dataclass(frozen=True)
class Finding:
    """The result of one check of one method at one layer.

    Args:
        model, layer, method: what was checked, a method or a metric; ``""`` where the check is of the model alone.
        check: what it was compared with: a library (``pytorch_grad_cam``, ``captum``, ``torchcam``), an invariant
            (``finite_differences``, ``batch_invariance``, …), the linter (``in_place_successor``, …), a ``reference``,
            a profile of a package's metrics (``quantus-0.6``, …).
        stage: the first stage that differs (``activations``, ``gradients``, ``weights``, ``raw``, ``relu``,
            ``resized``, ``normalised``; of metrics ``order``, ``masks``, ``fills``, ``inputs``, ``scores``, ``curve``,
            ``sum``; ``refused`` where the other raises), or the last compared where all agree; ``""`` where the check
            has no stages.
        verdict: ``agrees`` within the tolerance, ``diverges``, ``skipped``, or ``error`` where the check itself failed.
        max_abs, relative, pearson: how much the two differ at that stage; relative is max |a − b| / max |b|; NaN where
            undefined.
        tolerance: of ``relative``; NaN where the check has none.
        map_moved: max |a − b| of the two final maps, normalised to [0, 1]; NaN where a library does not normalise.
            Of metrics: max |a − b| of their values.
        cause: name of the known cause that explains a divergence, ``unexplained`` where none does, else ``""``.
        fault: whether a divergence is a fault of the method that was checked; a bug of a library is not.
        note: one sentence for a person.
        size: height and width in pixels of the images, as ``63×85``; ``""`` where the check has no size.
    """

    model: str
    layer: str
    method: str
    check: str
    stage: str
    verdict: Verdict
    max_abs: float = float("nan")
    relative: float = float("nan")
    pearson: float = float("nan")
    tolerance: float = float("nan")
    map_moved: float = float("nan")
    cause: str = ""
    fault: bool = False
    note: str = ""
    size: str = ""
