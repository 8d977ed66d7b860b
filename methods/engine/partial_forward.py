"""Partial forward passes: a model run again from a layer on, with other features, while earlier modules run once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from heatmark.common.model_state import observing, ordinary
from heatmark.methods.engine.capture import Recording, as_tensor, hooked, recorded_output

VERSION = 1
"""Raised by whoever changes the features or logits of a partial forward: outdates what uses them."""

Head = Callable[[Tensor, int], Tensor]
"""(features (B, …), n) -> logits (B, classes), as if the layer's output for image n were features[b]."""


@dataclass(frozen=True)
class PartialForward:
    """One forward pass of a model, and a function that runs the model again from a layer on.

    Args:
        features: the layer's output, with the images in the first dimension.
        logits: (N, classes).
        head: runs the part of the model after the layer; use it inside :func:`partial_forwards` only.
    """

    features: Tensor
    logits: Tensor
    head: Head


@dataclass
class Trunk:
    """The module calls that ended before the layer's call did, in order, with their outputs; without nested calls."""

    calls: list[tuple[nn.Module, object]] = field(default_factory=list)
    running: list[tuple[nn.Module, int]] = field(default_factory=list)
    complete: bool = False

    def enter(self, module: nn.Module, _inputs: object) -> None:
        """Record that a call begins."""
        if not self.complete:
            self.running.append((module, len(self.calls)))

    def leave(self, module: nn.Module, _inputs: object, output: object) -> None:
        """Record the output of a call, in place of the calls nested in it."""
        if self.complete:
            return
        _, start = self.running.pop()
        del self.calls[start:]
        if self.running and type(self.running[-1][0]).forward is nn.Sequential.forward:
            self._forget_outputs(self.running[-1][1])
        self.calls.append((module, output))

    def _forget_outputs(self, start: int) -> None:
        """Free outputs inside a Sequential: only the next module uses them, and that module will not run again."""
        self.calls[start:] = [(module, None) for module, _ in self.calls[start:]]


@contextmanager
def partial_forwards(model: nn.Module, images: Tensor, layer: str) -> Iterator[PartialForward]:
    """Context that runs the model once, and in which it can be run again from a layer on, with other features.

    Modules whose calls ended before the layer's are not run again: they return their outputs of the first run.
    Operations between modules (adding a skip connection, reshaping) are run again, so that this works for a layer
    inside a residual block too. This is checked on the first image: with its own features the partial forward pass
    must give its own logits, and with changed features the logits of a full forward pass in which a hook changes them.
    A model that fails the check (it modifies tensors from before the layer in place, or mixes the batch with another
    dimension) is run as a whole each time, which is correct but slow. In both cases a run that skips the layer raises
    a ValueError.

    Inside, the model is in evaluation mode and records no graph; on leaving, its state is as before.

    Raises:
        ValueError: if the layer is unknown, gives no tensor, does not run exactly once, or the logits do not depend on
            its output. Features that happen to have no effect (zero weights after them) are no error.
    """
    images = ordinary(images)
    recording = Recording(layer)
    trunk = Trunk()

    def copy(module: nn.Module, _inputs: tuple[object, ...], output: object) -> None:
        recording.features.append(as_tensor(output, module, layer).clone())
        trunk.complete = True

    with hooked(model, layer, copy):
        with _watched(model, trunk):
            logits = model(images)
        features = recording.output_for(images)
    with observing(model):
        whole = _rerun(model, images, layer)
        if len(images) == 0:
            yield PartialForward(features, logits, whole)
            return
        trial = _with_noise(features[:1])
        expected = torch.cat([logits[:1], whole(trial[1:], 0)])
        if _same(expected[1:], expected[:1]) and not _is_used(model, images[:1], layer):
            raise ValueError(f"the logits do not depend on layer {layer!r}: it runs, but what it gives is not used")
        replay = _replay(model, images, trunk.calls)
        yield PartialForward(features, logits, replay if _agrees(replay, trial, expected) else whole)


