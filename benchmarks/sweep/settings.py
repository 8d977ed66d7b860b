"""Settings of a sweep: those that were asked for, and those under which its cells run."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class SweepSettings:
    """The options of a sweep other than its model, dataset, methods and metrics.

    Args:
        layers: roles of the model (``early``, ``middle``, ``last``, ``auto``) or dotted names.
        target: the rule that chooses the class to explain; see :func:`.targets.choose_targets`.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        batch_size: images per forward pass; None tunes it on the device.
        seed: the seed of everything that is drawn at random.
        repeats: timed calls per cell.
        max_seconds: time in seconds after which a slow method is not timed again.

    Raises:
        ValueError: for a number out of its range.
    """

    layers: Sequence[str] = ("last",)
    target: int | str = "predicted"
    device: str = "auto"
    precision: str = "fp32"
    batch_size: int | None = None
    seed: int = 0
    repeats: int = 5
    max_seconds: float = 10.0

    def __post_init__(self) -> None:
        if self.batch_size is not None and not _is_positive(self.batch_size, int):
            raise ValueError(f"batch_size is {self.batch_size!r}, expected a positive number or auto")
        if not _is_positive(self.repeats, int):
            raise ValueError(f"timing.repeats is {self.repeats!r}, expected a whole number of at least 1")
        if not _is_positive(self.max_seconds, (int, float)):
            raise ValueError(f"timing.max_seconds is {self.max_seconds!r}, expected a positive number")


@dataclass(frozen=True)
class RunSettings:
    """Settings under which cells run, of which only the kind of device and the precision change numbers.

    Args:
        device: the model's device.
        precision: ``fp32`` or ``bf16``.
        batch_size: images per forward pass.
        repeats: timed calls per cell.
        max_seconds: time in seconds after which a slow method is not timed again.
    """

    device: torch.device
    precision: str
    batch_size: int
    repeats: int
    max_seconds: float


def _is_positive(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and value > 0  # type: ignore[operator]
