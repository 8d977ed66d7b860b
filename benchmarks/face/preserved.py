"""A user's network, given back in the modes and on the device in which it came."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from torch import nn

from heatmark.benchmarks.models.classifier import Classifier


@dataclass
class _State:
    """The modes of a network's modules and its device, None where it lies on several, and how many contexts hold it."""

    modes: list[tuple[nn.Module, bool]]
    device: torch.device | None
    held: int = field(default=0)


_LOCK = threading.Lock()
_STATES: "WeakKeyDictionary[nn.Module, _State]" = WeakKeyDictionary()


@contextmanager
def preserved(model: object) -> Iterator[None]:
    """Context after which a network has its modes and its device again, once no other thread is in one with it.

    Args:
        model: a network, a classifier, or anything else, such as a name, which has nothing to preserve.
    """
    network = model.module if isinstance(model, Classifier) else model
    if not isinstance(network, nn.Module):
        yield
        return
    with _LOCK:
        state = _STATES.setdefault(network, _state(network))
        state.held += 1
    try:
        yield
    finally:
        with _LOCK:
            state.held -= 1
            if not state.held:
                _restore(network, _STATES.pop(network))


def _state(network: nn.Module) -> _State:
    devices = {tensor.device for tensor in (*network.parameters(), *network.buffers())}
    return _State(
        [(module, module.training) for module in network.modules()], devices.pop() if len(devices) == 1 else None
    )


def _restore(network: nn.Module, state: _State) -> None:
    if state.device is not None:
        network.to(state.device)
    for module, training in state.modes:
        module.training = training
