"""Settings of a sweep: those that were asked for, and those under which its cells run."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from heatmark.benchmarks.sweep.shards import WHOLE, Shard

GIVEN = "given"
"""The target rule, in the tables, of classes that were given picture by picture."""
KEEP_MAPS = ("all", "gallery", "none")
RETRY = ("", "errors")


@dataclass(frozen=True)
class SweepSettings:
    """The options of a sweep other than its model, dataset, methods and metrics.

    Args:
        layers: roles of the model (``early``, ``middle``, ``last``, ``auto``) or dotted names.
        target: the rule that chooses the class to explain (see :func:`.targets.choose_targets`), or a class per picture
            of the dataset.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        batch_size: images per forward pass; None tunes it on the device, once per run, model and kind of device.
        seed: the seed of everything that is drawn at random.
        replicates: how many times everything that is drawn is drawn: methods and metrics with a seed; what draws
            nothing is computed once. A method may have more draws of its own (``Method.replicates``).
        timing: whether methods are timed after everything else; None times them unless the dataset is cut into shards.
        repeats: timed calls per cell.
        max_seconds: time in seconds after which a slow method is not timed again.
        shard: the part of the dataset that this job takes.
        block_size: images per block, after which everything is stored; it changes speed and memory, never a number.
        keep_maps: ``all`` keeps maps of up to 64 × 64 values, and larger ones of the pictures that reports show;
            ``gallery`` keeps those of these pictures alone; ``none`` keeps none.
        retry: ``errors`` tries again what failed before; ``""`` does not.
        reuse: folders of other runs, whose stores are asked before anything is computed; see :mod:`.reuse`.

    Raises:
        ValueError: for a number out of its range, or an unknown word.
    """

    layers: Sequence[str] = ("last",)
    target: int | str | Sequence[int] = "predicted"
    device: str = "auto"
    precision: str = "fp32"
    batch_size: int | None = None
    seed: int = 0
    replicates: int = 1
    timing: bool | None = None
    repeats: int = 5
    max_seconds: float = 10.0
    shard: Shard = WHOLE
    block_size: int = 64
    keep_maps: str = "all"
    retry: str = ""
    reuse: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.batch_size is not None and not _is_positive(self.batch_size, int):
            raise ValueError(f"batch_size is {self.batch_size!r}, expected a positive number or auto")
        if not _is_positive(self.block_size, int):
            raise ValueError(f"block_size is {self.block_size!r}, expected a whole number of at least 1")
        if not _is_positive(self.replicates, int):
            raise ValueError(f"replicates is {self.replicates!r}, expected a whole number of at least 1")
        if not _is_positive(self.repeats, int):
            raise ValueError(f"timing.repeats is {self.repeats!r}, expected a whole number of at least 1")
        if not _is_positive(self.max_seconds, (int, float)):
            raise ValueError(f"timing.max_seconds is {self.max_seconds!r}, expected a positive number")
        if isinstance(self.reuse, str):
            raise ValueError(f"reuse is {self.reuse!r}, expected a list of folders, such as reuse=[{self.reuse}]")
        for name, value, known in (("keep_maps", self.keep_maps, KEEP_MAPS), ("retry", self.retry, RETRY)):
            if value not in known:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(repr, known))}")

    @property
    def timed(self) -> bool:
        """Whether methods are timed."""
        return self.shard.of == 1 if self.timing is None else self.timing


@dataclass(frozen=True)
class RunSettings:
    """Settings under which cells run, of which only the kind of device, the precision and the seed change numbers.

    Args:
        device: the model's device.
        precision: ``fp32`` or ``bf16``.
        batch_size: images per forward pass.
        seed: of everything that is drawn.
        keep_maps: as in :class:`SweepSettings`.
        retry: whether what failed before is tried again.
        shards: number of shards of the dataset; a cell that failed on a whole block of one is tried in the others.
    """

    device: torch.device
    precision: str
    batch_size: int
    seed: int = 0
    keep_maps: str = "all"
    retry: bool = False
    shards: int = 1


def _is_positive(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and value > 0  # type: ignore[operator]
