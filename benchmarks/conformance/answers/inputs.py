"""What a method must say where the toys do not ask: undefined signs, odd targets, and two threads."""

from collections.abc import Iterator
from functools import partial
from threading import Thread

import torch
from torch import Tensor, nn

from heatmark.benchmarks.conformance.answers.answer import holds
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.toy import TOY_LAYERS, toy_layer
from heatmark.common.model_state import observing
from heatmark.methods.ablation_cam import AblationCAM
from heatmark.methods.eigen_cam import EigenCAM, first_component
from heatmark.methods.grad_cam import GradCAM

PATIENCE = 0.1
"""Seconds for a thread that does not wait to come through; one that waits is never late."""


def input_answers() -> Iterator[Finding]:
    """Yield whether methods say NaN, wait and refuse where they must."""
    yield _sign()
    yield _threads()
    yield _lent_weights()
    yield _repeated()
    yield _cancelling_channel()
    yield _integers()


def _sign() -> Finding:
    """After a layer norm without shifts, the sign of Eigen-CAM is rounding."""
    A = torch.randn(20, 24, 4, 5, generator=torch.Generator().manual_seed(0))
    normed = nn.functional.layer_norm(A.movedim(1, -1), (24,)).movedim(-1, 1)
    given = int((~first_component(normed).isnan()).any(dim=(1, 2)).sum())
    name = EigenCAM.__name__
    return holds(name, "sign_of_rounding", f"{given} of 20 maps have a sign that rounding decides" if given else "")


class _Squares(nn.Module):
    """One logit, the mean square of all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MaxPool2d(1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layer(images).square().mean(dim=(1, 2, 3))[:, None]
        return logits


def _cancelling_channel() -> Finding:
    """A channel of sum 0 is not silent: of channels (1, −1), (1, 0) and (0, 0), w = ⅔, ⅓, 0 and L = (1, 0)."""
    image = torch.tensor([[1.0, -1], [1, 0], [0, 0]]).view(1, 3, 1, 2)
    found = AblationCAM()(_Squares(), image, torch.tensor([0]), "layer")[0, 0]
    right = torch.allclose(found, torch.tensor([1.0, 0]))
    return holds("AblationCAM", "cancelling_channel", "" if right else f"got {found.tolist()}, right is [1, 0]")


def _integers() -> Finding:
    """Targets of eight bits are the classes that they name, not a mask."""
    checked, method = toy_layer(TOY_LAYERS[0]), AblationCAM()
    explain = partial(method, checked.module, checked.images, layer=checked.layer)
    same = torch.equal(explain(targets=checked.targets), explain(targets=checked.targets.to(torch.uint8)))
    return holds("AblationCAM", "eight_bit_targets", "" if same else "targets of another type give another map")


def _threads() -> Finding:
    """While one thread explains a network, another one waits."""
    checked = toy_layer(TOY_LAYERS[0])
    maps: list[Tensor] = []

    def explain() -> None:
        maps.append(GradCAM()(checked.module, checked.images, checked.targets, checked.layer))

    thread = Thread(target=explain, daemon=True)
    with observing(checked.module):
        thread.start()
        thread.join(PATIENCE)
        early = bool(maps)
    thread.join()
    return holds("observing", "two_threads", "a second thread explains the network meanwhile" if early else "")


def _lent_weights() -> Finding:
    """A network made in inference mode has its own weights back."""
    with torch.inference_mode():
        model = nn.Linear(2, 2)
    before = list(model.parameters())
    with observing(model):
        pass
    same = all(now is then for now, then in zip(model.parameters(), before, strict=True))
    return holds("observing", "inference_weights", "" if same else "the network is left with copies of its weights")


class _Twice(nn.Module):
    """One convolution that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.conv(self.conv(images)).mean(dim=(2, 3))
        return logits


def _repeated() -> Finding:
    """A layer that runs twice has no one output."""
    for method in (GradCAM(), EigenCAM(), AblationCAM()):
        try:
            method(_Twice(), torch.ones(1, 3, 4, 4), torch.tensor([0]), "conv")
        except ValueError:
            continue
        return holds(type(method).__name__, "layer_that_runs_twice", "it is explained by one of its two outputs")
    return holds("Recording", "layer_that_runs_twice", "")
