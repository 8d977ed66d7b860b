"""Tests of finding methods with equal maps by their stored signatures, whatever their scores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heatmark.benchmarks.tables.gather import gather
from heatmark.benchmarks.tables.repeats import repeat

from .. import synthetic

RNG = np.random.default_rng(0)
ONE, OTHER = RNG.random((2, 20, 7, 7)).astype(np.float32)
FLAT = np.full((20, 7, 7), 0.1, np.float32)
CELLS = [synthetic.cell(name) for name in ("captum_x", "hires_cam", "grad_cam", "random")]
PICTURES = synthetic.entries(20)


def found(run: Path, maps: dict[str, np.ndarray], **facts: object) -> dict[str, str]:
    """Return by method the method whose maps it has."""
    cells = [cell for cell in CELLS if cell.method in maps]
    numbers = replace(synthetic.random_numbers(0), maps=lambda c, block: maps[c.method], **facts)
    results = gather(synthetic.write(run, synthetic.request(cells, PICTURES), numbers))
    names = results.drop_duplicates("cell").set_index("cell")["method"]
    return dict(zip(names, [names.get(cell, "") for cell in results.drop_duplicates("cell")["map_of"]], strict=True))


def test_signatures_are_equal_up_to_a_factor_an_offset_and_rounding() -> None:
    assert repeat(ONE, 3 * ONE + 2)
    assert repeat(ONE, ONE.astype(np.float16).astype(np.float32))
    assert not repeat(ONE, -ONE)
    assert not repeat(ONE, ONE**2)
    assert not repeat(ONE, ONE[:5])
    moved = ONE.copy()
    moved[5, 0, 0] += 0.02
    assert not repeat(ONE, moved)


def test_constant_maps_say_nothing_and_undefined_values_are_compared() -> None:
    assert not repeat(FLAT, FLAT)
    broken = np.where(np.arange(7) > 4, np.nan, ONE)
    assert not repeat(broken, ONE)
    half = np.concatenate([broken[:10], ONE[10:]])
    assert repeat(half, half)


def test_map_of_is_our_own_method_whatever_the_scores(tmp_path: Path) -> None:
    maps = {"captum_x": ONE, "hires_cam": 2 * ONE + 1, "grad_cam": ONE + 1e-7, "random": OTHER}
    same = {"captum_x": "grad_cam", "hires_cam": "grad_cam", "grad_cam": "grad_cam", "random": "random"}
    assert found(tmp_path, maps) == same
    assert found(tmp_path / "bare", maps, keep=False) == same  # no map is kept


def test_methods_that_differ_on_the_last_image_alone_are_no_repeats(tmp_path: Path) -> None:
    other = ONE.copy()
    other[19, 3, 3] += 0.5
    assert found(tmp_path, {"grad_cam": ONE, "hires_cam": other})["hires_cam"] == "hires_cam"


def test_maps_that_only_their_orders_tell_apart_are_no_repeats(tmp_path: Path) -> None:
    mostly = np.concatenate([ONE[:19], FLAT[:1]])
    ordered = mostly.copy()
    ordered[19] += np.arange(49, dtype=np.float32).reshape(7, 7) * 1e-9
    signatures = {"grad_cam": mostly, "hires_cam": mostly}
    assert found(tmp_path / "same", signatures)["hires_cam"] == "grad_cam"
    fine = np.zeros((20, 32, 32), np.float32)
    fine[:19, ::2, ::2] = np.kron(ONE, np.ones((3, 3)))[:19, :16, :16]
    finer = fine.copy()
    finer[19, 1::2, 1::2] = RNG.random((16, 16))  # between the values of the signature
    assert found(tmp_path / "finer", {"grad_cam": fine, "hires_cam": finer})["hires_cam"] == "hires_cam"


def test_cells_of_other_images_are_not_compared_and_those_without_maps_have_none(tmp_path: Path) -> None:
    errors = {("maps", CELLS[1].key, PICTURES[0].image): "KeyError"}
    errors |= {("maps", CELLS[0].key, entry.image): "KeyError" for entry in PICTURES}
    maps = {"captum_x": ONE, "hires_cam": ONE, "grad_cam": ONE}
    assert found(tmp_path, maps, errors=errors) == {"captum_x": "", "hires_cam": "hires_cam", "grad_cam": "grad_cam"}


@pytest.mark.parametrize("fact", ["weights_digest", "target_rule", "model", "device_kind", "precision"])
def test_cells_of_two_settings_are_not_compared(tmp_path: Path, fact: str) -> None:
    for cell, value in zip(CELLS[1:3], ("one", "other"), strict=True):
        numbers = replace(synthetic.random_numbers(0), maps=lambda c, block: ONE)
        synthetic.write(tmp_path, synthetic.request([cell], PICTURES, **{fact: value}), numbers)
    results = gather(tmp_path)
    assert (results["map_of"] == results["cell"]).all()
    assert isinstance(results, pd.DataFrame)
