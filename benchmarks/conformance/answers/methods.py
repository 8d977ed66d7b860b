"""Known answers of methods: undefined maps, independence of the model's state, and runs that bypass a layer."""

from collections.abc import Callable, Iterator
from math import inf, nan

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.answers.answer import answer, holds
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.common.model_state import observing
from heatmark.common.probabilities import target_probabilities
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.eigen_cam import first_component
from heatmark.methods.engine.capture import Capture, activations_at, capture
from heatmark.methods.external.preserved import preserved, seed_all
from heatmark.methods.fusion import unit_range
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.xgrad_cam import XGradCAM

TARGETS = torch.tensor([2, 0])


def method_answers() -> Iterator[Finding]:
    """Yield the answers of all parts."""
    for ask in (_undefined, _precision, _state, _replays, _passed_by, _seeds):
        yield from ask()


def _images() -> Tensor:
    return torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(1))


def _net(*parts: nn.Module) -> nn.Sequential:
    """Return a network of the parts, which give 5 channels, and a linear head of known weights."""
    head = nn.Linear(5, 3, bias=False)
    head.weight.data = torch.linspace(-1, 1, 15).view(3, 5).sin()
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()


def _conv() -> nn.Conv2d:
    conv = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    conv.weight.data = torch.linspace(-2, 3, 135).view(5, 3, 3, 3).sin()
    return conv


def _undefined() -> Iterator[Finding]:
    """Yield whether maps without a value are NaN."""
    cancelling = torch.tensor([[[[1.0, -1.0]]]])
    xgrad = XGradCAM().relevance(Capture(cancelling, torch.tensor([[[[1.0, 3.0]]]]), torch.zeros(1, 2)))
    endless = first_component(torch.tensor([[[[1.0, inf]], [[2.0, 1.0]]]]))
    for subject, maps in (
        ("xgrad_cam", xgrad),
        ("eigen_cam", endless),
        ("fusion", unit_range(torch.full((1, 2, 2), 3.0))),
    ):
        yield answer(subject, "undefined", float(maps.flatten()[0]), nan)


class _Half(nn.Module):
    """A network with constant logits in half precision."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.tensor([[0.0, 3.0]]).half().expand(len(images), 2)


def _precision() -> Iterator[Finding]:
    """Yield the probability of half-precision logits, 1 / (1 + e³), which half precision rounds to three digits."""
    half = float(target_probabilities(_Half(), _images()[:1], torch.tensor([0])))
    yield answer("scoring", "half_precision", half, float(torch.tensor(-3.0).double().sigmoid()), 1e-7)


def _state() -> Iterator[Finding]:
    """Yield whether training mode, inference mode and torch's fast path change no map and are restored."""
    images, model = _images(), _net(_conv(), nn.Dropout(0.5))
    right = capture(model, images, TARGETS, "1").activations
    same = torch.equal(capture(model.train(), images, TARGETS, "1").activations, right)
    yield holds("capture", "training_mode", "" if same else "dropout changes the activations of a model in training")
    with torch.inference_mode():
        made = _net(_conv())
    yield from _runs("inference_weights", lambda: GradCAM()(made, images, TARGETS, "0"))
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(True)
    with observing(model):
        pass
    left_off = not torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(before)
    yield holds("model_state", "fast_path", "torch's fast path for transformers is left off" if left_off else "")


def _runs(check: str, run: Callable[[], Tensor]) -> Iterator[Finding]:
    try:
        wrong = "" if run().isfinite().all() else "the map is not finite"
    except RuntimeError as error:
        wrong = f"it crashes: {error}"
    yield holds("capture", check, wrong)


