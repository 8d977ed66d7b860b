"""Checkpoints: files of weights, read without unpickling objects, and whether they fit a network."""

import pickle
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

TORCH_SUFFIXES = (".pt", ".pth", ".th", ".ckpt", ".bin", ".tar")
"""Suffixes of files read by ``torch.load(weights_only=True)``."""

STATE_KEYS = ("state_dict", "model", "model_state_dict", "model_state")
"""Keys under which training checkpoints keep the network's tensors, beside its epoch and optimiser."""


def read_state(file: str | Path) -> dict[str, Tensor]:
    """Return a checkpoint's tensors by name, on the CPU, floating ones as float32.

    Args:
        file: a ``.safetensors`` file, or one of PyTorch with tensors only, bare or nested as in :data:`STATE_KEYS`.

    Raises:
        ValueError: where the file is missing, of another kind, broken, or holds NaN or infinite weights.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise ValueError(f"checkpoint {path} does not exist" if not path.exists() else f"checkpoint {path} is no file")
    if path.suffix != ".safetensors" and path.suffix not in TORCH_SUFFIXES:
        raise ValueError(
            f"checkpoint {path}: expected a file that ends in .safetensors or {', '.join(TORCH_SUFFIXES)}, "
            f"not {path.suffix or 'in nothing'!r}"
        )
    read = _read_safetensors if path.suffix == ".safetensors" else _read_torch
    state = {name: value.float() if value.is_floating_point() else value for name, value in read(path).items()}
    if bad := [name for name, value in state.items() if not value.isfinite().all()]:
        raise ValueError(f"checkpoint {path} holds NaN or infinite weights in {len(bad)} tensors, such as {bad[0]!r}")
    return state


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise ValueError(f"checkpoint {path} is no safetensors file, or a broken one ({error})") from None


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError) as error:
        raise ValueError(
            f"checkpoint {path} cannot be read with weights_only=True: it is broken, or holds Python objects beside "
            "tensors, which are never unpickled; save model.state_dict() alone, best as safetensors "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        ) from None
    if isinstance(content, Mapping):
        content = next((content[key] for key in STATE_KEYS if isinstance(content.get(key), Mapping)), content)
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, Mapping) else {}
    if not tensors:
        raise ValueError(f"checkpoint {path} holds no tensors by name; expected a state dict")
    return tensors


def unwrap(state: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """Return the state without the prefix that wrappers put before names (``module.``, ``model.``, ``_orig_mod.``).

    A prefix is removed only where no name fits with it and all names have it.
    """
    state = dict(state)
    while state and not state.keys() & names:
        prefixes = {name.partition(".")[0] for name in state}
        if len(prefixes) > 1 or not all("." in name for name in state):
            break
        state = {name.partition(".")[2]: value for name, value in state.items()}
    return state


def mismatch(module: nn.Module, state: Mapping[str, Tensor]) -> str | None:
    """Return in words which tensors of a state do not fit the network, None where all do.

    The batch norms' ``num_batches_tracked`` may be missing: nothing in evaluation depends on it.
    """
    expected = module.state_dict()
    missing = [name for name in expected if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in expected]
    reshaped = [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    said = [f"{len(names)} {fault} (such as {names[0]})" for fault, names in faults.items() if names]
    return f"of {len(expected)} tensors, " + ", ".join(said) if said else None


def load_state(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy a state that fits into the network.

    The network's own state dict is updated and loaded, because its version numbers, which MNASNet needs, are not in a
    file.
    """
    full = module.state_dict()
    full.update(state)
    module.load_state_dict(full)
