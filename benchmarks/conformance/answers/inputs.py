"""What a method must say where the toys do not ask: undefined signs, odd targets, and two threads."""

from collections.abc import Iterator
from functools import partial
from threading import Thread

import torch
from torch import Tensor, nn

from benchmarks.conformance.answers.answer import holds
from benchmarks.conformance.findings import Finding
from benchmarks.conformance.toy import TOY_LAYERS, toy_cell
from methods.ablation_cam import AblationCAM
from methods.capture import layer_arrangement
from methods.eigen_cam import EigenCAM, first_component
from methods.grad_cam import GradCAM
from methods.pristine import observing

PATIENCE = 0.1
"""Seconds for a thread that does not wait to come through; one that waits is never late."""


def input_answers() -> Iterator[Finding]:
    """Yield whether methods say NaN, wait and refuse where they must."""
    yield _sign()
    yield _threads()
    yield _chance()
    yield _integers()


def _sign() -> Finding:
    """After a layer norm without shifts, the sign of Eigen-CAM is rounding."""
    A = torch.randn(20, 24, 4, 5, generator=torch.Generator().manual_seed(0))
    normed = nn.functional.layer_norm(A.movedim(1, -1), (24,)).movedim(-1, 1)
    given = int((~first_component(normed).isnan()).any(dim=(1, 2)).sum())
    name = EigenCAM.__name__
    return holds(name, "sign_of_rounding", f"{given} of 20 maps have a sign that rounding decides" if given else "")


def _integers() -> Finding:
    """Targets of eight bits are the classes that they name, not a mask."""
    cell, method = toy_cell(TOY_LAYERS[0]), AblationCAM()
    explain = partial(method, cell.module, cell.images, layer=cell.layer)
    same = torch.equal(explain(targets=cell.targets), explain(targets=cell.targets.to(torch.uint8)))
    return holds("AblationCAM", "eight_bit_targets", "" if same else "targets of another type give another map")


def _threads() -> Finding:
    """While one thread explains a network, another one waits."""
    cell = toy_cell(TOY_LAYERS[0])
    maps: list[Tensor] = []

    def explain() -> None:
        maps.append(GradCAM()(cell.module, cell.images, cell.targets, cell.layer))

    thread = Thread(target=explain, daemon=True)
    with observing(cell.module):
        thread.start()
        thread.join(PATIENCE)
        early = bool(maps)
    thread.join()
    return holds("observing", "two_threads", "a second thread explains the network meanwhile" if early else "")


class _Scrambled(nn.Module):
    """Tokens (N, 14, 10) of which each number hangs on all of the picture, so that no reading is right."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.weights = torch.randn(3 * 12 * 12, 14 * 10, generator=torch.Generator().manual_seed(seed))

    def forward(self, images: Tensor) -> Tensor:
        return (images.flatten(1) @ self.weights).view(-1, 14, 10)


def _chance() -> Finding:
    """A reading that follows one draw of noise by chance is none."""
    model, images = nn.Sequential(_Scrambled(167)), torch.zeros(1, 3, 12, 12)
    try:
        found = layer_arrangement(model, "0", model(images), images)
    except ValueError:
        return holds("trace", "chance", "")
    return holds("trace", "chance", f"what lies nowhere is read as {found}")
