"""Methods made of plain functions."""

from typing import Any

import numpy as np
import torch
from torch import nn

from heatmark.common.identity import identity
from heatmark.methods.function import from_function


def test_maps_may_be_an_array_of_any_strides() -> None:
    def flipped(_model: nn.Module, images: Any, _targets: Any, _layer: str) -> Any:
        return images.mean(1).numpy()[:, ::-1]

    images = torch.arange(12.0).view(1, 3, 2, 2)
    found = from_function(flipped)(nn.Identity(), images, torch.tensor([0]), "")
    assert np.array_equal(found, images.mean(1).flip(1))


def test_a_function_without_a_module_is_the_users() -> None:
    space: dict[str, Any] = {}
    digests = []
    for factor in (2, 3):
        exec(f"def made(model, images, targets, layer): return images.mean(1) * {factor}", space)
        digests.append(identity(from_function(space["made"]))["source"])
    assert digests[0] != digests[1]
