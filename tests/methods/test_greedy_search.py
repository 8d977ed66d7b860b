"""Tests of the greedy search: by hand, and against all orders of a few cells."""

from itertools import permutations

import pytest
import torch
from torch import Tensor, nn

from heatmark.methods.greedy_search import GreedySearch


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 36, 4)).double().eval()


def images(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def probability(model: nn.Module, image: Tensor, target: int) -> float:
    with torch.no_grad():
        return float(model(image[None]).softmax(dim=1)[0, target])


@pytest.mark.parametrize("aim", ["deletion", "insertion"])
def test_each_step_takes_the_best_cell_that_is_left(aim: str) -> None:
    model, (image, *_) = net(), images()
    found = GreedySearch(aim, cells=2, baseline="mean")(model, image[None], torch.tensor([1]), "input")[0]
    order = found[::3, ::3].flatten().argsort(descending=True).tolist()
    fill = image.mean(dim=(1, 2), keepdim=True).expand_as(image)
    start, end, best = (image, fill, min) if aim == "deletion" else (fill, image, max)
    changed: list[int] = []
    for cell in order:
        scores = {}
        for candidate in sorted(set(range(4)) - set(changed)):
            tried = start.clone()
            for each in (*changed, candidate):
                rows, columns = slice(each // 2 * 3, each // 2 * 3 + 3), slice(each % 2 * 3, each % 2 * 3 + 3)
                tried[:, rows, columns] = end[:, rows, columns]
            scores[candidate] = probability(model, tried, 1)
        assert cell == best(scores, key=lambda each: scores[each])
        changed.append(cell)
    assert sorted(found.unique().tolist()) == [0.25, 0.5, 0.75, 1.0]


def test_on_an_additive_model_no_order_is_better() -> None:
    weights = torch.tensor([[0.3, -0.1], [0.5, 0.2]], dtype=torch.float64)

    class Additive(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z = (x[:, 0] * weights).sum(dim=(1, 2))
            return torch.stack([z, -z], dim=1)

    found = GreedySearch(cells=2)(Additive().eval(), torch.ones(1, 3, 2, 2).double(), torch.tensor([0]), "input")[0]

    def area(order: tuple[int, ...]) -> float:
        kept = [sum(weights.flatten()[list(order[k:])].tolist()) for k in range(5)]
        return sum(torch.sigmoid(torch.tensor([2 * z for z in kept])).tolist())

    best = min(permutations(range(4)), key=area)
    assert tuple(found.flatten().argsort(descending=True).tolist()) == best == (2, 0, 3, 1)


def test_uneven_sizes_batches_and_neighbours_change_nothing() -> None:
    model, targets = (
        nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 4)).double().eval(),
        torch.arange(3),
    )
    pictures = torch.randn(3, 3, 7, 5, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    together = GreedySearch(cells=3, batch_size=4)(model, pictures, targets, "input")
    assert together.shape == (3, 7, 5)
    assert [len(each.unique()) for each in together] == [9] * 3
    alone = GreedySearch(cells=3, batch_size=4)(model, pictures[1:2], targets[1:2], "input")
    assert torch.equal(alone[0], together[1])
    assert torch.equal(GreedySearch(cells=3, batch_size=1)(model, pictures, targets, "input"), together)


def test_costs_a_pass_per_cell_that_is_tried() -> None:
    model, seen = net(), []
    model.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    method = GreedySearch(cells=3, batch_size=1)
    method(model, images(2), torch.tensor([0, 1]), "input")
    assert sum(seen) == 2 * method.passes(model, "input", (3, 6, 6)) == 2 * 45


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"aim": "deltion"}, "deletion"),
        ({"baseline": "blr"}, "blur"),
        ({"cells": 0}, "cells=0, expected at least 1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GreedySearch(**options)  # type: ignore[arg-type]


def test_more_cells_than_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="cells=9, expected at most the 6 rows or columns"):
        GreedySearch(cells=9)(net(), images(), torch.zeros(3, dtype=torch.int64), "input")
