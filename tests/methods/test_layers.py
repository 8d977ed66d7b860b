import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from methods.layers import Arrangement, TokenLayout, arrange, find_layer

ANY = nn.Identity()
LAST = nn.LayerNorm(7)


def features(*shape):
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)


@pytest.mark.parametrize(
    ("shape", "image", "expected"),
    [
        ((2, 512, 7, 7), (224, 224), Arrangement(1, 0, (7, 7))),
        ((2, 7, 7, 768), (224, 224), Arrangement(3, 0, (7, 7))),
        ((2, 7, 5, 768), (224, 160), Arrangement(3, 0, (7, 5))),
        ((2, 25, 37, 96), (100, 150), Arrangement(3, 0, (25, 37))),  # 37.5 rounded
        ((2, 96, 25, 38), (100, 150), Arrangement(1, 0, (25, 38))),
        ((2, 197, 768), (224, 224), Arrangement(2, 1, (14, 14))),
        ((2, 196, 768), (224, 224), Arrangement(2, 0, (14, 14))),
        ((2, 71, 768), (112, 160), Arrangement(2, 1, (7, 10))),
    ],
)
def test_the_shape_says_how_features_lie(shape, image, expected):
    assert arrange(features(*shape), ANY, image, None) == expected


def test_a_patch_embedding_that_ends_channels_last_is_read_so():
    swin_stem = nn.Sequential(nn.Conv2d(3, 96, 4, stride=4), nn.LayerNorm(96))
    for layout in (None, TokenLayout(channels_last=True)):
        assert arrange(features(1, 56, 56, 96), swin_stem, (224, 224), layout) == Arrangement(3, 0, (56, 56))
        assert arrange(features(1, 96, 56, 56), swin_stem[0], (224, 224), layout) == Arrangement(1, 0, (56, 56))


def test_a_cube_is_refused_where_the_module_works_on_the_last_dimension():
    cube = features(1, 7, 7, 7)
    with pytest.raises(ValueError, match="token_layout"):
        arrange(cube, LAST, (224, 224), None)
    assert arrange(cube, LAST, (224, 224), TokenLayout(channels_last=True)).channel_dim == 3
    assert arrange(cube, LAST, (224, 224), TokenLayout(channels_last=False)).channel_dim == 1
    assert arrange(cube, nn.Conv2d(7, 7, 1), (224, 224), None).channel_dim == 1
    assert arrange(cube, nn.ReLU(), (224, 224), None).channel_dim == 1


@pytest.mark.parametrize(
    ("shape", "image", "layout", "message"),
    [
        ((2, 198, 768), (224, 224), None, "198 tokens fit 0 grids"),
        ((2, 197, 768), (224, 160), None, "197 tokens fit 0 grids"),
        ((2, 197, 768), (224, 224), TokenLayout(prefix=5), "197 tokens do not fit"),
        ((2, 197, 768), (224, 224), TokenLayout(prefix=1, grid=(7, 7)), "197 tokens do not fit"),
        ((2, 768), (224, 224), None, "no place on the image"),
    ],
)
def test_what_is_no_map_is_refused(shape, image, layout, message):
    with pytest.raises(ValueError, match=message):
        arrange(features(*shape), ANY, image, layout)


def test_register_tokens_and_a_grid_of_ones_own_are_taken_from_the_layout():
    assert arrange(features(1, 201, 4), ANY, (224, 224), TokenLayout(prefix=5)) == Arrangement(2, 5, (14, 14))
    assert arrange(features(1, 13, 4), ANY, (224, 224), TokenLayout(1, (3, 4))) == Arrangement(2, 1, (3, 4))


def test_every_number_lands_on_its_place_and_the_maps_are_views():
    tokens = features(2, 1 + 6, 5)
    maps = Arrangement(2, 1, (2, 3)).maps(tokens)
    for n, c, y, x in torch.cartesian_prod(*(torch.arange(size) for size in (2, 5, 2, 3))).tolist():
        assert maps[n, c, y, x] == tokens[n, 1 + 3 * y + x, c]
    maps[0, 4, 1, 2] = -1
    assert tokens[0, 6, 4] == -1
    last = features(2, 2, 3, 5)
    maps = Arrangement(3, 0, (2, 3)).maps(last)
    assert maps[1, 4, 1, 2] == last[1, 1, 2, 4]
    maps[1, 4, 1, 2] = -1
    assert last[1, 1, 2, 4] == -1


@given(rows=st.integers(1, 12), columns=st.integers(1, 12), patch=st.integers(1, 16), prefix=st.integers(0, 1))
def test_tokens_of_a_whole_grid_are_never_ambiguous(rows, columns, patch, prefix):
    image = (rows * patch, columns * patch)
    arrangement = arrange(torch.empty(1, prefix + rows * columns, 2), ANY, image, None)
    assert arrangement == Arrangement(2, prefix, (rows, columns))


def test_the_nearest_layers_are_named(network):
    with pytest.raises(
        ValueError, match=r"'block3\.conv1' in Residual: did you mean block[12]\.conv1, block[12]\.conv1"
    ):
        find_layer(network("Residual"), "block3.conv1")
    with pytest.raises(ValueError, match="its top layers are stem, block1, block2, fc"):
        find_layer(network("Residual"), "??")
