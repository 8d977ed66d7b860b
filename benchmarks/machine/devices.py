"""Devices and precisions in which a model runs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn

from heatmark.common.names import did_you_mean

PRECISIONS = ("fp32", "bf16")


def pick_device(name: str) -> torch.device:
    """Return the device of this name; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        ValueError: for a name that is none of auto, cpu, cuda, cuda:N, mps, or a device this machine lacks.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        known = ("auto", "cpu", "cuda", "cuda:1", "mps")
        raise ValueError(f"unknown device {name!r}: {did_you_mean(name, known, 'expected ' + ', '.join(known))}")
    if reason := _absent(device):
        raise ValueError(f"device={name}: {reason}; device=auto takes the best one there is")
    return device


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def _absent(device: torch.device) -> str | None:
    if device.type == "mps" and not _has_mps():
        return "this machine or this PyTorch has no Metal (MPS)"
    if device.type == "cuda" and not torch.cuda.is_available():
        return f"no CUDA device is visible to PyTorch {torch.__version__}"
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        return f"there are {torch.cuda.device_count()} CUDA devices, the last is cuda:{torch.cuda.device_count() - 1}"
    return None


@contextmanager
def autocast(module: nn.Module, precision: str) -> Iterator[None]:
    """Run the module's forward passes, and nothing else, in this precision.

    ``bf16`` is PyTorch's autocast around the model's own forward: its weights stay float32, convolutions and products
    compute in bfloat16, and the logits come out as float32. A method's own sums, the perturbed images and the softmax
    stay float32; only what is hooked inside (activations, gradients) is bfloat16. ``fp32`` is float32 throughout: the
    ten bits of TF32, which PyTorch lets convolutions on CUDA use by default, are switched off meanwhile.

    Raises:
        ValueError: for another precision.
    """
    if precision not in PRECISIONS:
        hint = did_you_mean(precision, PRECISIONS, f"expected {' or '.join(PRECISIONS)}")
        raise ValueError(f"unknown precision {precision!r}: {hint}")
    if precision == "fp32":
        with _without_tf32():
            yield
        return
    entered: list[AbstractContextManager[object]] = []

    def enter(called: nn.Module, _inputs: object) -> None:
        device = next((weight.device.type for weight in called.parameters()), "cpu")  # it may have moved meanwhile
        entered.append(torch.autocast(device, torch.bfloat16))
        entered[-1].__enter__()

    def leave(_module: nn.Module, _inputs: object, logits: Tensor | None) -> Tensor | None:
        entered.pop().__exit__(None, None, None)
        return None if logits is None else logits.float()  # None after an exception in the forward

    handles = [module.register_forward_pre_hook(enter), module.register_forward_hook(leave, always_call=True)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _without_tf32() -> Iterator[None]:
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    convolutions.allow_tf32 = products.allow_tf32 = False
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before
