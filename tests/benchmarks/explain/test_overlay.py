"""Tests of overlays against values worked out by hand."""

import numpy as np
import pytest

from heatmark.benchmarks.explain.overlay import Array, Limits, Look, blend, edges, paint, tamed

MAP = np.array([[1.0, 2.0], [3.0, 5.0]])


def greys(values: Array) -> Array:
    """A colormap: value v is the grey v, opaque."""
    return np.stack([values, values, values, np.ones_like(values)], axis=-1)


def test_paint_takes_the_limits_to_the_ends_of_the_colours() -> None:
    painted = paint(MAP, Limits(1.0, 5.0), greys)
    assert painted.shape == (2, 2, 3)
    np.testing.assert_allclose(painted[..., 0], [[0.0, 0.25], [0.5, 1.0]])


def test_values_outside_the_limits_are_cut_and_those_that_are_no_numbers_are_mid_grey() -> None:
    painted = paint(np.array([[-9.0, 9.0], [np.nan, np.inf]]), Limits(0.0, 1.0), greys)
    np.testing.assert_allclose(painted[..., 0], [[0.0, 1.0], [0.5, 0.5]])


@pytest.mark.parametrize("limits", [Limits(2.0, 2.0), Limits(np.nan, np.nan)])
def test_a_constant_map_takes_the_first_colour(limits: Limits) -> None:
    np.testing.assert_array_equal(paint(np.full((2, 2), 2.0), limits, greys), 0.0)


def test_separate_and_shared_limits() -> None:
    other = np.array([[-4.0, np.inf]])
    assert Look().limits([MAP, other]) == [(1.0, 5.0), (-4.0, -4.0)]
    assert Look(scale="shared").limits([MAP, other]) == [(-4.0, 5.0)] * 2
    assert Look(style="outline").limits([MAP, other]) == [(-5.0, 5.0), (-4.0, 4.0)]
    assert Look(style="outline", scale="shared").limits([MAP, other]) == [(-5.0, 5.0)] * 2


def test_a_map_of_nans_has_no_limits() -> None:
    assert np.isnan(Look().limits([np.full((2, 2), np.nan)])[0]).all()


def test_a_few_pixels_do_not_outshine_the_others() -> None:
    values = np.append(np.linspace(-1, 1, 201), [50.0, -80.0, np.nan])
    held = tamed(values)
    np.testing.assert_array_equal(held[:201], values[:201])
    most = np.percentile(np.abs(values[:-1]), 99)
    np.testing.assert_allclose(held[201:], [most, -most, np.nan])
    np.testing.assert_array_equal(tamed(np.zeros(3)), 0.0)


def test_blend_and_overlay_mix_by_the_opacity() -> None:
    picture, painted = np.full((2, 2, 3), 0.2), np.full((2, 2, 3), 1.0)
    np.testing.assert_allclose(blend(picture, painted, 0.25), 0.4)
    shown = Look(alpha=0.5).over(picture, MAP, Limits(1.0, 5.0), greys)
    np.testing.assert_allclose(shown[..., 2], [[0.1, 0.225], [0.35, 0.6]])


def test_a_step_is_an_edge_on_both_its_sides_and_nowhere_else() -> None:
    picture = np.zeros((6, 6, 3))
    picture[:, 3:] = 1.0
    np.testing.assert_allclose(edges(picture), np.tile([0.0, 0.0, 1.0, 1.0, 0.0, 0.0], (6, 1)))
    np.testing.assert_allclose(edges(picture.transpose(1, 0, 2)), edges(picture).T)
    assert not edges(np.full((4, 4, 3), 0.3)).any()


def test_outlines_darken_the_colours_at_edges_only() -> None:
    picture = np.zeros((6, 6, 3))
    picture[:, 3:] = 1.0
    shown = Look(style="outline").over(picture, np.zeros((6, 6)), Limits(-1.0, 1.0), greys)  # the middle grey, 0.5
    np.testing.assert_allclose(shown[0, :, 0], [0.5, 0.5, 0.2, 0.2, 0.5, 0.5])


def test_every_style_has_its_own_colours_and_opacity() -> None:
    assert (Look().colormap, Look().opacity) == ("jet", 0.5)
    assert (Look(style="outline").colormap, Look(style="outline").opacity) == ("RdBu_r", 1.0)
    assert (Look(cmap="viridis", alpha=0.0).colormap, Look(alpha=0.0).opacity) == ("viridis", 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": "outlines"}, "unknown style 'outlines': did you mean outline"),
        ({"scale": "common"}, "unknown scale 'common'"),
        ({"alpha": 1.5}, "alpha is 1.5"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Look(**options)  # type: ignore[arg-type]
