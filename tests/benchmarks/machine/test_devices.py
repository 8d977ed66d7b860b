"""Devices are picked by name, and bfloat16 stays inside the model's forward."""

import copy
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.machine.devices import autocast, pick_device


def _network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).eval()


def test_the_cpu_is_always_there() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "meta", "tpu", ""])
def test_an_unknown_device_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown device '{name}'"):
        pick_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_an_absent_device_is_named() -> None:
    with pytest.raises(ValueError, match="device=cuda:1: no CUDA device is visible"):
        pick_device("cuda:1")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_out_of_range_is_named() -> None:
    with pytest.raises(ValueError, match="device=cuda:99: there are"):
        pick_device("cuda:99")


def test_fp32_changes_nothing() -> None:
    network, images = _network(), torch.rand(2, 3, 8, 8)
    before = network(images)
    with autocast(network, "fp32"):
        assert torch.equal(network(images), before)
        assert not network._forward_pre_hooks


def test_fp32_is_without_tf32_and_leaves_the_users_setting() -> None:
    def allowed() -> tuple[bool, bool]:
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    before = allowed()
    assert before[0]  # PyTorch's default, which is why this is here
    with autocast(_network(), "fp32"):
        assert allowed() == (False, False)
    assert allowed() == before


def test_bf16_equals_pytorch_autocast_inside_and_is_gone_after() -> None:
    network, images = _network(), torch.rand(2, 3, 8, 8)
    before = network(images)
    seen: list[torch.dtype] = []
    handle = network[0].register_forward_hook(lambda _m, _i, output: seen.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        expected = network(images).float()
    with autocast(network, "bf16"):
        logits = network(images)
        outside = images.flatten(1) @ images.flatten(1).T
    handle.remove()
    assert seen == [torch.bfloat16, torch.bfloat16]
    assert torch.equal(logits, expected)
    assert not torch.equal(logits, before)
    assert (logits.dtype, outside.dtype) == (torch.float32, torch.float32)
    assert torch.equal(network(images), before)
    assert not network._forward_hooks
    assert not network._forward_pre_hooks


def test_bf16_follows_a_model_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def recorded(device: str, _dtype: torch.dtype) -> AbstractContextManager[None]:
        asked.append(device)
        return nullcontext()

    network = _network()
    with autocast(network, "bf16"):
        network.to("meta")
        monkeypatch.setattr(torch, "autocast", recorded)
        network(torch.zeros(1, 3, 8, 8, device="meta"))
    assert asked == ["meta"]


def test_bf16_is_left_when_the_forward_raises() -> None:
    network = _network()
    with autocast(network, "bf16"):
        with pytest.raises(RuntimeError):
            network(torch.rand(2, 3, 9, 9))
        assert not torch.is_autocast_enabled("cpu")


def test_bf16_goes_with_a_copy_of_the_model() -> None:
    network, images = _network(), torch.rand(1, 3, 8, 8)
    with autocast(network, "bf16"):
        twin = copy.deepcopy(network)
        twin[3].weight.data.zero_()
        logits: Tensor = twin(images)
    assert torch.equal(logits[0], network[3].bias.to(torch.bfloat16).float())


def test_an_unknown_precision_is_named() -> None:
    with pytest.raises(ValueError, match="unknown precision 'bf61': did you mean bf16"), autocast(_network(), "bf61"):
        pass
