"""Run a model again from a layer on, many times, for the price of one run of what stands before the layer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from methods.capture import Tap, as_tensor, hooked
from methods.layers import find_layer
from methods.pristine import observing

Head = Callable[[Tensor, int], Tensor]
"""(features, n) -> logits (B, classes), as if the layer had given features[b] for image n."""


@dataclass(frozen=True)
class Resumption:
    """A run of the model, and the means to run it again from the layer on.

    Args:
        features: what the layer gave, images in the first dimension.
        logits: (N, classes).
        head: runs what comes after the layer; use it inside the context that gave it.
    """

    features: Tensor
    logits: Tensor
    head: Head


@dataclass
class Trunk:
    """The calls that ended before the layer's did, in order, with what they gave; calls inside such a call left out."""

    calls: list[tuple[nn.Module, object]] = field(default_factory=list)
    running: list[tuple[nn.Module, int]] = field(default_factory=list)
    complete: bool = False

    def enter(self, module: nn.Module, _inputs: object) -> None:
        """Note that a call begins."""
        if not self.complete:
            self.running.append((module, len(self.calls)))

    def leave(self, module: nn.Module, _inputs: object, output: object) -> None:
        """Note what a call gave, in place of all that ran inside it."""
        if self.complete:
            return
        _, start = self.running.pop()
        del self.calls[start:]
        if self.running and type(self.running[-1][0]).forward is nn.Sequential.forward:
            self._forget_outputs(self.running[-1][1])
        self.calls.append((module, output))

    def _forget_outputs(self, start: int) -> None:
        """Free what a Sequential has handed on: only the next module sees it, and that will not run again."""
        self.calls[start:] = [(module, None) for module, _ in self.calls[start:]]


@contextmanager
def resumable(model: nn.Module, images: Tensor, layer: str) -> Iterator[Resumption]:
    """Run the model once, and give the means to run it again from the layer on, with other features.

    Modules that ended before the layer did are not run again: they hand out what they gave in the first run.
    What the model does between modules (adding a skip, reshaping) is done again, so that this holds for a layer
    inside a residual block too. The first image is tried before anything is given out: with its own features it must
    give its own logits. A model that fails (it writes in place into what came before the layer, or mixes the batch
    with another dimension) is run as a whole each time, which is always right, and slow.

    Inside, the model is in evaluation mode and records no graph; afterwards it is as it was found.

    Raises:
        ValueError: where the layer is unknown, gives no tensor or runs any number of times but one.
    """
    tap = Tap(layer)
    trunk = Trunk()

    def copy(module: nn.Module, _inputs: tuple[object, ...], output: object) -> None:
        tap.features.append(as_tensor(output, module, layer).clone())
        trunk.complete = True

    with hooked(model, layer, copy):
        with _watched(model, trunk):
            logits = model(images)
        features = tap.output_for(images)
    with observing(model):
        head = _replay(model, images, trunk.calls)
        if not _repeats(head, features, logits):
            head = _rerun(model, images, find_layer(model, layer))
        yield Resumption(features, logits, head)


@contextmanager
def _watched(model: nn.Module, trunk: Trunk) -> Iterator[None]:
    with ExitStack() as hooks:
        for module in model.modules():
            hooks.callback(module.register_forward_pre_hook(trunk.enter, prepend=True).remove)
            hooks.callback(module.register_forward_hook(trunk.leave, prepend=True).remove)
        yield


def _replay(model: nn.Module, images: Tensor, calls: Sequence[tuple[nn.Module, object]]) -> Head:
    """Return a head that hands out what the trunk gave; views of stride 0, so that many rows cost no memory."""

    def head(features: Tensor, n: int) -> Tensor:
        pending = iter([*(rows(given, n, len(features), len(images)) for _, given in calls[:-1]), features])
        forwards = {module: _first_from(pending, module.forward) for module, _ in calls}
        with _forwards_replaced(forwards):
            return model(rows(images, n, len(features), len(images)))  # type: ignore[no-any-return]

    return head


def _rerun(model: nn.Module, images: Tensor, layer: nn.Module) -> Head:
    """Return a head that runs the whole model and puts the features in the layer's place."""

    def head(features: Tensor, n: int) -> Tensor:
        with _forwards_replaced({layer: lambda *_args, **_kwargs: features.clone()}):
            return model(images[n].expand(len(features), *images.shape[1:]).contiguous())  # type: ignore[no-any-return]

    return head


def _repeats(head: Head, features: Tensor, logits: Tensor) -> bool:
    """Say whether the head gives the first image's logits again; two rows, so that a write into a view is refused."""
    try:
        again = head(features[:1].repeat(2, *[1] * (features.ndim - 1)), 0)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever a model raises when only a part of it runs, as a whole it did run
        return False
    tolerance = torch.finfo(logits.dtype).eps ** 0.5 * float(logits[0].abs().max())
    return again.shape == (2, *logits.shape[1:]) and torch.allclose(
        again, logits[:1].expand_as(again), rtol=0, atol=tolerance, equal_nan=True
    )


def rows(given: Any, n: int, count: int, images: int) -> Any:
    """Return what a module gave for image n, count times, without copying.

    Raises:
        ValueError: for a tensor that does not hold the images, or one for all, in its first dimension.
    """
    if isinstance(given, Tensor):
        if given.ndim == 0 or len(given) not in (1, images):
            raise ValueError(f"a module gives shape {tuple(given.shape)} for {images} images")
        one = given[n : n + 1] if len(given) == images else given
        return one.expand(count, *given.shape[1:])
    if type(given) in (tuple, list):
        return type(given)(rows(part, n, count, images) for part in given)
    if type(given) is dict:
        return {key: rows(part, n, count, images) for key, part in given.items()}
    return given


def _first_from(pending: Iterator[object], forward: Callable[..., object]) -> Callable[..., object]:
    """Return a forward that hands out what is pending, and runs once all of that is handed out."""

    def give(*args: object, **kwargs: object) -> object:
        given = next(pending, pending)
        return forward(*args, **kwargs) if given is pending else given

    return give


@contextmanager
def _forwards_replaced(forwards: Mapping[nn.Module, Callable[..., object]]) -> Iterator[None]:
    """Give modules other forwards, and take them away again."""
    own = {module: vars(module)["forward"] for module in forwards if "forward" in vars(module)}
    try:
        for module, forward in forwards.items():
            vars(module)["forward"] = forward
        yield
    finally:
        for module in forwards:
            vars(module).pop("forward", None)
        for module, forward in own.items():
            vars(module)["forward"] = forward