class _Written(nn.Module):
    """A block that overwrites its part's input after the part has run, so that only a whole run repeats it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.part = _conv(), nn.Conv2d(5, 5, 1, bias=False)
        self.part.weight.data = torch.linspace(1, 5, 25).view(5, 5, 1, 1).cos()

    def forward(self, images: Tensor) -> Tensor:
        stem = self.stem(images)
        part = self.part(stem)
        mixed: Tensor = stem.mul_(part.sigmoid()) + part
        return mixed


def _replays() -> Iterator[Finding]:
    """Yield Ablation-CAM's map, compared with one whole run per channel, where nothing may be replayed."""
    model, images = _net(_Written()), _images()
    maps = AblationCAM()(model, images, TARGETS, "0.part")
    activations = activations_at(model, images, "0.part")
    with torch.no_grad():
        y = model(images).gather(1, TARGETS[:, None])
        without = torch.cat([_without(model, images, channel) for channel in range(5)], dim=1)
    right = torch.einsum("nc,nchw->nhw", (y - without) / y, activations).relu()
    gap = float((maps - right).abs().max() / right.max())
    yield answer("ablation_cam", "overwritten", gap, 0.0, 1e-4)


def _without(model: nn.Sequential, images: Tensor, channel: int) -> Tensor:
    """Return the targets' logits (N, 1) with one channel of the part set to 0."""

    def ablate(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        ablated = output.clone()
        ablated[:, channel] = 0
        return ablated

    handle = model.get_submodule("0.part").register_forward_hook(ablate)
    try:
        logits: Tensor = model(images)
        return logits.gather(1, TARGETS[:, None])
    finally:
        handle.remove()


class _Bypassing(nn.Module):
    """A block that runs its part in the first calls only (if ``hooked``, only with hooks on it), then bypasses it."""

    def __init__(self, calls: int, hooked: bool = False) -> None:
        super().__init__()
        self.part, self.left, self.hooked = _conv(), calls, hooked

    def forward(self, images: Tensor) -> Tensor:
        self.left -= 1
        if self.left >= 0 and (self.part._forward_hooks or not self.hooked):
            given: Tensor = self.part(images)
            return given
        return nn.functional.conv2d(images, self.part.weight, padding=1)


class _Remembering(nn.Module):
    """A block that runs its part and uses the part's first output ever after, so that other features change nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.kept = _conv(), torch.zeros(0)

    def forward(self, images: Tensor) -> Tensor:
        given: Tensor = self.part(images)
        self.kept = given[:1] if not len(self.kept) else self.kept
        return given if self.part._forward_hooks else self.kept.expand_as(given)


class _Unused(nn.Module):
    """A block that runs its part and ignores the part's output."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.part = _conv(), _conv()

    def forward(self, images: Tensor) -> Tensor:
        self.part(images)
        main: Tensor = self.main(images)
        return main


def _passed_by() -> Iterator[Finding]:
    """Yield whether Ablation-CAM refuses a layer that a later run bypasses, be it the next one or another."""
    for check, block, reason in (
        ("passed_by_when_run_again", _Bypassing(1, hooked=True), "passes it by"),
        ("passed_by_after_the_trial", _Bypassing(3), "passed a module by"),
        ("unused_layer", _Unused(), "do not depend on"),
    ):
        try:
            maps = AblationCAM()(_net(block), _images(), TARGETS, "0.part")
            wrong = f"it was not refused, and its map's largest value is {float(maps.max()):.3g}"
        except ValueError as error:
            wrong = "" if reason in str(error) else f"refused for another reason: {error}"
        yield holds("ablation_cam", check, wrong)
    right = AblationCAM()(_net(_conv()), _images()[:1], TARGETS[:1], "0")
    maps = AblationCAM()(_net(_Remembering()), _images()[:1], TARGETS[:1], "0.part")
    yield answer("ablation_cam", "remembered_features", float((maps - right).abs().max()), 0.0, 1e-5)


def _seeds() -> Iterator[Finding]:
    """Yield whether random numbers that libraries draw depend on the image and the seed alone."""
    images, drawn = _images(), []
    with preserved(nn.Identity()):
        for image, seed in ((0, 5), (1, 5), (0, 6), (0, 5)):
            seed_all(images[image : image + 1], seed)
            drawn.append(float(torch.rand(())))
    wrong = "" if drawn[0] == drawn[3] and len(set(drawn)) == 3 else f"drawn were {drawn}"
    yield holds("lending", "seeds", wrong)
