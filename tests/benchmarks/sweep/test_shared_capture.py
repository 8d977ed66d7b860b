"""Tests of maps in the sweep: those of the methods alone on the same batches, to the bit, whoever else shares."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from heatmark.benchmarks.sweep.cells import cells
from heatmark.benchmarks.sweep.maps import Batch, explained
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.common.batching import padded
from heatmark.methods.base import Method
from heatmark.methods.eigen_cam import EigenCAM
from heatmark.methods.engine.capture import Capture
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.grad_cam_pp import GradCAMPlusPlus
from heatmark.methods.hires_cam import HiResCAM
from heatmark.methods.layer_cam import LayerCAM
from heatmark.methods.score_cam import ScoreCAM
from tests.benchmarks.sweep.toys import PLAIN, classifier, toys

SIZE = 3
IMAGES = torch.stack([PLAIN.image(sample.image) for sample in toys(7)])
TARGETS = torch.tensor([0, 1, 2, 3, 3, 2, 0])
RUN = RunSettings(torch.device("cpu"), "fp32", SIZE)


@dataclass(frozen=True)
class Raising(GradCAM):
    """A CAM that raises on a capture in which the fifth picture is explained."""

    def relevance(self, c: Capture) -> Tensor:
        if any(torch.equal(one, fifth()) for one in c.activations):
            raise KeyError("not this one")
        return super().relevance(c)


def fifth() -> Tensor:
    with torch.no_grad():
        return classifier().module[0](padded(IMAGES[4:5], SIZE))[0]


def alone(method: Method, layer: str) -> list[Tensor]:
    model, parts = classifier().module, range(0, len(IMAGES), SIZE)
    batches = [(padded(IMAGES[i : i + SIZE], SIZE), padded(TARGETS[i : i + SIZE], SIZE)) for i in parts]
    return list(torch.cat([method(model, images, targets, layer) for images, targets in batches])[: len(IMAGES)])


@pytest.mark.parametrize("layer", ["0", "1"])
def test_maps_are_those_of_the_methods_alone_to_the_bit_also_beside_one_that_raises(layer: str) -> None:
    methods: dict[str, Method] = {
        "grad_cam": GradCAM(), "grad_cam_pp": GradCAMPlusPlus(), "hires_cam": HiResCAM(), "layer_cam": LayerCAM(),
        "eigen_cam": EigenCAM(), "score_cam": ScoreCAM(batch_size=SIZE),
    }  # fmt: skip
    every = list(cells({**methods, "raising": Raising()}, [layer], "k"))
    found = explained(every, classifier(), Batch(IMAGES, TARGETS), range(len(IMAGES)), RUN)
    for cell in every[:-1]:
        maps, reasons = found[cell.key]
        assert not reasons
        expected = alone(methods[cell.method_name], layer)
        assert all(torch.equal(maps[i].nan_to_num(7), expected[i].nan_to_num(7)) for i in range(len(IMAGES)))
    if layer == "0":
        maps, reasons = found[every[-1].key]
        assert list(reasons) == [4]
        assert sorted(maps) == [0, 1, 2, 3, 5, 6]


@dataclass(frozen=True)
class Reversed(GradCAM):
    """A CAM that changes what its base class returns, in a call of its own."""

    def __call__(self, model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
        return -super().__call__(model, images, targets, layer)


def test_a_subclass_with_a_call_of_its_own_is_called() -> None:
    every = list(cells({"grad_cam": GradCAM(), "layer_cam": LayerCAM(), "reversed": Reversed()}, ["0"], "k"))
    found = explained(every, classifier(), Batch(IMAGES, TARGETS), range(len(IMAGES)), RUN)
    plain, other = (found[every[n].key][0] for n in (0, 2))
    assert all(torch.equal(other[i], -plain[i]) for i in range(len(IMAGES)))
    assert any(plain[i].any() for i in range(len(IMAGES)))
