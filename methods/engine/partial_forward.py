"""Run a model again from a layer on, many times, for the price of one run of what stands before the layer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from heatmark.common.model_state import observing, ordinary
from heatmark.methods.engine.capture import Recording, as_tensor, hooked, recorded_output

Head = Callable[[Tensor, int], Tensor]
"""(features, n) -> logits (B, classes), as if the layer had given features[b] for image n."""


@dataclass(frozen=True)
class PartialForward:
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
def partial_forwards(model: nn.Module, images: Tensor, layer: str) -> Iterator[PartialForward]:
    """Run the model once, and give the means to run it again from the layer on, with other features.

    Modules that ended before the layer did are not run again: they hand out what they gave in the first run.
    What the model does between modules (adding a skip, reshaping) is done again, so that this holds for a layer
    inside a residual block too. It is tried on the first image before anything is given out: with its own features it
    must give its own logits, and with changed ones those of a whole run in which a hook changes them. A model that
    fails (it writes in place into what came before the layer, or mixes the batch with another dimension) is run as a
    whole each time, which is always right, and slow. In either, a run that passes the layer by raises.

    Inside, the model is in evaluation mode and records no graph; afterwards it is as it was found.

    Raises:
        ValueError: where the layer is unknown, gives no tensor, runs any number of times but one, or the logits do not
            depend on what it gives. Features that only happen to change nothing (zero weights after them) are no error.
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
    """Return a head that hands out what the trunk gave; views of stride 0, so that many rows cost no memory."""

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
    """Return a head that runs the whole model and puts the features in the place of what the layer gives."""

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
    """Say whether the head gives these logits for the first image; two rows, so that a write into a view is refused."""
    try:
        again = head(features, 0)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever a model raises when only a part of it runs, as a whole it did run
        return False
    return again.shape == logits.shape and _same(again, logits)


def _same(logits: Tensor, others: Tensor) -> bool:
    """Say whether these are the same logits but for rounding, which is measured by the largest of each row."""
    size = others.nan_to_num(0, 0, 0).abs().reshape(len(others), -1).amax(dim=1)
    tolerance = torch.finfo(logits.dtype).eps ** 0.5 * size.view(-1, *[1] * (others.ndim - 1))
    alike = (logits == others) | (logits.isnan() & others.isnan())
    return bool((alike | ((logits - others).abs() <= tolerance)).all())


def _with_noise(features: Tensor) -> Tensor:
    """Return one image's features, and then these with noise as large as the largest of them."""
    noise = torch.randn(features.shape, generator=torch.Generator().manual_seed(0)).to(features)
    return torch.cat([features, features + noise * (1 + features.abs().max())])


def _is_used(model: nn.Module, image: Tensor, layer: str) -> bool:
    """Say whether there is a path from what the layer gives to the logits."""
    with recorded_output(model, layer) as recording:
        logits = model(image)
        leaf = recording.output_for(image)
        if not logits.requires_grad:
            return False
        (gradient,) = torch.autograd.grad(logits.sum(), leaf, allow_unused=True)
    return gradient is not None


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
