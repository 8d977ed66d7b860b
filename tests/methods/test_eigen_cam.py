"""Tests of Eigen-CAM: its values, its sign, and where it is undefined."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heatmark.methods.eigen_cam import EigenCAM, first_component
from heatmark.methods.engine.capture import activations_at


def test_by_hand():
    """O = u vᵀ of rank 1, with u = (1, 2, 2)/3 over places, v = (3, 4)/5 over channels and σ = 15: L = σ u."""
    u, v = torch.tensor([1.0, 2, 2]) / 3, torch.tensor([3.0, 4]) / 5
    A = 15 * v[:, None] * u
    torch.testing.assert_close(first_component(A.reshape(1, 2, 1, 3)), torch.tensor([[[5.0, 10, 10]]]))
    torch.testing.assert_close(first_component(-A.reshape(1, 2, 1, 3)), torch.tensor([[[-5.0, -10, -10]]]))


def test_the_magnitude_is_numpys_and_the_sign_is_the_channel_means(network, batch):
    model, (images, targets) = network("InPlace"), batch
    maps = EigenCAM()(model, images, targets, "features.3")
    for L, A in zip(maps, activations_at(model, images, "features.3"), strict=True):
        places = A.flatten(1).T.numpy()
        _, _, vt = np.linalg.svd(places)
        np.testing.assert_allclose(L.abs().flatten().numpy(), np.abs(places @ vt[0]), rtol=1e-9, atol=1e-12)
        assert (L * A.mean(dim=0)).sum() > 0


def test_after_a_relu_the_map_is_not_negative_and_the_target_plays_no_part(network, batch):
    model, (images, targets) = network("InPlace"), batch
    maps = EigenCAM()(model, images, targets, "features.4")
    assert maps.min() > -1e-12
    assert maps.amax(dim=(1, 2)).min() > 0
    assert torch.equal(maps, EigenCAM()(model, images, 3 - targets, "features.4"))


def test_undefined_is_nan_and_silence_is_zero():
    silent, opposed, broken = (
        torch.zeros(2, 1, 2),
        torch.tensor([[[1.0, 0]], [[-1, 0]]]),
        torch.full((2, 1, 2), torch.inf),
    )
    fine = torch.tensor([[[1.0, 0]], [[1, 0]]])
    maps = first_component(torch.stack([silent, opposed, broken, fine]))
    assert maps[0].tolist() == [[0, 0]]
    assert maps[1].isnan().all()
    assert maps[2].isnan().all()
    torch.testing.assert_close(maps[3], torch.tensor([[2**0.5, 0]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shift", [0, 3])
def test_a_sign_that_rounding_decides_is_nan(dtype, shift):
    """After a layer norm without bias the channels' mean is 0 within rounding, in each of 50 images."""
    A = torch.randn(50, 24, 4, 5, generator=torch.Generator().manual_seed(0), dtype=dtype)
    normed = torch.nn.functional.layer_norm((A + shift).movedim(1, -1), (24,)).movedim(-1, 1)
    assert first_component(normed).isnan().all()
    assert first_component(normed + 0.01).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_decomposed_in_single(dtype):
    A = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    maps = first_component(A)
    assert maps.dtype == dtype
    torch.testing.assert_close(maps.float(), first_component(A.float()), rtol=1e-2, atol=1e-2)


@given(seed=st.integers(0, 2**31), factor=st.floats(0.01, 100))
def test_scaling_the_activations_scales_the_map_and_rotating_channels_keeps_its_size(seed, factor):
    generator = torch.Generator().manual_seed(seed)
    A = torch.rand(1, 4, 3, 5, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(first_component(factor * A), factor * first_component(A))
    turn = torch.linalg.qr(torch.randn(4, 4, generator=generator, dtype=torch.float64))[0]
    turned = torch.einsum("dc,nchw->ndhw", turn, A)
    torch.testing.assert_close(first_component(turned).abs(), first_component(A).abs(), rtol=1e-6, atol=1e-8)
