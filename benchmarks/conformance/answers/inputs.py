"""Known answers of methods on unusual inputs: undefined signs, targets of eight bits, two threads."""

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
"""Seconds in which a thread that fails to wait would finish; a thread that waits passes whatever the clock."""


def input_answers() -> Iterator[Finding]:
    """Yield whether methods give NaN, wait and refuse where they must."""
    yield _sign()
    yield _threads()
    yield _inference_weights()
    yield _repeated()
    yield _cancelling_channel()
    yield _integers()


def _sign() -> Finding:
    """Return whether Eigen-CAM is NaN after a layer norm without shifts, where its sign is rounding."""
    A = torch.randn(20, 24, 4, 5, generator=torch.Generator().manual_seed(0))
    normed = nn.functional.layer_norm(A.movedim(1, -1), (24,)).movedim(-1, 1)
    given = int((~first_component(normed).isnan()).any(dim=(1, 2)).sum())
    name = EigenCAM.__name__
    return holds(name, "sign_of_rounding", f"{given} of 20 maps have a sign that rounding decides" if given else "")


class _Squares(nn.Module):
    """A network of one logit, the mean square of all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MaxPool2d(1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layer(images).square().mean(dim=(1, 2, 3))[:, None]
        return logits


def _cancelling_channel() -> Finding:
    """Return whether a channel of sum 0 counts: channels (1, −1), (1, 0), (0, 0) have w = ⅔, ⅓, 0 and L = (1, 0)."""
    image = torch.tensor([[1.0, -1], [1, 0], [0, 0]]).view(1, 3, 1, 2)
    found = AblationCAM()(_Squares(), image, torch.tensor([0]), "layer")[0, 0]
    right = torch.allclose(found, torch.tensor([1.0, 0]))
    return holds("AblationCAM", "cancelling_channel", "" if right else f"got {found.tolist()}, right is [1, 0]")


def _integers() -> Finding:
    """Return whether targets of eight bits are taken for class numbers, not for a mask."""
    toy, method = toy_layer(TOY_LAYERS[0]), AblationCAM()
    explain = partial(method, toy.module, toy.images, layer=toy.layer)
    same = torch.equal(explain(targets=toy.targets), explain(targets=toy.targets.to(torch.uint8)))
    return holds("AblationCAM", "eight_bit_targets", "" if same else "targets of another type give another map")


def _threads() -> Finding:
    """Return whether a thread waits while another one observes the same network."""
    toy = toy_layer(TOY_LAYERS[0])
    maps: list[Tensor] = []

    def explain() -> None:
        maps.append(GradCAM()(toy.module, toy.images, toy.targets, toy.layer))

    thread = Thread(target=explain, daemon=True)
    with observing(toy.module):
        thread.start()
        thread.join(PATIENCE)
        early = bool(maps)
    thread.join()
    return holds("observing", "two_threads", "a second thread explains the network meanwhile" if early else "")


def _inference_weights() -> Finding:
    """Return whether a network made in inference mode gets its own weights back."""
    with torch.inference_mode():
        model = nn.Linear(2, 2)
    before = list(model.parameters())
    with observing(model):
        pass
    same = all(now is then for now, then in zip(model.parameters(), before, strict=True))
    return holds("observing", "inference_weights", "" if same else "the network is left with copies of its weights")


class _Twice(nn.Module):
    """A network whose one convolution runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.conv(self.conv(images)).mean(dim=(2, 3))
        return logits


def _repeated() -> Finding:
    """Return whether a layer that runs twice, and so has no single output, is refused."""
    for method in (GradCAM(), EigenCAM(), AblationCAM()):
        try:
            method(_Twice(), torch.ones(1, 3, 4, 4), torch.tensor([0]), "conv")
        except ValueError:
            continue
        return holds(type(method).__name__, "layer_that_runs_twice", "it is explained by one of its two outputs")
    return holds("Recording", "layer_that_runs_twice", "")
