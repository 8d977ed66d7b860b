"""Tests of ROAD in both orders and of their combination."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from heatmark.metrics.engine.imputed_path import ImputedPath
from heatmark.metrics.protocols import IMPUTATION_PROTOCOLS
from heatmark.metrics.road import ROAD
from heatmark.metrics.road_combined import ROADCombined
from heatmark.metrics.road_lerf import ROADLeRF

TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@pytest.fixture
def spot() -> Tensor:
    """Return an image whose brightest pixel is in the middle, (1, 3, 5, 5), all others black."""
    image = torch.zeros(1, 3, 5, 5)
    image[:, :, 2, 2] = 0.8
    return image


def test_protocols_have_the_published_values() -> None:
    assert {name: dict(protocol.values) for name, protocol in IMPUTATION_PROTOCOLS.items()} == {
        "road-2022": {
            "fractions": (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9),
            "noise": 0.01,
            "space": "pixels",
            "ties": "drawn",
        },
        "road-pgc": {"fractions": TENTHS, "noise": 0.01, "space": "model", "ties": "drawn"},
    }
    assert "e6b9987" in IMPUTATION_PROTOCOLS["road-2022"].source
    assert "084273b" in IMPUTATION_PROTOCOLS["road-pgc"].source


def test_values_by_hand(spot: Tensor, make_batch, additive) -> None:
    weights = torch.zeros(5, 5)
    weights[2, 2] = 1  # the probability is the middle pixel's brightness
    batch = make_batch(additive(weights), spot, spot[:, 0])
    options = {"fractions": (0.0, 0.04, 0.4), "noise": 0.0, "ties": "raster"}
    morf, lerf = ROAD(**options)(batch), ROADLeRF(**options)(batch)
    assert morf.curve.y[0].tolist() == pytest.approx([0.8, 0, 0], abs=1e-6)  # black once it is imputed
    assert lerf.curve.y[0].tolist() == pytest.approx([0.8, 0.8, 0.8], abs=1e-6)
    assert morf.values.tolist() == pytest.approx([0.8 / 3], abs=1e-6)
    assert lerf.values.tolist() == pytest.approx([0.8], abs=1e-6)


def test_paths_and_directions() -> None:
    assert ROAD(seed=2).path == ImputedPath("morf", seed=2)
    assert ROADLeRF(preset="road-pgc").path == ImputedPath("lerf", TENTHS, 0.01, "model")
    assert ROAD.higher_is_better is False
    assert ROADLeRF.higher_is_better is True


def test_an_option_of_its_own_keeps_the_nearest_preset() -> None:
    assert ROAD(preset="road-pgc", fractions=(0.1, 0.5)).preset == "road-pgc"
    assert ROAD(space="model", fractions=list(TENTHS)) == ROAD(preset="road-pgc")
    assert ROAD(noise=0.2).preset == "road-2022"
    with pytest.raises(ValueError, match="did you mean road-2022"):
        ROAD(preset="road-2023")


def test_the_combination_is_half_the_difference() -> None:
    assert ROADCombined().terms == {"road_lerf": 0.5, "road": -0.5}
    assert ROADCombined("a", "b").terms == {"a": 0.5, "b": -0.5}
    assert ROADCombined().higher_is_better is True


def test_undefined_has_its_reason(spot: Tensor, make_batch, additive) -> None:
    maps = spot[:, 0].repeat(2, 1, 1)
    maps[0, 0, 0] = torch.nan
    batch = make_batch(additive(torch.full((5, 5), 0.04)), spot.repeat(2, 1, 1, 1), maps)
    scores = ROAD(noise=0.0)(batch)
    assert scores.values.isnan().tolist() == [True, False]
    assert scores.reasons == ["the map contains NaN, which has no order", ""]
    broken = ROAD(noise=0.0)(
        replace(batch, model=additive(torch.full((5, 5), torch.nan)), maps=spot[:, 0].repeat(2, 1, 1))
    )
    assert broken.values.isnan().all()
