"""Tests of the stages of in-house methods."""

from dataclasses import dataclass

import torch

from heatmark.methods.engine.cam import WeightedCAM
from heatmark.methods.engine.stages import stages_of
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.hires_cam import HiResCAM


@dataclass(frozen=True)
class Own(GradCAM):
    """A gradient CAM with its own ``__call__``, so that its stages cannot come from a capture."""

    def __call__(self, model, images, targets, layer):
        return super().__call__(model, images, targets, layer) + 1


def test_a_weighted_cam_shows_weights_the_signed_map_and_that_after_the_relu(network, batch):
    stages = stages_of(GradCAM(), network("GapLinear"), *batch, "features.4")
    signed = torch.einsum("nc,nchw->nhw", stages.gradients.mean(dim=(2, 3)), stages.activations)
    assert signed.min() < 0
    torch.testing.assert_close(stages.raw, signed)
    torch.testing.assert_close(stages.relu, signed.relu())
    assert issubclass(GradCAM, WeightedCAM)


def test_what_has_no_weights_shows_none_and_what_has_its_own_call_shows_its_map_alone(network, batch):
    hires = stages_of(HiResCAM(), network("GapLinear"), *batch, "features.4")
    assert hires.weights is hires.raw is None
    own = stages_of(Own(), network("GapLinear"), *batch, "features.4")
    assert own.activations is own.weights is None
    torch.testing.assert_close(own.relu, GradCAM()(network("GapLinear"), *batch, "features.4") + 1)
