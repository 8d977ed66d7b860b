"""Tests that resizing keeps constant maps constant and NaN in place."""

import pytest
import torch
from torch.nn import functional as F

from heatmark.benchmarks.sweep.degenerate import tied_share
from heatmark.common.resize import upsample


@pytest.mark.parametrize("value", [0.1, 1 / 3, 3.7, -0.7311, 0.0])
@pytest.mark.parametrize(("side", "size"), [(8, 64), (7, 224), (13, 50)])
def test_a_constant_map_stays_constant_to_the_bit(value: float, side: int, size: int) -> None:
    maps = torch.stack([torch.full((side, side), value), torch.rand(side, side)])
    resized = upsample(maps, (size, size))
    assert (resized[0] == maps[0, 0, 0]).all()
    expected = F.interpolate(maps[1:, None], (size, size), mode="bilinear", align_corners=False)[0, 0]
    assert torch.equal(resized[1], expected)


def test_a_nan_stays_where_it_is() -> None:
    maps = torch.full((1, 4, 4), torch.nan)
    maps[0, 0, 0] = 1.0
    assert upsample(maps, (8, 8)).isnan().any()
    assert tied_share(upsample(maps, (8, 8))).isnan().all()
