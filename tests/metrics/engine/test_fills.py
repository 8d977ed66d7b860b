"""Tests of the fills that depend on the normalisation, are drawn, or reflect borders."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from heatmark.common.baselines import blur, blur_15, blur_reflect
from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.fills import fill_images
from heatmark.metrics.engine.pixel_path import PixelPath

Make = Callable[..., Explained]
NORMALISATION = (torch.tensor([0.5, 0.25, 0.4]), torch.tensor([0.5, 0.5, 0.2]))


@pytest.fixture
def batch(additive: Callable[[Tensor], nn.Module], make_batch: Make) -> Explained:
    images = torch.randn(3, 3, 20, 18, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(20, 18, generator=torch.Generator().manual_seed(1)) / 360
    return replace(make_batch(additive(weights), images, images[:, 0]), normalisation=NORMALISATION)


def test_black_is_the_colour_0(batch: Explained) -> None:
    black = fill_images(batch, "black", 0)
    assert black[2, :, 5, 5].tolist() == pytest.approx([-1.0, -0.5, -2.0])
    assert black.flatten(2).std(dim=2).max() == 0


@pytest.mark.parametrize("name", ["black", "uniform"])
def test_a_fill_of_colours_needs_the_normalisation(batch: Explained, name: str) -> None:
    with pytest.raises(ValueError, match=f"baseline '{name}' needs the normalisation"):
        fill_images(replace(batch, normalisation=None), name, 0)


def test_uniform_fills_the_colours_and_normal_the_normalised_space(batch: Explained) -> None:
    mean, deviation = (each.view(3, 1, 1) for each in NORMALISATION)
    colours = fill_images(batch, "uniform", 0) * deviation + mean
    assert 0 <= colours.min() < 0.01
    assert 0.99 < colours.max() <= 1
    assert colours.mean().item() == pytest.approx(0.5, abs=0.02)
    noise = fill_images(batch, "normal", 0)
    assert (noise.mean().item(), noise.std().item()) == pytest.approx((0, 1), abs=0.05)


@pytest.mark.parametrize("name", ["uniform", "normal"])
def test_noise_is_the_images_and_the_seeds_alone(batch: Explained, name: str) -> None:
    drawn = fill_images(batch, name, 0)
    assert torch.equal(fill_images(replace(batch, images=batch.images.flip(0)), name, 0).flip(0), drawn)
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(fill_images(batch, name, 1), drawn)


def test_noise_is_drawn_once_and_not_per_step(batch: Explained) -> None:
    """Curves of K and 2K steps share points, which a fill drawn anew per step would move."""
    few, many = (PixelPath(steps=steps, fill="uniform", ties="raster").curve(batch) for steps in (5, 10))
    assert torch.equal(few.y, many.y[:, ::2])


def test_the_seed_of_a_fill_counts_where_it_is_drawn() -> None:
    assert PixelPath(fill="zero", fill_seed=3) == PixelPath(fill="zero")
    assert PixelPath(fill="normal", fill_seed=3) != PixelPath(fill="normal")
    assert Deletion(ties="raster", seed=3).seed == 0
    assert Deletion(ties="raster", seed=3, baseline="normal").seed == 3
    bounds = Deletion(ties="drawn", seed=3, baseline="normal", tie_orders=2).bounds
    assert {path.fill_seed for path in bounds} == {3}  # bounds over orders of ties keep the fill


def test_reflecting_blurs_keep_a_constant_picture_to_its_borders() -> None:
    white = torch.ones(1, 3, 24, 20)
    assert torch.allclose(blur_15(white), white, atol=1e-6)
    inside, border = blur_reflect(white)[0, 0, 12, 10], blur_reflect(white)[0, 0, 0, 0]
    assert border.item() == pytest.approx(inside.item(), abs=1e-6)
    assert blur(white)[0, 0, 0, 0] < 0.4  # zero padding darkens a corner
    picture = torch.randn(1, 3, 24, 20, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(blur_reflect(picture)[..., 5:-5, 5:-5], blur(picture)[..., 5:-5, 5:-5], atol=1e-6)


def test_blur_15_is_torchvisions() -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    picture = torch.randn(2, 3, 24, 20, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(blur_15(picture), transforms.GaussianBlur(15, 5.0)(picture), atol=1e-6)


def test_a_picture_too_small_to_reflect_is_refused() -> None:
    with pytest.raises(ValueError, match="too small to reflect 7 at the border"):
        blur_15(torch.zeros(1, 3, 7, 30))
