"""Maps that were made elsewhere, as a method."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmark.common.digests import digest_tensor
from heatmark.methods.base import Method


@dataclass(frozen=True, eq=False)
class GivenMaps(Method):
    """Maps of a dataset's pictures that were made elsewhere; it cannot explain anything else.

    Args:
        maps: (h, w) float32 of each picture, by its position in the dataset; NaN where undefined.
        digest: of all maps; see :func:`given_maps`.
    """

    maps: Sequence[Tensor]
    digest: str

    explains: ClassVar[Literal["layer", "input"]] = "input"
    speed_only: ClassVar[frozenset[str]] = frozenset({"batch_size", "maps"})

    def passes(self, model: nn.Module, layer: str, shape: tuple[int, int, int]) -> float:  # noqa: ARG002
        """Return 0: nothing is computed."""
        return 0.0

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:  # noqa: ARG002
        """Raise a ValueError: there are no maps of other images or other models."""
        raise ValueError("these maps were made elsewhere: no map of another image or model can be made")


def given_maps(maps: Sequence[Tensor]) -> GivenMaps:
    """Return maps as a method whose identity is their values.

    Args:
        maps: (h, w) of each picture of a dataset, in its order.

    Raises:
        ValueError: for what is no map (h, w) of real numbers.

    >>> import torch
    >>> given_maps(list(torch.zeros(2, 7, 7))).digest[:8]
    '0e8db7a5'
    """
    for position, each in enumerate(maps):
        if each.ndim != 2 or not each.numel() or each.is_complex():
            raise ValueError(
                f"map {position} has the shape {tuple(each.shape)} ({each.dtype}), expected (h, w) of real numbers"
            )
    plain = [each.detach().float().cpu() for each in maps]
    words = "".join(f"{tuple(each.shape)} {digest_tensor(each)}" for each in plain)
    return GivenMaps(plain, hashlib.sha256(words.encode()).hexdigest())