@contextmanager
def _watched(model: nn.Module, trunk: Trunk) -> Iterator[None]:
    with ExitStack() as hooks:
        for module in model.modules():
            if isinstance(module, torch.jit.RecursiveScriptModule):  # type: ignore[attr-defined]
                continue  # it takes no hooks, and runs again
            hooks.callback(module.register_forward_pre_hook(trunk.enter, prepend=True).remove)
            hooks.callback(module.register_forward_hook(trunk.leave, prepend=True).remove)
        yield


def _replay(model: nn.Module, images: Tensor, calls: Sequence[tuple[nn.Module, object]]) -> Head:
    """Return a head that reuses the recorded outputs, repeated as views of stride 0, which take no memory."""

    def head(features: Tensor, n: int) -> Tensor:
        pending = iter([*(rows(given, n, len(features), len(images)) for _, given in calls[:-1]), features])
        forwards = {module: _first_from(pending, module.forward) for module, _ in calls}
        with _forwards_replaced(forwards):
            logits: Tensor = model(rows(images, n, len(features), len(images)))
        if next(pending, pending) is not pending:
            raise ValueError("the model passed a module by when it ran again, so that other features change nothing")
        return logits

    return head


def _rerun(model: nn.Module, images: Tensor, layer: str) -> Head:
    """Return a head that runs the whole model and replaces the layer's output by the features."""

    def head(features: Tensor, n: int) -> Tensor:
        calls: list[None] = []

        def put(_module: nn.Module, _inputs: tuple[object, ...], _output: object) -> Tensor:
            calls.append(None)
            return features.clone()

        with hooked(model, layer, put):
            logits: Tensor = model(images[n].expand(len(features), *images.shape[1:]).contiguous())
        if len(calls) != 1:
            raise ValueError(
                f"layer {layer!r} ran {len(calls)} times when the model ran again, expected once: the model passes it "
                "by (a fused or compiled block?), so that other features change nothing"
            )
        return logits

    return head


def _agrees(head: Head, features: Tensor, logits: Tensor) -> bool:
    """Return whether the head gives these logits for the first image; two rows, so that writing to a view fails."""
    try:
        again = head(features, 0)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001 - a partial run may raise anything; the full run succeeded
        return False
    return again.shape == logits.shape and _same(again, logits)


def _same(logits: Tensor, others: Tensor) -> bool:
    """Return whether two batches of logits are equal within rounding, relative to the largest logit of each row."""
    size = others.nan_to_num(0, 0, 0).abs().reshape(len(others), -1).amax(dim=1)
    tolerance = torch.finfo(logits.dtype).eps ** 0.5 * size.view(-1, *[1] * (others.ndim - 1))
    alike = (logits == others) | (logits.isnan() & others.isnan())
    return bool((alike | ((logits - others).abs() <= tolerance)).all())


def _with_noise(features: Tensor) -> Tensor:
    """Return one image's features, followed by these features plus noise of the size of the largest of them."""
    noise = torch.randn(features.shape, generator=torch.Generator().manual_seed(0)).to(features)
    return torch.cat([features, features + noise * (1 + features.abs().max())])


def _is_used(model: nn.Module, image: Tensor, layer: str) -> bool:
    """Return whether the autograd graph has a path from the layer's output to the logits."""
    with recorded_output(model, layer) as recording:
        logits = model(image)
        leaf = recording.output_for(image)
        if not logits.requires_grad:
            return False
        (gradient,) = torch.autograd.grad(logits.sum(), leaf, allow_unused=True)
    return gradient is not None


def rows(given: Any, n: int, count: int, images: int) -> Any:
    """Return a module's recorded output for image n, repeated ``count`` times without copying.

    Raises:
        ValueError: if the first dimension of a tensor is neither 1 nor the number of images.
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
    """Return a forward that returns the pending outputs one by one, and runs the module once they are used up."""

    def give(*args: object, **kwargs: object) -> object:
        given = next(pending, pending)
        return forward(*args, **kwargs) if given is pending else given

    return give


@contextmanager
def _forwards_replaced(forwards: Mapping[nn.Module, Callable[..., object]]) -> Iterator[None]:
    """Context in which modules have other ``forward`` methods; on leaving, their own are restored."""
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
