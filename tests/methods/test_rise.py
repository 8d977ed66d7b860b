"""Tests of RISE: its values, its masks and its memory."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from heatmark.methods.rise import RISE, place


def plain_rise(model, image, target, method):
    """The definition of the paper, one mask at a time."""
    height, width = image.shape[1:]
    generator = torch.Generator().manual_seed(method.seed)
    grids = torch.rand(method.masks, method.cells, method.cells, generator=generator) < method.probability
    offsets = torch.rand(method.masks, 2, generator=generator)
    cell_h, cell_w = -(-height // method.cells), -(-width // method.cells)
    size = ((method.cells + 1) * cell_h, (method.cells + 1) * cell_w)
    saliency = torch.zeros(height, width, dtype=image.dtype)
    for grid, (down, across) in zip(grids, offsets, strict=True):
        y, x = int(down * cell_h), int(across * cell_w)
        up = F.interpolate(grid[None, None].float(), size=size, mode="bilinear", align_corners=False)[0, 0]
        mask = up[y : y + height, x : x + width].to(image)
        with torch.no_grad():
            saliency += model((image * mask)[None]).softmax(dim=1)[0, target] * mask
    return saliency / (method.masks * method.probability)


@pytest.mark.parametrize("method", [RISE(masks=50, cells=3), RISE(masks=33, cells=5, probability=0.2, seed=7)])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_a_plain_loop_gives_the_same(network, batch, method, batch_size):
    model, (images, targets) = network("InPlace"), batch
    maps = RISE(method.masks, method.cells, method.probability, method.seed, batch_size)(
        model, images, targets, "input"
    )
    truth = torch.stack([plain_rise(model, image, t, method) for image, t in zip(images, targets, strict=True)])
    assert maps.shape == (3, 12, 16)
    torch.testing.assert_close(maps, truth, rtol=1e-9, atol=1e-12)


class Constant(nn.Module):
    def forward(self, x):
        return torch.zeros(len(x), 4) + 0 * x.sum()


def test_the_masks_expect_their_probability_so_a_constant_model_gives_a_flat_map():
    """E[M] = p at every pixel: S → 1/4 whatever p is, with a standard error of 0.25·√((1−p)/(p n)) at most."""
    for probability in (0.5, 0.1):
        maps = RISE(masks=4000, cells=4, probability=probability)(
            Constant(), torch.ones(1, 3, 8, 12), torch.tensor([0]), ""
        )
        error = 0.25 * ((1 - probability) / probability / 4000) ** 0.5
        assert (maps - 0.25).abs().max() < 5 * error


def test_a_model_that_looks_at_one_pixel_is_found_out():
    class OnePixel(nn.Module):
        def forward(self, x):
            return torch.stack([10 * x[:, 0, 3, 9] - 5, torch.zeros(len(x))], dim=1)

    maps = RISE(masks=500, cells=4)(OnePixel(), torch.ones(1, 3, 12, 16), torch.tensor([0]), "input")
    y, x = divmod(int(maps[0].argmax()), 16)
    assert abs(y - 3) <= 1
    assert abs(x - 9) <= 2


def test_masks_come_from_the_seed_alone(network, batch):
    model, (images, targets) = network("GapLinear"), batch
    explain = lambda seed: RISE(masks=20, cells=3, seed=seed)(model, images, targets, "input")  # noqa: E731
    torch.manual_seed(5)
    first = explain(0)
    torch.manual_seed(6)
    assert torch.equal(first, explain(0))
    assert not torch.equal(first, explain(1))


def test_a_placed_mask_is_its_cell_inside_and_starts_at_the_offset():
    grids = torch.tensor([[1.0, 0], [1, 0]]).bool().repeat(2, 1, 1).transpose(1, 2)
    masks = place(grids, torch.tensor([[0.0, 0], [0.99, 0]]), (8, 8))
    assert masks.shape == (2, 8, 8)
    down = torch.tensor([12, 12, 12, 11, 9, 7, 5, 3, 1, 0, 0, 0]) / 12  # 2 cells on 3 · 4 rows, by hand
    torch.testing.assert_close(masks[0], down[:8, None].expand(8, 8))
    torch.testing.assert_close(masks[1], down[3:11, None].expand(8, 8))


def test_memory_is_flat_in_the_masks(network, batch):
    model, sizes = network("GapLinear"), []
    model.register_forward_pre_hook(lambda _m, inputs: sizes.append(len(inputs[0])))
    RISE(masks=30, cells=3, batch_size=8)(model, *batch, "input")
    assert max(sizes) == 8


@pytest.mark.parametrize("options", [{"masks": 0}, {"cells": 0}, {"probability": 0.0}, {"probability": 1.5}])
def test_options_that_make_no_masks_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        RISE(**options)
