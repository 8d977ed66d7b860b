"""Side effects of a method: what it leaves behind on a network, its inputs and the process."""

import random
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor, nn

from heatmark.common.model_state import untouched

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class _Interruption(Exception):  # noqa: N818 - raised on purpose, so no error
    """The exception that the network raises on purpose."""


def left_behind(module: nn.Module, inputs: Sequence[Tensor], call: Callable[[], object]) -> list[str]:
    """Return the names of what a call leaves behind, such as ``training flag of features.1``.

    The call gets the network in a state in which changes show: its outermost flag in training mode, a gradient on a
    parameter. Afterwards the network is restored, but for weights that the call has changed.
    """
    with untouched(module):
        module.training = True
        smallest = min(module.parameters(), key=Tensor.numel)
        smallest.grad = torch.ones_like(smallest)
        before = _state(module, inputs)
        call()
        after = _state(module, inputs)
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def left_behind_after_an_exception(
    module: nn.Module, inputs: Sequence[Tensor], call: Callable[[], object]
) -> list[str]:
    """Return the names of what a call leaves behind when the network raises at the end of its forward pass."""

    def interrupted() -> None:
        with suppress(_Interruption):
            call()

    handle = module.register_forward_hook(_interrupt)
    try:
        return left_behind(module, inputs, interrupted)
    finally:
        handle.remove()


def _interrupt(_module: nn.Module, _inputs: object, _output: object) -> None:
    raise _Interruption


def _state(module: nn.Module, inputs: Sequence[Tensor]) -> dict[str, object]:
    """Return all that a call could leave behind or change, each under a name for a person."""
    state: dict[str, object] = {}
    for name, part in module.named_modules():
        where = name or "the network"
        state[f"module at {where}"] = id(part)
        state[f"training flag of {where}"] = part.training
        state[f"attributes of {where}"] = sorted(vars(part))
        state[f"inplace of {where}"] = getattr(part, "inplace", None)
        for kind in HOOKS:
            state[f"{kind.strip('_').replace('_', ' ')} of {where}"] = list(getattr(part, kind))
    named = [*module.named_parameters(), *module.named_buffers()]
    for name, tensor in [*named, *((f"input {i}", x) for i, x in enumerate(inputs))]:
        state[f"values of {name}"] = _checksum(tensor)
        state[f"requires_grad of {name}"] = tensor.requires_grad
        state[f"grad of {name}"] = None if tensor.grad is None else _checksum(tensor.grad)
    return state | _process()


def _process() -> dict[str, object]:
    name, keys, *place = np.random.get_state(legacy=True)
    return {
        "random state of torch": _checksum(torch.get_rng_state()),
        "random state of NumPy": (name, zlib.crc32(np.asarray(keys).tobytes()), *place),
        "random state of Python": random.getstate(),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "default dtype": torch.get_default_dtype(),
    }


def _checksum(tensor: Tensor) -> int:
    return zlib.crc32(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
