"""Contexts that hand a model back exactly as it was found."""

import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

ONE_THREAD = threading.RLock()
"""Hooks, flags and switches are the model's and the process's: while one thread explains, another one waits."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Run in evaluation mode, then give every module its own ``training`` flag back."""
    flags = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, training in flags:
            module.training = training


@contextmanager
def observing(model: nn.Module) -> Iterator[None]:
    """Run in evaluation mode and record no graph, in tensors that later may take part in one.

    Every submodule runs, also within torch's transformer layers and compiled blocks (:func:`every_module_runs`), and
    weights made in inference mode are replaced by copies meanwhile (:func:`outside_inference`). Other threads that want
    to explain wait.
    """
    with (
        ONE_THREAD,
        torch.inference_mode(False),
        torch.no_grad(),
        evaluating(model),
        every_module_runs(),
        outside_inference(model),
    ):
        yield


@contextmanager
def every_module_runs() -> Iterator[None]:
    """Switch off what computes a module without calling its submodules, so that hooks on these change nothing.

    That is torch's fast path for transformer layers in evaluation mode, and what ``torch.compile`` made, which runs as
    it was written meanwhile and takes no hook down for later. Both switches are the process's.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def outside_inference(model: nn.Module) -> Iterator[None]:
    """Put ordinary copies in the place of a model's inference tensors, which no backward pass may need; then these.

    A parameter that several modules share is copied once.
    """
    holders: list[dict[str, Any]] = []
    for module in model.modules():
        holders += [module._parameters, module._buffers, vars(module)]
    found = [(d, name, t) for d in holders for name, t in d.items() if isinstance(t, Tensor) and t.is_inference()]
    copies = {id(t): ordinary(t) for _, _, t in found}
    try:
        for holder, name, tensor in found:
            holder[name] = copies[id(tensor)]
        yield
    finally:
        for holder, name, tensor in found:
            holder[name] = tensor


def ordinary(tensor: Tensor) -> Tensor:
    """Return the tensor, or a copy that may take part in a graph if it was made in inference mode."""
    if not tensor.is_inference():
        return tensor
    with torch.inference_mode(False):
        copy = tensor.clone()
    return nn.Parameter(copy, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copy


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Lend a model, in evaluation mode, to a library that may do anything to it but change its weights.

    On leaving, on exceptions too, every module is the module that it was (pytorch-grad-cam puts others in their
    place), with the attributes, flags and hooks that it had and no others; every parameter has the ``requires_grad``
    and the ``.grad`` that it had, the same tensor with the same values; and the random number generators of Python,
    NumPy and torch, and the grad mode, are where they were.

    Inside, gradients are recorded and every ``.grad`` is None, so that nothing is added to a caller's gradients. Other
    threads that want to explain wait.
    """
    with ONE_THREAD, _same_random_state(), _same_attributes(model), _same_parameters(model), every_module_runs():
        model.eval()
        with torch.inference_mode(False), torch.enable_grad():
            yield


@contextmanager
def _same_attributes(model: nn.Module) -> Iterator[None]:
    """Restore what every module holds: flags, planted attributes and, in its dictionaries, submodules and hooks."""
    found = [(module, _contents(module)) for module in model.modules()]
    try:
        yield
    finally:
        for module, contents in found:
            _refill(module.__dict__, {name: value for name, (value, _) in contents.items()})
            for value, entries in contents.values():
                if entries is not None:
                    _refill(value, entries)


def _contents(module: nn.Module) -> dict[str, tuple[Any, dict[Any, Any] | None]]:
    """Return a module's attributes, and a copy of those that are dictionaries."""
    return {name: (value, dict(value) if isinstance(value, dict) else None) for name, value in vars(module).items()}


def _refill(dictionary: dict[Any, Any], entries: dict[Any, Any]) -> None:
    """Give the same dictionary its entries back: hook handles and whoever else knows it keep working."""
    dictionary.clear()
    dictionary.update(entries)


@contextmanager
def _same_parameters(model: nn.Module) -> Iterator[None]:
    found: list[tuple[Tensor, bool, Tensor | None]] = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    try:
        for parameter, _, _ in found:
            parameter.grad = None
        yield
    finally:
        for parameter, requires_grad, grad in found:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad


@contextmanager
def _same_random_state() -> Iterator[None]:
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)
