"""Profiles of libraries: from one raw map, the output that each library gives."""

import numpy as np
import pytest
import torch

from heatmark.benchmarks.conformance import profiles
from heatmark.common.resize import upsample
from heatmark.methods.engine.stages import Stages
from heatmark.methods.external import stages_torchcam

RAW = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
COARSE = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
SIZE = (40, 63)


def library_maps(raws, target_size=(SIZE[1], SIZE[0])):
    """The output of pytorch-grad-cam's own pipeline, from raw maps of several layers."""
    from pytorch_grad_cam.base_cam import BaseCAM
    from pytorch_grad_cam.utils.image import scale_cam_image

    layers = [scale_cam_image(np.maximum(raw.numpy(), 0), target_size)[:, None] for raw in raws]
    return torch.from_numpy(BaseCAM.aggregate_multi_layers(None, layers))


@pytest.mark.parametrize("raws", [[RAW], [COARSE], [RAW, COARSE]], ids=["fine", "coarse", "fused"])
def test_one_raw_map_gives_pytorch_grad_cams_output(raws):
    torch.testing.assert_close(profiles.pytorch_grad_cam(raws, SIZE), library_maps(raws), rtol=0, atol=3e-6)


def test_one_raw_map_gives_captums_output():
    from captum.attr import LayerAttribution

    theirs = LayerAttribution.interpolate(RAW[:, None].relu(), SIZE)[:, 0]
    assert torch.equal(profiles.captum([RAW], SIZE), theirs)
    signed = LayerAttribution.interpolate(RAW[:, None], SIZE, interpolate_mode="bilinear")[:, 0]
    assert torch.equal(profiles.relu_after_resizing([RAW], SIZE), signed.relu())


@pytest.mark.skipif(not stages_torchcam.installed(), reason="torch-cam is not installed")
def test_one_raw_map_gives_torchcams_output():
    from torchcam.methods import GradCAM

    scaled = [GradCAM._normalize(raw.relu()) for raw in (RAW, COARSE)]
    torch.testing.assert_close(profiles.torchcam([RAW], SIZE), scaled[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(profiles.torchcam([RAW, COARSE], SIZE), GradCAM.fuse_cams(scaled), rtol=0, atol=1e-6)


def test_opencvs_linear_is_bilinear_with_align_corners_false():
    import cv2

    theirs = torch.from_numpy(np.stack([cv2.resize(m.numpy(), (SIZE[1], SIZE[0])) for m in RAW]))
    largest = float(RAW.abs().max())
    assert (upsample(RAW, SIZE) - theirs).abs().max() < 1e-6 * largest
    assert (profiles.nearest(RAW, SIZE) - theirs).abs().max() > 0.5 * largest
    assert (profiles.corners_aligned(RAW, SIZE) - theirs).abs().max() > 0.2 * largest


def test_min_max_by_hand():
    maps = torch.tensor([[[1.0, 2.0], [3.0, 5.0]], [[4.0, 4.0], [4.0, 4.0]]])
    scaled = profiles.min_max(maps)
    assert scaled[0].tolist() == [[0.0, 0.25], [0.5, 1.0]]
    assert scaled[1].isnan().all()
    assert profiles.min_max(maps, eps=4.0)[0].tolist() == [[0.0, 0.125], [0.25, 0.5]]
    assert (profiles.min_max(maps, eps=1e-7)[1] == 0).all()


def test_layers_are_fused_by_mean_or_largest():
    a, b = torch.tensor([[[1.0, 4.0]]]), torch.tensor([[[3.0, 2.0]]])
    assert profiles.mean_of_layers([a, b]).tolist() == [[[2.0, 3.0]]]
    assert profiles.largest_of_layers([a, b]).tolist() == [[[3.0, 4.0]]]


def test_the_relu_goes_first_or_last_and_it_matters():
    raw = torch.tensor([[[-1.0, 1.0]]])
    assert upsample(raw.relu(), (1, 4)).tolist() == [[[0.0, 0.25, 0.75, 1.0]]]
    assert profiles.relu_after_resizing([raw], (1, 4)).tolist() == [[[0.0, 0.0, 0.5, 1.0]]]


def test_shown_fills_in_the_last_two_stages():
    stages = profiles.shown(Stages(relu=torch.tensor([[[0.0, 2.0]]])), (1, 4))
    assert stages.resized.tolist() == [[[0.0, 0.5, 1.5, 2.0]]]
    assert stages.normalised.tolist() == [[[0.0, 0.25, 0.75, 1.0]]]
    assert profiles.shown(Stages(), (1, 4)) == Stages()
