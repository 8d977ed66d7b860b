"""Methods made of plain functions ``(model, images, targets, layer) -> maps``."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from heatmark.common.model_state import untouched
from heatmark.methods.base import Method

Function = Callable[[nn.Module, Tensor, Tensor, str], Any]
"""(model, images, targets, layer) -> maps (N, h, w), a tensor or an array."""


def from_function(function: Function, name: str = "") -> Method:
    """Return a method that calls a plain function.

    Its identity is the function's name and its code, with all that the code refers to: an edited function is another
    method. The model's hooks, flags and gradients are restored after each call; its weights must not be changed.

    Args:
        function: from model, images (N, C, H, W), targets (N,) and a layer's dotted name to maps (N, h, w).
        name: the method's name; by default the function's own.

    Raises:
        ValueError: for what does not take these four arguments, or a function without a name, such as a lambda.

    >>> def brightness(model, images, targets, layer):
    ...     return images.mean(1)
    >>> from_function(brightness)
    brightness()
    """
    own = name or getattr(function, "__name__", "")
    if not own.isidentifier():
        raise ValueError(
            f'{function!r} has no name to stand in the tables; give it one, as in {{"my_method": function}}'
        )
    _require_arguments(function, own)

    def call(_self: Method, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        with untouched(model):
            return _tensor(function(model, images, targets, layer), own)

    call.__wrapped__ = function  # type: ignore[attr-defined]  # by which the identity finds the user's code
    members = {"__call__": call, "__module__": _module_of(function), "__doc__": inspect.getdoc(function)}
    cls: type[Method] = dataclass(frozen=True)(type(own, (Method,), members))
    return cls()


def as_tensor(maps: Any) -> Tensor:
    """Return maps as a tensor; an array may have any strides, as after ``maps[:, ::-1]``."""
    return torch.as_tensor(np.ascontiguousarray(maps) if isinstance(maps, np.ndarray) else maps)


def _tensor(maps: Any, name: str) -> Tensor:
    try:
        return as_tensor(maps)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"the function {name} returned a {type(maps).__name__}, expected maps (N, h, w): a tensor or an array"
        ) from error


def _require_arguments(function: Function, name: str) -> None:
    if not callable(function):
        raise ValueError(f"{function!r} is a {type(function).__name__}, expected a function")
    try:
        inspect.signature(function).bind(None, None, None, "")
    except TypeError as error:
        raise ValueError(f"the function {name} must take (model, images, targets, layer): {error}") from None
    except ValueError:  # built-in functions have no signature
        pass


def _module_of(function: Function) -> str:
    """Return the module that a function is of; for any other object the user's script, so that its content counts."""
    return (function.__module__ if isinstance(function, FunctionType) else "") or "__main__"
