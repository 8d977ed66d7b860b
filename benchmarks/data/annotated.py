"""A dataset with labels, masks, groups and counterfactuals that are given beside it, or with fewer pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from heatmark.benchmarks.data.base import Dataset, Mask, Sample
from heatmark.benchmarks.data.given import counterfactual
from heatmark.common.names import did_you_mean

Facts = Sequence[Any] | NDArray[Any] | Tensor | Mapping[str, Any] | None
"""One value per picture, in their order or by their names; None where nothing is given."""


@dataclass(frozen=True, eq=False)
class Annotated(Dataset):
    """A dataset whose pictures have the labels, masks, groups and counterfactuals that are given here.

    Args:
        pictures: the dataset.
        labels: the true class, by its number or name; None where unknown.
        masks: (H, W) of the picture's size, true or above 0 at the object of the true class; None where unknown.
        groups: the group that a picture belongs to.
        limit: take the first pictures only; None takes all.
        counterfactuals: the picture without the object of the true class, a file, a picture or pixels as in
            :data:`~heatmark.benchmarks.data.given.Picture`; None where unknown.

    Raises:
        ValueError: for another number of facts than of pictures, a name of no picture, or masks or counterfactuals
            without labels.
    """

    pictures: Dataset
    labels: Facts = None
    masks: Facts = None
    groups: Facts = None
    limit: int | None = None
    counterfactuals: Facts = None

    def __post_init__(self) -> None:
        if self.limit is not None and (not isinstance(self.limit, int) or self.limit < 1):
            raise ValueError(f"limit is {self.limit!r}, expected a whole number of at least 1, or None for all")
        for what in ("labels", "masks", "groups", "counterfactuals"):
            facts = getattr(self, what)
            self._require_fitting(what, facts)
            if facts is not None and not isinstance(facts, Mapping):
                object.__setattr__(self, what, list(facts))  # by position: a pandas Series goes by its index

    def _require_fitting(self, what: str, facts: Facts) -> None:
        if isinstance(facts, Mapping):
            known = {self.pictures.name_of(position) for position in range(len(self.pictures))}
            if unknown := [name for name in facts if name not in known]:
                hint = did_you_mean(str(unknown[0]), known, f"they are called {', '.join(sorted(known)[:3])} …")
                raise ValueError(f"{what} has {unknown[0]!r}, which is no picture of {self.name}: {hint}")
        elif facts is not None and len(facts) != len(self.pictures):
            raise ValueError(f"{what} has {len(facts)} values for {len(self.pictures)} pictures, expected one for each")

    @property
    def name(self) -> str:
        """The dataset's own name."""
        return self.pictures.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The dataset's own class names."""
        return self.pictures.classes

    def __len__(self) -> int:
        return min(len(self.pictures), self.limit or len(self.pictures))

    def __getitem__(self, index: int) -> Sample:
        """Return a picture with what is given of it.

        Raises:
            IndexError: for a position outside the dataset.
            ValueError: where the picture is missing or broken, or its mask is of no known class.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        found = self.pictures[index]
        label = _of(self.labels, index, found.name)
        group = _of(self.groups, index, found.name)
        found = replace(
            found,
            label=found.label if label is None else _plain(label),
            group=found.group if group is None else str(group),
        )
        without = _of(self.counterfactuals, index, found.name)
        if without is not None:
            found = _with_counterfactual(found, without)
        mask = _of(self.masks, index, found.name)
        return found if mask is None else _masked(found, mask)

    def name_of(self, index: int) -> str:
        """Return a picture's own name."""
        return self.pictures.name_of(index)


def _of(facts: Facts, index: int, name: str) -> Any:
    if facts is None:
        return None
    value = facts.get(name) if isinstance(facts, Mapping) else facts[index]
    return None if isinstance(value, float) and np.isnan(value) else value


def _plain(label: Any) -> int | str:
    return label if isinstance(label, str) else int(label)


def _masked(found: Sample, mask: Any) -> Sample:
    if found.label is None:
        raise ValueError(f"{found.name} has a mask and no label: give labels=, so that it is known whose object it is")
    return replace(found, objects=[(found.label, as_mask(mask))])


def _with_counterfactual(found: Sample, picture: Any) -> Sample:
    if found.label is None:
        raise ValueError(
            f"{found.name} has a counterfactual and no label: give labels=, so that it is known whose object is absent"
        )
    return replace(found, counterfactual=counterfactual(picture, f"the counterfactual of {found.name}"))


def as_mask(mask: Any) -> Mask:
    """Return a mask (H, W) of booleans, of an array, a tensor, a picture or the file of one; true above 0."""
    if isinstance(mask, str | Path):
        with Image.open(mask) as picture:
            return np.asarray(picture.convert("L")) > 0
    if isinstance(mask, Image.Image):
        return np.asarray(mask.convert("L")) > 0
    values = np.asarray(mask.detach().cpu() if hasattr(mask, "detach") else mask)
    plane = values[..., 0] if values.ndim == 3 and values.shape[-1] == 1 else values
    if plane.ndim == 3 and plane.shape[0] == 1:
        plane = plane[0]
    if plane.ndim != 2:
        raise ValueError(f"a mask has the shape {values.shape}, expected (H, W)")
    found: Mask = plane > 0
    return found
