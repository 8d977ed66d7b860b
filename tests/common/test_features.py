"""Tests of finding layers by name and of the possible layouts of their output."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heatmark.common.features import FeatureLayout, TokenLayout, find_layer, grid_of, readings


def features(*shape):
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)


@pytest.mark.parametrize(
    ("shape", "image", "expected"),
    [
        ((2, 24, 32, 42), (126, 168), [FeatureLayout(1, 0, (32, 42)), FeatureLayout(3, 0, (24, 32))]),
        ((2, 197, 768), (224, 224), [FeatureLayout(2, 1, (14, 14))]),
        ((2, 71, 768), (112, 160), [FeatureLayout(2, 1, (7, 10))]),
        ((2, 64, 16), (32, 32), [FeatureLayout(2, 0, (8, 8)), FeatureLayout(1, 0, (4, 4))]),
        ((2, 5, 5), (8, 8), [FeatureLayout(2, 1, (2, 2)), FeatureLayout(1, 1, (2, 2))]),
    ],
)
def test_sizes_say_what_is_possible_and_nothing_more(shape, image, expected):
    assert readings(features(*shape), "layer", image) == expected


@pytest.mark.parametrize(
    ("shape", "image", "message"),
    [
        ((2, 198, 768), (224, 224), "198 tokens fit no grid"),
        ((2, 197, 768), (224, 160), "197 tokens fit no grid .* token_layout"),
        ((2, 768), (224, 224), "'layer' gives .* not maps over the image"),
    ],
)
def test_what_is_no_map_is_refused(shape, image, message):
    with pytest.raises(ValueError, match=message):
        readings(features(*shape), "layer", image)


def test_every_number_lands_on_its_place_and_the_maps_are_views():
    tokens = features(2, 1 + 6, 5)
    maps = FeatureLayout(2, 1, (2, 3)).maps(tokens)
    for n, c, y, x in torch.cartesian_prod(*(torch.arange(size) for size in (2, 5, 2, 3))).tolist():
        assert maps[n, c, y, x] == tokens[n, 1 + 3 * y + x, c]
    maps[0, 4, 1, 2] = -1
    assert tokens[0, 6, 4] == -1
    last = features(2, 2, 3, 5)
    maps = FeatureLayout(3, 0, (2, 3)).maps(last)
    assert maps[1, 4, 1, 2] == last[1, 1, 2, 4]
    maps[1, 4, 1, 2] = -1
    assert last[1, 1, 2, 4] == -1
    flat = features(2, 5, 6)
    maps = FeatureLayout(1, 0, (2, 3)).maps(flat)
    assert maps[1, 4, 1, 2] == flat[1, 4, 5]
    maps[1, 4, 1, 2] = -1
    assert flat[1, 4, 5] == -1


@given(rows=st.integers(1, 12), columns=st.integers(1, 12), patch=st.integers(1, 16))
def test_the_aspect_of_a_whole_grid_of_patches_is_found(rows, columns, patch):
    found = grid_of(rows * columns, (rows * patch, columns * patch))
    assert found == (rows, columns)


def test_the_nearest_layers_are_named(network):
    with pytest.raises(
        ValueError, match=r"'block3\.conv1' in Residual: did you mean block[12]\.conv1, block[12]\.conv1"
    ):
        find_layer(network("Residual"), "block3.conv1")
    with pytest.raises(ValueError, match="its top layers are stem, block1, block2, fc"):
        find_layer(network("Residual"), "??")


@pytest.mark.parametrize("word", ["false", "maybe", 1])
def test_a_word_for_channels_last_is_refused(word: object) -> None:
    with pytest.raises(ValueError, match="expected true, false or null"):
        TokenLayout(channels_last=word)  # type: ignore[arg-type]
