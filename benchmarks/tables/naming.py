"""Names of weights: the checkpoint's name, with its folder or its digest where two of one model have the same name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

LETTERS = 7
"""Number of letters of a digest in a name."""


class Weights(NamedTuple):
    """Weights of a model: the model, the label that a job gave them, and their digest."""

    model: str
    label: str
    digest: str


def weights_names(known: Mapping[Weights, str], met: Iterable[Weights] = ()) -> dict[Weights, str]:
    """Return a name for each set of weights, unique among those of one model.

    A label that only one digest has stays as it is. Equal labels are preceded by as many folders of their files as
    make them differ (``exp1/best``), or else followed by the first letters of their digest (``best@0123456``). No job
    knows the labels of another, so names are made when a run is gathered.

    Args:
        known: the file of each set of weights; ``""`` where it comes from no file.
        met: weights whose file is not known.
    """
    files = {weights: known.get(weights, "") for weights in (*met, *known)}
    alike = defaultdict(list)
    for weights in sorted(files):
        alike[weights.model, weights.label].append(weights)
    names: dict[Weights, str] = {}
    for same in alike.values():
        names |= dict(zip(same, _distinct_names(same, [files[weights] for weights in same]), strict=True))
    return names


def _distinct_names(same: list[Weights], files: list[str]) -> list[str]:
    if len(same) == 1:
        return [same[0].label]
    parents = [Path(file).parts[1:-1] for file in files]
    for depth in range(1, min(map(len, parents)) + 1):
        names = ["/".join((*above[-depth:], weights.label)) for above, weights in zip(parents, same, strict=True)]
        if len(set(names)) == len(names):
            return names
    return [f"{label}@{digest[:LETTERS]}" if digest else label for _, label, digest in same]
