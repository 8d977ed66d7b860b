"""Tests of the baselines: blur, mean colour and zero."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from heatmark.common.baselines import blur, find_baseline, image_minimum, mean, zero


def rise_blur(images):
    """RISE's own code (gkern and the blur of its evaluation notebook), with its dense 3-to-3 convolution."""
    klen, nsig = 11, 5
    inp = np.zeros((klen, klen))
    inp[klen // 2, klen // 2] = 1
    k = gaussian_filter(inp, nsig)
    kern = np.zeros((3, 3, klen, klen))
    kern[0, 0] = kern[1, 1] = kern[2, 2] = k
    return torch.nn.functional.conv2d(images, torch.from_numpy(kern.astype("float32")), padding=klen // 2)


def test_blur_is_rises():
    images = torch.randn(2, 3, 20, 17, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(blur(images), rise_blur(images), atol=1e-6)


def test_blur_keeps_a_constant_inside_and_darkens_the_border():
    blurred = blur(torch.ones(1, 3, 32, 32))
    assert torch.allclose(blurred[..., 5:-5, 5:-5], torch.ones(1), atol=1e-5)
    # A corner sees (6/11)² of a nearly flat kernel: σ = 5 reflected in 11 pixels.
    assert blurred[0, 0, 0, 0].item() == pytest.approx((6 / 11) ** 2, abs=0.03)


def test_mean_is_each_images_own_colour():
    images = torch.zeros(2, 3, 2, 2)
    images[0, 0] = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    images[1, 2] = 5
    expected = torch.zeros(2, 3, 2, 2)
    expected[0, 0], expected[1, 2] = 3, 5
    assert torch.equal(mean(images), expected)


def test_zero_is_zero():
    assert torch.equal(zero(torch.ones(1, 3, 2, 2)), torch.zeros(1, 3, 2, 2))


def test_image_minimum_is_each_images_own_and_stays_it_while_it_is_written_in():
    images = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    fill = image_minimum(images)
    assert fill.flatten(1).unique(dim=1).tolist() == [[images[0].min().item()], [images[1].min().item()]]
    half = torch.where(torch.arange(5) < 2, fill, images)
    assert torch.equal(image_minimum(half), fill)


def test_unknown_baseline_names_the_nearest():
    with pytest.raises(ValueError, match="unknown baseline 'blurr': did you mean blur, blur_15, blur_reflect\\?"):
        find_baseline("blurr")
    with pytest.raises(ValueError, match="expected one of blur, blur_15, blur_reflect, image_minimum, mean, zero"):
        find_baseline("xyzzy!")
