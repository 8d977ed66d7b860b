"""Names of weights: a checkpoint's own, with its folder or its digest where two of one model share it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

LETTERS = 7
"""Of a digest, in a name."""


class Weights(NamedTuple):
    """Whose name, what name and which weights: a model, the label that a job gave, the weights' digest."""

    model: str
    label: str
    digest: str


def weights_names(known: Mapping[Weights, str], met: Iterable[Weights] = ()) -> dict[Weights, str]:
    """Return a name for all weights, unique among one model's: a label that only one digest has stays as it is.

    Equal labels get the folders of their files, as many as it takes (``exp1/best``), or else the first digits of their
    digest (``best@0123456``): a job knows of no other job, so that this is known when a run is gathered.

    Args:
        known: weights to the file that they come from, ``""`` where they come from none.
        met: weights of which no file is known.
    """
    files = {weights: known.get(weights, "") for weights in (*met, *known)}
    alike = defaultdict(list)
    for weights in sorted(files):
        alike[weights.model, weights.label].append(weights)
    names: dict[Weights, str] = {}
    for same in alike.values():
        names |= dict(zip(same, _told_apart(same, [files[weights] for weights in same]), strict=True))
    return names


def _told_apart(same: list[Weights], files: list[str]) -> list[str]:
    if len(same) == 1:
        return [same[0].label]
    parents = [Path(file).parts[1:-1] for file in files]
    for depth in range(1, min(map(len, parents)) + 1):
        names = ["/".join((*above[-depth:], weights.label)) for above, weights in zip(parents, same, strict=True)]
        if len(set(names)) == len(names):
            return names
    return [f"{label}@{digest[:LETTERS]}" if digest else label for _, label, digest in same]
