"""Contexts that restore a model's state: modes, flags, hooks, gradients and random generators."""

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
"""The lock of these contexts: hooks, flags and switches belong to the model or the process, not to a thread."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Context with the model in evaluation mode; on leaving, every module gets its own ``training`` flag back."""
    flags = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, training in flags:
            module.training = training


@contextmanager
def observing(model: nn.Module) -> Iterator[None]:
    """Context with the model in evaluation mode and without an autograd graph.

    Tensors made inside are no inference tensors, so that they can take part in a graph later. Every submodule's hooks
    run, also within torch's transformer layers and compiled blocks (:func:`every_module_runs`), and weights made in
    inference mode are replaced by copies (:func:`outside_inference`). One thread at a time can be inside.
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
    """Context in which every submodule is called, so that hooks on submodules take effect.

    It switches off torch's fast path for transformer layers in evaluation mode, and code compiled by ``torch.compile``:
    compiled blocks run eagerly and are not compiled again with the hooks. Both switches are global to the process.
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
    """Context in which a model's inference tensors are replaced by ordinary copies, which autograd can use.

    A parameter that several modules share is copied once. On leaving, the model has its own tensors back.
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
    """Return the tensor, or, if it was made in inference mode, a copy that autograd can use."""
    if not tensor.is_inference():
        return tensor
    with torch.inference_mode(False):
        copy = tensor.clone()
    return nn.Parameter(copy, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copy


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Context in which a library may change anything of a model but its weights; on leaving, all is restored.

    This covers, also after an exception, the modules (pytorch-grad-cam replaces some), their attributes, flags and
    hooks; every parameter's ``requires_grad`` and ``.grad``, the same tensor with the same values; the random
    generators of Python, NumPy and torch; and the grad mode.

    Inside, the model is in evaluation mode, autograd is on and every ``.grad`` is None, so that nothing is added to the
    caller's gradients. One thread at a time can be inside.
    """
    with ONE_THREAD, _same_random_state(), _same_attributes(model), _same_parameters(model), every_module_runs():
        model.eval()
        with torch.inference_mode(False), torch.enable_grad():
            yield


@contextmanager
def _same_attributes(model: nn.Module) -> Iterator[None]:
    """Context that restores every module's attributes: flags, additions, and dictionaries of submodules and hooks."""
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
    """Return a module's attributes, each with a copy of its entries if it is a dictionary, else None."""
    return {name: (value, dict(value) if isinstance(value, dict) else None) for name, value in vars(module).items()}


def _refill(dictionary: dict[Any, Any], entries: dict[Any, Any]) -> None:
    """Replace a dictionary's entries in place, so that hook handles and others that refer to it keep working."""
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
