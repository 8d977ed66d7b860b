"""Tests of the halving of the batch when memory runs out, of setting a method's batch size, and of filling up."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from heatmark.common.batching import halving, padded, with_batch_size
from heatmark.methods.base import Method


@dataclass(frozen=True)
class Inner(Method):
    batch_size: int = 16

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class Outer(Method):
    inner: Method

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        raise NotImplementedError


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")],
)
def test_halves_until_it_fits(error: RuntimeError) -> None:
    tried = []

    def run(size: int) -> str:
        tried.append(size)
        if size > 3:
            raise error
        return "done"

    assert halving(run, 24) == "done"
    assert tried == [24, 12, 6, 3]


def test_one_image_that_does_not_fit_is_an_error() -> None:
    def run(size: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        halving(run, 4)


def test_other_errors_pass_through_at_once() -> None:
    tried = []

    def run(size: int) -> None:
        tried.append(size)
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        halving(run, 8)
    assert tried == [8]


def test_the_inner_batch_follows_through_wrappers() -> None:
    assert with_batch_size(Outer(Inner(16)), 4) == Outer(Inner(4))


@dataclass(frozen=True)
class Plain:
    inner: object
    batch_size: int = 16


def test_any_dataclass_with_a_batch_of_its_own_follows_and_others_stay() -> None:
    assert with_batch_size(Plain(Plain(3)), 4) == Plain(Plain(3, 4), 4)
    assert with_batch_size(Plain(Inner), 4) == Plain(Inner, 4)  # a class is no method


def test_a_short_batch_repeats_its_last_element() -> None:
    tensor = torch.tensor([[1, 2], [3, 4]])
    assert padded(tensor, 4).tolist() == [[1, 2], [3, 4], [3, 4], [3, 4]]
    assert padded(tensor[:, 0], 3).tolist() == [1, 3, 3]
    assert padded(tensor, 2) is tensor
    assert padded(tensor, 1) is tensor


def test_nothing_cannot_be_repeated() -> None:
    with pytest.raises(ValueError, match=r"\(0, 3\) has no last element to repeat up to 2"):
        padded(torch.zeros(0, 3), 2)
    assert padded(torch.zeros(0, 3), 0).shape == (0, 3)
