"""Sufficiency against a closed form and an insertion's curve."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from heatmark.metrics.engine.fills import fill_images
from heatmark.metrics.engine.summaries import NO_ORDER
from heatmark.metrics.sufficiency import Sufficiency


def test_of_an_additive_model_it_is_the_share_that_is_lost(make_batch, additive) -> None:
    weights = torch.arange(1.0, 11).view(2, 5) / 55
    images = torch.ones(2, 3, 2, 5)
    batch = make_batch(additive(weights), images, torch.stack([weights, -weights]))
    found = Sufficiency((0.2, 0.5))(batch)
    best = 1 - ((10 + 9) + (10 + 9 + 8 + 7 + 6)) / 2 / 55
    worst = 1 - ((1 + 2) + (1 + 2 + 3 + 4 + 5)) / 2 / 55
    assert found.values.numpy() == pytest.approx(np.array([best, worst]), abs=1e-6)
    assert found.curve is not None
    assert found.curve.x.tolist() == pytest.approx([0, 0.2, 0.5, 1])
    assert Sufficiency((0.2, 0.5)).passes((2, 5)) == 4


def test_it_keeps_the_most_relevant_pixels_of_the_image(make_batch) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 100, 4)).eval()
    images, maps = torch.randn(3, 3, 10, 10), torch.randn(3, 10, 10)
    batch = make_batch(model, images, maps, [0, 1, 2])
    for name in ("zero", "mean"):
        fill, expected = fill_images(batch, name, 0), []
        for n in range(3):
            drops = []
            for kept in (1, 5, 10, 20, 50):
                least = maps[n].flatten().topk(kept).values.min()
                picture = torch.where(maps[n] >= least, images[n], fill[n])
                with torch.no_grad():
                    intact, left = (model(x[None]).softmax(1)[0, n] for x in (images[n], picture))
                drops.append(float(intact - left))
            expected.append(np.mean(drops))
        assert Sufficiency(baseline=name)(batch).values.numpy() == pytest.approx(np.array(expected), abs=1e-6)
    ready = Sufficiency()(batch).values
    assert torch.equal(Sufficiency()(replace(batch, maps=100 * maps)).values, ready)
    maps[1, 0, 0] = torch.nan
    scores = Sufficiency()(batch)
    assert list(scores.reasons) == ["", NO_ORDER, ""]
    assert torch.equal(scores.values[[0, 2]], ready[[0, 2]])


@pytest.mark.parametrize("fractions", [(), (0.0, 0.5), (0.5, 0.2), (0.5, 1.0)])
def test_fractions_out_of_range(fractions: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="fractions="):
        Sufficiency(fractions)


def test_options() -> None:
    with pytest.raises(ValueError, match="did you mean zero"):
        Sufficiency(baseline="zeor")
    assert Sufficiency(ties="raster", seed=4).seed == 0
