"""Each kind of map that ranks nothing has its name."""

import torch

from benchmarks.degenerate import degeneracies


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
