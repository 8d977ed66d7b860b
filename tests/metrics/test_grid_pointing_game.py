"""The grid pointing game: by hand, against the authors' formula, chance, and maps without positive relevance."""

import pytest
import torch
from torch import Tensor, nn

from heatmark.metrics.base import Explained
from heatmark.metrics.energy_inside import EnergyInside
from heatmark.metrics.grid_pointing_game import GridPointingGame


def explained(maps: Tensor, side: int, cell: int) -> Explained:
    count, height, width = maps.shape
    masks = torch.zeros(count, height, width, dtype=torch.bool)
    row, column = divmod(cell, side)
    masks[
        :, row * height // side : (row + 1) * height // side, column * width // side : (column + 1) * width // side
    ] = 1
    images = torch.zeros(count, 3, height, width)
    return Explained(nn.Identity(), images, torch.zeros(count, dtype=torch.int64), maps, masks, lambda *_: maps)


def by_rao(maps: Tensor, side: int, cell: int) -> Tensor:
    """The score by sukrutrao/Attribution-Evaluation, written from its description: positive part, slice, 0 if empty."""
    positive = torch.where(maps < 0, torch.zeros_like(maps), maps)
    height, width = maps.shape[1] // side, maps.shape[2] // side
    row, column = cell // side, cell % side
    part = positive[:, row * height : (row + 1) * height, column * width : (column + 1) * width].sum(dim=(1, 2))
    total = positive.sum(dim=(1, 2))
    return torch.where(total > 1e-7, part / total, torch.tensor(0.0, dtype=maps.dtype))


@pytest.mark.parametrize("side", [2, 3])
def test_the_authors_formula(side: int) -> None:
    maps = torch.randn(5, 6 * side, 4 * side, generator=torch.Generator().manual_seed(side), dtype=torch.float64)
    maps[1] = -maps[1].abs()
    maps[2] = maps[2].abs() * 1e-10
    for cell in range(side**2):
        got = GridPointingGame(preset="rao-2022")(explained(maps, side, cell)).values
        assert torch.allclose(got, by_rao(maps, side, cell), atol=1e-12)
        assert got[1:3].tolist() == [0, 0]


def test_cells_share_the_relevance_so_that_chance_is_one_of_all() -> None:
    maps = torch.randn(4, 9, 9, generator=torch.Generator().manual_seed(0))
    scores = torch.stack([GridPointingGame()(explained(maps, 3, cell)).values for cell in range(9)])
    assert torch.allclose(scores.sum(dim=0), torch.ones(4, dtype=torch.float64))
    constant = GridPointingGame()(explained(torch.full((1, 9, 9), 2.0), 3, 4))
    assert constant.values.item() == pytest.approx(1 / 9)


def test_without_positive_relevance_there_is_a_reason_or_the_authors_zero() -> None:
    batch = explained(torch.tensor([[[-1.0, -1.0], [0.0, -0.0]], [[1e-8, 0.0], [0.0, 0.0]]]), 2, 0)
    mine, theirs = GridPointingGame()(batch), GridPointingGame(preset="rao-2022")(batch)
    assert mine.values[0].isnan()
    assert mine.values[1] == 1
    assert mine.reasons == ["the map has no positive relevance", ""]
    assert theirs.values.tolist() == [0, 0]
    assert theirs.reasons == ["", ""]


def test_it_is_energy_inside_and_costs_no_pass() -> None:
    batch = explained(torch.randn(6, 8, 8, generator=torch.Generator().manual_seed(1)), 2, 3)
    assert torch.equal(GridPointingGame()(batch).values, EnergyInside()(batch).values)
    assert GridPointingGame().passes((8, 8)) == 0


def test_presets_settle_and_wrong_options_are_named() -> None:
    assert GridPointingGame(least=1e-7, empty="zero") == GridPointingGame(preset="rao-2022")
    for options, said in (
        ({"preset": "rao"}, "rao-2022"),
        ({"least": -1.0}, "least=-1.0"),
        ({"empty": "one"}, "'one'"),
    ):
        with pytest.raises(ValueError, match=said):
            GridPointingGame(**options)
