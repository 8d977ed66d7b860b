"""Tests of degenerate maps: what is wrong with each, and the share of tied pixels."""

import torch

from heatmark.benchmarks.sweep.degenerate import degeneracies, tied_share
from heatmark.common.resize import upsample


def test_names_what_is_wrong_with_each_map() -> None:
    good = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    maps = torch.stack(
        [
            good,
            torch.zeros(2, 2),
            torch.full((2, 2), 3.0),
            torch.tensor([[1.0, float("nan")], [0.0, 2.0]]),
            torch.tensor([[1.0, float("inf")], [0.0, 2.0]]),
            torch.tensor([[0.0, 0.0], [0.0, 2.0]]),
        ]
    )
    assert degeneracies(maps) == ["", "all zero", "constant", "not finite", "not finite", "mostly tied"]


def test_the_share_of_ties_counts_pixels_that_share_their_value() -> None:
    maps = torch.tensor(
        [
            [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
            [[1.0, 2.0, 1.0], [2.0, 5.0, 6.0]],  # two pairs of six pixels
            [[0.0, -0.0, 3.0], [0.0, 5.0, 6.0]],
            [[7.0, 7.0, 7.0], [7.0, 7.0, 7.0]],
            [[1.0, float("nan"), 1.0], [1.0, 1.0, 1.0]],
            [[float("inf"), float("inf"), 1.0], [2.0, 3.0, 4.0]],
        ]
    )
    shares = tied_share(maps)
    assert shares.dtype == torch.float64
    assert shares[[0, 1, 2, 3, 5]].tolist() == [0, 4 / 6, 3 / 6, 1, 2 / 6]
    assert shares[4].isnan()
    assert tied_share(torch.ones(1, 1, 1)).tolist() == [0]  # one pixel is ranked


def test_a_map_of_cells_that_all_differ_ties_at_its_border_alone() -> None:
    cells = torch.rand(4, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64).float()
    shares = tied_share(upsample(cells, (64, 64)))
    assert (shares - (1 - (7 / 8) ** 2)).abs().max() < 0.02
