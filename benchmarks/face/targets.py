"""The class to explain, from what a user gives: a rule, a class, or a class per picture."""

from collections.abc import Iterable, Sequence
from typing import Any


def plain_target(target: Any) -> int | str | Sequence[int]:
    """Return a target as a text, a whole number, or a list of whole numbers, by position.

    Args:
        target: a rule, a class by name or number, or a class number per picture: a list, an array, a tensor, a column.

    Raises:
        ValueError: for anything else, such as names of classes per picture.
    """
    if isinstance(target, str):
        return target
    plain = target.tolist() if hasattr(target, "tolist") else target  # of NumPy, PyTorch and pandas, by position
    if isinstance(plain, Iterable) and not isinstance(plain, str):
        return [_number(each.item() if hasattr(each, "item") else each) for each in plain]
    return _number(plain)


def _number(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(
        f"target has {value!r}, expected predicted, second, label, a class by name or number, or a class number per "
        "picture"
    )
