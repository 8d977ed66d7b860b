"""A checkpoint is read safely, whatever wraps its tensors, and a wrong one is named."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from heatmark.benchmarks.models.weights_io import load_state, mismatch, read_state, unwrap


def _network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_float16_safetensors_become_float32(tmp_path: Path) -> None:
    file = tmp_path / "half.safetensors"
    safetensors.torch.save_file({"w": torch.tensor([0.5, 3.0]).half(), "n": torch.tensor([7])}, file)
    state = read_state(file)
    assert state["w"].dtype == torch.float32
    assert state["n"].dtype == torch.int64
    assert torch.equal(state["w"], torch.tensor([0.5, 3.0]))


@pytest.mark.parametrize("key", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_a_torch_file_may_nest_its_tensors(tmp_path: Path, key: str | None, suffix: str) -> None:
    tensors = _network().state_dict()
    file = tmp_path / f"checkpoint{suffix}"
    torch.save(tensors if key is None else {"epoch": 3, key: tensors}, file)
    state = read_state(file)
    assert state.keys() == tensors.keys()
    assert torch.equal(state["0.weight"], tensors["0.weight"])


def test_wrappers_prefixes_are_dropped() -> None:
    tensors = _network().state_dict()
    wrapped = {f"module._orig_mod.{name}": value for name, value in tensors.items()}
    assert unwrap(wrapped, tensors.keys()).keys() == tensors.keys()


def test_a_prefix_that_belongs_to_the_network_stays() -> None:
    state = {"model.w": torch.zeros(1), "model.b": torch.zeros(1)}
    assert unwrap(state, {"model.w"}).keys() == state.keys()


def test_a_fitting_state_is_copied_and_may_lack_the_batch_count() -> None:
    source, network = _network(), _network()
    state = {k: v for k, v in source.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert mismatch(network, state) is None
    load_state(network, state)
    assert all(torch.equal(v, network.state_dict()[k]) for k, v in state.items())


def test_every_kind_of_mismatch_is_counted_with_an_example() -> None:
    state: dict[str, Tensor] = dict(_network().state_dict())
    del state["1.bias"]
    state |= {"fc.weight": torch.zeros(2), "fc.bias": torch.zeros(2), "0.weight": torch.zeros(4, 3, 1, 1)}
    assert mismatch(_network(), state) == (
        "of 7 tensors, 1 missing (such as 1.bias), 2 unexpected (such as fc.weight), "
        "1 of another shape (such as 0.weight is (4, 3, 1, 1), expected (4, 3, 3, 3))"
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent\.pth does not exist"):
        read_state(tmp_path / "absent.pth")


def test_a_th_file_is_read_as_any_other_of_pytorch(tmp_path: Path) -> None:
    state = _network().state_dict()
    torch.save({"state_dict": state}, tmp_path / "net.th")
    assert read_state(tmp_path / "net.th").keys() == state.keys()
    torch.save(_network(), tmp_path / "whole.th")
    with pytest.raises(ValueError, match=r"whole\.th cannot be read with weights_only=True"):
        read_state(tmp_path / "whole.th")


def test_an_unknown_ending_is_named(tmp_path: Path) -> None:
    (tmp_path / "weights.h5").touch()
    known = r"\.safetensors or \.pt, \.pth, \.th, \.ckpt, \.bin, \.tar"
    with pytest.raises(ValueError, match=rf"expected a file that ends in {known}, not '\.h5'"):
        read_state(tmp_path / "weights.h5")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
@pytest.mark.parametrize(
    "content", [b"", b"not weights at all\n", b"\x80\x02garbage", bytes(range(256)) * 8, b"PK\x03\x04"]
)
def test_a_broken_file_is_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = tmp_path / f"broken{suffix}"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"broken\{suffix}"):
        read_state(file)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"cut{suffix}"
    tensors = _network().state_dict()
    if suffix == ".pt":
        torch.save(tensors, file)
    else:
        safetensors.torch.save_file(tensors, file)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ValueError, match=rf"cut\{suffix}"):
        read_state(file)


def test_a_pickled_network_is_refused_unopened(tmp_path: Path) -> None:
    torch.save(_network(), tmp_path / "whole.pt")
    with pytest.raises(ValueError, match=r"whole\.pt cannot be read with weights_only=True.*state_dict"):
        read_state(tmp_path / "whole.pt")


def test_a_list_is_no_state_dict(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ValueError, match=r"list\.pt holds no tensors by name"):
        read_state(tmp_path / "list.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_weights_are_refused(tmp_path: Path, value: float) -> None:
    file = tmp_path / "bad.safetensors"
    safetensors.torch.save_file({"a": torch.ones(2), "b": torch.tensor([1.0, value])}, file)
    with pytest.raises(ValueError, match=r"bad\.safetensors holds NaN or infinite weights in 1 tensors, such as 'b'"):
        read_state(file)
