"""Tests of finding methods with equal maps, whatever their scores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from heatmark.benchmarks.tables.repeats import one_map, repeat, with_repeats
from heatmark.common.resize import upsample

RNG = np.random.default_rng(0)
MAP = RNG.random((5, 7)).astype(np.float32)


def test_maps_are_equal_up_to_a_factor_an_offset_and_rounding() -> None:
    assert one_map(MAP, 3 * MAP + 2)
    assert one_map(MAP, MAP + 1e-6 * RNG.random((5, 7)))
    assert not one_map(MAP, -MAP)
    assert not one_map(MAP, MAP**2)
    moved = MAP.copy()
    moved[2, 3] = moved[2, 3] / 2 + 0.25 * (moved[2, 3] < 0.5)
    assert not one_map(MAP, moved)


def test_a_map_equals_itself_upsampled() -> None:
    large = upsample(torch.from_numpy(MAP)[None], (40, 56))[0].numpy()
    assert one_map(MAP, large)
    assert not one_map(MAP, large.T[:40, :40])


def test_constant_maps_and_maps_that_are_not_finite() -> None:
    flat = np.full((3, 3), 0.1, np.float32)
    assert one_map(flat, np.zeros((3, 3)))
    assert one_map(flat, flat + np.float32(1e-9))
    assert not one_map(flat, RNG.random((3, 3)))
    broken = np.where(np.eye(3) > 0, np.nan, 1.0)
    assert one_map(broken, broken)
    assert not one_map(broken, flat)
    maps = np.stack([flat] * 4)
    assert not repeat(maps, maps)  # maps that rank nothing say nothing


def test_methods_that_differ_on_one_image_are_no_repeats() -> None:
    maps = RNG.random((6, 4, 4))
    other = maps.copy()
    assert repeat(maps, other)
    other[5, 0, 0] += 0.01
    assert not repeat(maps, other)
    assert not repeat(maps, maps[:5])


@pytest.fixture
def results() -> pd.DataFrame:
    facts = {
        "dataset": "d", "images_digest": "i", "target_rule": "predicted", "model": "m", "weights": "w",
        "weights_digest": "x", "device": "cpu", "precision": "fp32", "layer": "last", "metric": "deletion",
    }  # fmt: skip
    methods = {"a": "captum_x", "b": "hires_cam", "c": "grad_cam", "d": "random"}
    return pd.DataFrame(
        [
            {**facts, "cell": cell, "method": method, "image": image, "target": "1", "value": 0.5,
             "implementation": "captum" if method.startswith("captum") else "heatmark"}
            for cell, method in methods.items() for image in ("1", "2")
        ]
    )  # fmt: skip


def write(folder: Path, **maps: np.ndarray) -> Path:
    for cell, values in maps.items():
        np.save(folder / f"{cell}.npy", values)
    return folder


def found(results: pd.DataFrame, maps: Path) -> dict[str, str]:
    return with_repeats(results, maps).drop_duplicates("cell").set_index("cell")["map_of"].to_dict()


def test_map_of_is_our_own_method_whatever_the_scores(results: pd.DataFrame, tmp_path: Path) -> None:
    one, other = RNG.random((2, 2, 4, 4))
    write(tmp_path, a=one, b=one * 2, c=one, d=other)
    assert found(results, tmp_path) == {"a": "c", "b": "c", "c": "c", "d": "d"}
    # scores that rounding or a tie order moved
    noisy = results.assign(value=RNG.random(len(results)))
    assert found(noisy, tmp_path) == {"a": "c", "b": "c", "c": "c", "d": "d"}


def test_without_maps_map_of_is_empty(results: pd.DataFrame, tmp_path: Path) -> None:
    assert set(found(results, tmp_path / "none").values()) == {""}
    write(tmp_path, a=RNG.random((2, 4, 4)))
    assert found(results, tmp_path) == {"a": "a", "b": "", "c": "", "d": ""}


@pytest.mark.parametrize("fact", ["weights_digest", "images_digest", "target", "model"])
def test_maps_of_other_weights_images_or_classes_are_not_compared(
    results: pd.DataFrame, tmp_path: Path, fact: str
) -> None:
    one = RNG.random((2, 4, 4))
    write(tmp_path, a=one, b=one, c=one, d=one)
    split = results.assign(**{fact: results[fact].mask(results["cell"].isin(["a", "d"]), "other")})
    assert found(split, tmp_path) == {"a": "d", "b": "c", "c": "c", "d": "d"}
