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


def interpolated(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """As Score-CAM, RISE and the fusion of layers each wrote it."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(8, 6), (7, 7), (56, 48), (31, 65)])
def test_no_bit_of_a_map_that_varies_differs_from_the_operation(dtype: torch.dtype, size: tuple[int, int]) -> None:
    maps = torch.randn(5, 8, 6, dtype=dtype, generator=torch.Generator().manual_seed(1))
    assert torch.equal(upsample(maps, size), interpolated(maps, size))
    grids = (maps > 0).float()
    assert torch.equal(upsample(grids, size), interpolated(grids, size))


def test_the_result_is_float32_or_better() -> None:
    for given, expected in ((torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.float64,) * 2):
        maps = torch.rand(1, 2, 2).to(given)
        assert upsample(maps, (4, 4)).dtype == upsample(maps, (2, 2)).dtype == expected
        assert torch.equal(upsample(maps, (4, 4)), upsample(maps.to(expected), (4, 4)))
