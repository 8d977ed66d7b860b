"""Tests of the figures: they show the numbers of the tables, and equal tables give equal files."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure
from scipy import stats

from heatmark.benchmarks.figures import (
    conformance_matrix,
    critical_difference,
    curves,
    depth,
    labels,
    metric_agreement,
    pareto,
    qualitative,
    rank_heatmap,
)
from heatmark.benchmarks.figures.atlas import draw_all, drawings
from heatmark.benchmarks.figures.style import SMALL, Look, looks, repeats, styled
from heatmark.benchmarks.figures.tables import Tables, by_depth, family, load, panels
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.columns import CURVES_COLUMNS, schema
from heatmark.benchmarks.tables.writing import stream

from .. import synthetic
from .conftest import PICTURES, cells, maps

FIGURES = sorted(set(drawings()) - {"qualitative", "conformance_matrix", "protocols"})


def drawn(draw: Callable[[Tables], Figure | str], tables: Tables) -> Figure:
    with styled():
        figure = draw(tables)
    assert isinstance(figure, Figure)
    return figure


def test_every_file_with_a_name_is_a_figure() -> None:
    names = {"curves", "pareto", "rank_heatmap", "critical_difference", "depth", "metric_agreement", "qualitative",
             "conformance_matrix", "protocols"}  # fmt: skip
    assert names <= set(drawings())


def test_the_same_table_gives_the_same_bytes(tables: Tables, tmp_path: Path) -> None:
    again = Tables(tables.results.copy(), tables.timing.copy(), tables.curves, names=tables.names)
    first, second = (list(draw_all(t, tmp_path / d, FIGURES)) for t, d in ((tables, "1"), (again, "2")))
    for one, two in zip(first, second, strict=True):
        assert len(one.files) == 2, one.reason
        assert [f.read_bytes() for f in one.files] == [f.read_bytes() for f in two.files]
        pdf = one.files[0].read_bytes()
        assert b"CreationDate" not in pdf
        assert b"Producer" not in pdf


@pytest.mark.parametrize("name", FIGURES)
def test_text_is_large_enough_and_inside_and_the_width_is_that_of_print(name: str, tables: Tables) -> None:
    from matplotlib.text import Text

    figure = drawn(drawings()[name], tables)
    figure.draw_without_rendering()
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip()]
    assert min(sizes) >= SMALL
    assert figure.get_figwidth() <= 6.9
    # not the ticks: matplotlib keeps labels beyond an axis' limits that it does not draw
    for text in [*figure.texts, *(key for legend in figure.legends for key in legend.get_texts())]:
        box = text.get_window_extent()
        assert figure.bbox.padded(2).contains(*box.p0), text
        assert figure.bbox.padded(2).contains(*box.p1), text


def test_a_curve_is_the_mean_over_images_with_its_band(tables: Tables) -> None:
    figure = drawn(curves.draw, tables)
    panel = next(ax for ax in figure.axes if ax.get_title("left") == "net_a: deletion ↓")
    chosen = "model == 'net_a' and method == 'grad_cam' and layer == 'features.15'"
    rows = tables.curves.of(tables.results.query(chosen)["cell"].iloc[0]).query("metric == 'deletion'")
    scores = pd.DataFrame(np.stack(rows["score"]), columns=rows["fraction"].iloc[0]).astype(float)
    assert len(panel.lines) == 3  # pgc_grad_cam repeats grad_cam and is drawn once; earlier layers are not drawn
    np.testing.assert_allclose(panel.lines[0].get_xdata(), scores.columns)
    np.testing.assert_allclose(panel.lines[0].get_ydata(), scores.mean())
    low, high = stats.t.interval(0.95, 11, scores.mean(), stats.sem(scores))
    corners = panel.collections[0].get_paths()[0].vertices
    for x, a, b in zip(scores.columns, low, high, strict=True):
        there = corners[np.isclose(corners[:, 0], x), 1]
        assert there.min() == pytest.approx(a)
        assert there.max() == pytest.approx(b)


def test_bars_of_the_critical_difference_diagram_are_the_groups(tables: Tables) -> None:
    figure = drawn(critical_difference.draw, tables)
    parts = critical_difference.diagrams(tables)
    assert len(parts) == 4
    for ax, (title, found) in zip(figure.axes, parts, strict=True):
        assert ax.get_title("left") == title
        bars = [tuple(line.get_xdata()) for line in ax.lines if line.get_label() == "group"]
        ranks = found.mean_ranks
        assert bars == [(ranks[group[0]], ranks[group[-1]]) for group in found.groups]
        gauge = next(line for line in ax.lines if line.get_label() == "CD")
        assert np.ptp(gauge.get_xdata()) == pytest.approx(found.difference)
        assert set(ranks.index) == {"Grad-CAM", "LayerCAM", "random"}


def test_pareto_shows_cost_and_insertion_minus_deletion(tables: Tables) -> None:
    figure = drawn(pareto.draw, tables)
    ax = figure.axes[0]
    points = {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines}
    rows = tables.deepest.query("model == 'net_a' and method == 'layer_cam'").groupby("metric")["value"].mean()
    assert points["layer_cam"] == pytest.approx((4.0, rows["insertion"] - rows["deletion"]))
    assert [text.get_text() for text in ax.texts] == ["Grad-CAM", "LayerCAM", "random"]
    edge = next(line for line in ax.lines if line.get_label() == "front")
    np.testing.assert_array_equal(edge.get_xdata(), [0.5, 2.0])  # LayerCAM costs more and is worse


def test_the_front_leaves_out_methods_that_another_beats() -> None:
    rows = pd.DataFrame({"cost_in_forwards": [1, 1, 2, 3, 4], "mean": [0.2, 0.3, 0.3, 0.5, 0.4]})
    assert list(pareto.front(rows).index) == [1, 3]


def test_a_repeat_is_on_the_front_only_where_it_is_cheaper() -> None:
    rows = pd.DataFrame({
        "label": ["a", "pgc_a", "cheap_a", "b"], "same_as": ["", "a", "a", "untimed"],
        "cost_in_forwards": [2, 4, 1, 0.5], "mean": [0.3, 0.3001, 0.2999, 0.1],
    })  # fmt: skip
    means = pareto.shared_means(rows)
    assert list(means) == [0.3, 0.3, 0.3, 0.1]
    assert list(pareto.front(rows.assign(mean=means))["label"]) == ["b", "cheap_a"]


def test_the_front_of_a_panel_takes_no_rounding_for_a_gain() -> None:
    rows = pd.DataFrame({
        "label": ["a", "pgc_a"], "method": ["a", "pgc_a"], "same_as": ["", "a"], "cost_in_forwards": [2.0, 4.0],
        "mean": [0.3, 0.3001], "ci_low": 0.2, "ci_high": 0.4,
    })  # fmt: skip
    ax = Figure().subplots()
    pareto.plot(ax, rows, dict.fromkeys(rows["method"], Look("red", "o", "-", False)))
    edge = next(line for line in ax.lines if line.get_label() == "front")
    np.testing.assert_array_equal(edge.get_xdata(), [2.0])


def test_no_two_labels_of_a_panel_overlap(tables: Tables) -> None:
    figure = drawn(pareto.draw, tables)
    for ax in figure.axes:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_ranks_in_the_heatmap_are_those_of_the_leaderboard(tables: Tables) -> None:
    ranks = rank_heatmap.rank_table(tables)
    assert list(ranks.index) == ["grad_cam", "pgc_grad_cam", "layer_cam", "random"]
    assert list(ranks["net_a", "deletion ↓", "deletion:rise-2018[steps=4]"]) == [1, 1, 2, 3]
    figure = drawn(rank_heatmap.draw, tables)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), ranks.to_numpy())
    assert any(text.get_text().startswith("= 1") for text in figure.axes[0].texts)


def test_figures_of_one_layer_of_several_name_it(tables: Tables) -> None:
    alone = replace(tables, results=tables.results[tables.results["layer"] != "features.8"])
    for figure in (critical_difference, curves, metric_agreement, pareto, rank_heatmap):
        note = " ".join(drawn(figure.draw, tables).texts[-1].get_text().split())
        assert "Only each model's deepest layer is shown: features.15." in note, figure.NAME
        assert "deepest" not in drawn(figure.draw, alone).texts[-1].get_text()


def test_ranks_can_be_read_where_there_are_two(tables: Tables) -> None:
    two = replace(tables, results=tables.results[tables.results["method"].isin(["grad_cam", "random"])])
    words = drawn(rank_heatmap.draw, two).axes[0].texts
    colours = {text.get_text()[0]: text.get_color() for text in words}
    assert colours["1"] == "black"  # on yellow
    assert colours["2"] == "white"  # on violet


def test_narrow_columns_keep_their_names_and_ranks_readable(tables: Tables) -> None:
    finer = [tables.results.assign(definition=tables.results["definition"] + f"[blur={i}]") for i in range(4)]
    many = replace(tables, results=pd.concat([tables.results, *finer]))
    figure = drawn(rank_heatmap.draw, many)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert len(ax.get_xticks()) == 20
    for texts in (ax.get_xticklabels(), ax.texts[:20]):
        boxes = [text.get_window_extent() for text in texts]
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    assert "interval" not in figure.texts[-1].get_text()
    agreeing = drawn(metric_agreement.draw, many)
    agreeing.draw_without_rendering()
    boxes = [text.get_window_extent() for text in agreeing.axes[0].texts[:18]]
    assert not any(a.overlaps(b) for a, b in pairwise(boxes))


def test_a_name_that_is_nearer_to_another_point_has_a_line_to_its_own() -> None:
    with styled():
        figure = Figure(figsize=(3, 3), layout="constrained")
        ax = figure.subplots()
        points = [(0.5, 0.5), (0.505, 0.5), (0.51, 0.5)]
        placed = labels.place(figure, ax, points, ["first", "second", "third"])
        texts = [note.get_text() for note in placed]
        tied = [line for line in ax.lines if line.get_label() == "_leader"]
    assert sorted(texts) == ["first", "second", "third"]
    assert len(tied) >= 1
    for line in tied:
        assert (line.get_xdata()[0], line.get_ydata()[0]) in [pytest.approx(point) for point in points]


def test_names_cover_no_point_without_a_name() -> None:
    with styled():
        figure = Figure(figsize=(3, 3), layout="constrained")
        ax = figure.subplots()
        (note,) = labels.place(figure, ax, [(0.5, 0.5)], ["a long name"], [(0.6, 0.5)])
        spot = note.get_window_extent()
        assert not spot.contains(*ax.transData.transform((0.6, 0.5)))


def test_depth_draws_the_means_from_the_first_layer_to_the_last(tables: Tables) -> None:
    figure = drawn(depth.draw, tables)
    ax = figure.axes[0]
    line = next(line for line in ax.lines if line.get_label() == "grad_cam")
    rows = tables.results.query("model == 'net_a' and metric == 'deletion' and method == 'grad_cam'")
    np.testing.assert_allclose(line.get_ydata(), rows.groupby("layer")["value"].mean()[["features.8", "features.15"]])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["features.8", "features.15"]


def test_two_target_rules_are_never_in_one_panel(tables: Tables) -> None:
    second = tables.results.assign(cell=tables.results["cell"] + "b", target="5", target_rule="second")
    both = replace(tables, results=pd.concat([tables.results, second]))
    titles = [title for title, _ in panels(both.deepest)]
    assert titles[:2] == ["net_a, predicted: deletion ↓", "net_a, predicted: insertion ↑"]
    assert [title for title, _ in critical_difference.diagrams(both)] == titles
    assert len({*titles}) == 8


def test_layers_are_in_the_order_of_their_depth() -> None:
    names = ["features.15", "features", "input", "features.8", "features.8.conv2", "features.8.conv10"]
    order = ["features.8.conv2", "features.8.conv10", "features.8", "features.15", "features"]
    assert by_depth(pd.DataFrame({"layer": names})) == order


def test_known_depths_order_layers_whatever_their_names() -> None:
    layers = {"stem": 0.1, "layer1": 0.3, "layer3": 0.8, "input": np.nan}
    rows = pd.DataFrame({"layer": layers.keys(), "depth": layers.values()})
    assert by_depth(rows) == ["stem", "layer1", "layer3"]
    assert by_depth(rows.assign(depth=np.nan)) == ["layer1", "layer3", "stem"]
    # where one is not known, names tell
    assert by_depth(rows.assign(depth=[np.nan, 0.3, 0.8, np.nan])) == ["layer1", "layer3", "stem"]


@pytest.fixture
def staged(tables: Tables) -> Tables:
    """Return the tables with layers whose names are not in the order of their depths."""
    layers = {"features.8": "stem", "features.15": "layer3"}
    results = tables.results.replace({"layer": layers})
    depth = results["layer"].map({"stem": 0.2, "layer3": 0.9})
    return replace(tables, results=results.assign(depth=depth))


def test_figures_show_the_layer_that_is_deepest_in_the_model(staged: Tables) -> None:
    assert set(staged.deepest["layer"]) == {"layer3", "input"}
    assert set(replace(staged, results=staged.results.drop(columns="depth")).deepest["layer"]) == {"stem", "input"}
    ax = drawn(depth.draw, staged).axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["stem", "layer3"]


def test_agreement_is_kendall_below_and_spearman_above() -> None:
    scores = pd.DataFrame([[1.0, 2, 3, 4], [1, 3, 2, 4], [0, 0, 0, 0]])
    found = metric_agreement.agreement(scores)
    assert found[1, 0] == pytest.approx(4 / 6)  # five of six pairs in one order, one in the other
    assert found[0, 1] == pytest.approx(0.8)
    assert np.isnan(found[2, :2]).all()


def test_the_conformance_matrix_counts_and_colours_by_the_worst() -> None:
    rows = [("a", "captum", "agrees", False), ("a", "captum", "diverges", False), ("a", "captum", "skipped", False),
            ("b", "captum", "diverges", True), ("b", "linter", "agrees", False),
            ("a", "nowhere", "skipped", False)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["model", "check", "verdict", "red"])
    worst, words = conformance_matrix.matrix(frame)
    assert worst.loc["captum"].to_dict() == {"a": 2, "b": 3}
    assert words.loc["captum"].to_dict() == {"a": "1/2", "b": "0/1"}
    assert worst.loc["linter"].to_dict() == {"a": 0, "b": 1}
    assert list(worst.index) == ["captum", "linter"]
    drawn(conformance_matrix.draw, Tables(pd.DataFrame(), conformance=frame))


def test_an_overlay_mixes_the_map_and_the_grey_picture() -> None:
    picture = np.full((2, 2, 3), 0.5, np.float32)
    mixed = qualitative.overlay(picture, np.array([[0.0, 1.0], [0.0, 1.0]], np.float32), alpha=0.5)
    np.testing.assert_allclose(mixed[0, 0], 0.25 + 0.5 * np.array([0.001462, 0.000466, 0.013866]), atol=1e-5)
    np.testing.assert_allclose(mixed[0, 1], 0.25 + 0.5 * np.array([0.988362, 0.998364, 0.644924]), atol=1e-5)


def test_a_few_large_values_do_not_darken_a_map_of_single_pixels() -> None:
    raw = np.zeros((20, 20), np.float32)
    raw[:2, :10], raw[0, 0] = 1.0, 1000.0
    mixed = qualitative.overlay(np.zeros((20, 20, 3), np.float32), raw)
    np.testing.assert_allclose(mixed[:2, :10], np.broadcast_to(mixed[0, 0], (2, 10, 3)))


def test_the_grid_shows_the_stored_pictures_their_maps_and_the_classes_names(
    published: Callable[[], Path], tables: Tables
) -> None:
    run = published()
    kept = [entry for entry in PICTURES if entry.position not in (0, 3)]
    synthetic.pictures(run, kept, grey=lambda entry: 10 * entry.position)
    figure = drawn(qualitative.draw, replace(tables, run=run, images=8))
    first_of_row = [ax for ax in figure.axes if ax.get_ylabel()]
    assert [ax.get_ylabel() for ax in first_of_row] == ["net a\ngreat white\nshark"] * 4 + [
        "net b\ngreat white\nshark"
    ] * 4
    pictures = [ax.images[0].get_array() for ax in first_of_row]
    assert [round(255 * float(picture[0, 0, 0])) for picture in pictures[:4]] == [10, 20, 40, 50]
    column = [ax.get_title() for ax in figure.axes].index("LayerCAM")
    (cell,) = [c for c in cells("net_a") if (c.method, c.layer) == ("layer_cam", "features.15")]
    raw = maps(cell, PICTURES)
    for position, ax in zip((1, 2, 4, 5), figure.axes[column :: len(figure.axes) // 8], strict=False):
        expected = qualitative.overlay(np.full((8, 8, 3), position / 25.5, np.float32), raw[position])
        np.testing.assert_allclose(ax.images[0].get_array(), expected, atol=1e-6)


def test_figures_without_data_give_a_reason(tables: Tables, tmp_path: Path) -> None:
    bare = replace(tables, timing=pd.DataFrame(), curves=None, results=tables.results.query("layer != 'features.8'"))
    reasons = {found.name: found.reason for found in draw_all(bare, tmp_path, ["curves", "pareto", "depth",
               "qualitative", "conformance_matrix"])}  # fmt: skip
    assert "curves.parquet" in reasons["curves"]
    assert "timing.parquet" in reasons["pareto"]
    assert "one layer" in reasons["depth"]
    assert "maps" in reasons["qualitative"]
    assert "heatmark check" in reasons["conformance_matrix"]
    assert not list(tmp_path.iterdir())


def test_undefined_scores_and_costs_are_a_reason_not_an_error(tables: Tables, tmp_path: Path) -> None:
    lost = tables.results["value"].mask(tables.results["metric"] == "insertion")
    cases = {
        "insertion": replace(tables, results=tables.results.assign(value=lost)),
        "cost": replace(tables, timing=tables.timing.assign(cost_in_forwards=np.nan)),
    }
    for bare in cases.values():
        (found,) = draw_all(bare, tmp_path, ["pareto"])
        assert (found.files, found.failed) == ((), False)
        assert "no method has both" in found.reason


def test_a_figure_that_fails_gives_a_reason_and_all_others_are_drawn(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(tables: Tables) -> Figure:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(depth, "draw", broken)
    (tmp_path / "depth.pdf").write_text("an older one")
    found = {one.name: one for one in draw_all(tables, tmp_path, ["depth", "rank_heatmap"])}
    assert found["depth"].failed
    assert found["depth"].reason == "ZeroDivisionError: division by zero"
    assert not (tmp_path / "depth.pdf").exists()
    assert len(found["rank_heatmap"].files) == 2
    assert not found["rank_heatmap"].failed


def test_a_method_undefined_on_every_image_is_named_below_the_diagrams(tables: Tables) -> None:
    lost = (tables.results["method"] == "random") & (tables.results["metric"] == "insertion")
    holed = replace(tables, results=tables.results.assign(value=tables.results["value"].mask(lost)))
    parts = critical_difference.diagrams(holed)
    assert len(parts) == 4
    assert [list(found.left_out) for _, found in parts] == [[], ["random"]] * 2
    note = drawn(critical_difference.draw, holed).texts[-1].get_text().replace("\n", " ")
    assert "undefined on every image: random (net_a: insertion ↑); random (net_b: insertion ↑)." in note
    assert "Left out" not in drawn(critical_difference.draw, tables).texts[-1].get_text()


def test_judges_of_one_metric_have_distinct_names(tables: Tables) -> None:
    second = tables.results.assign(cell=tables.results["cell"] + "b", target="5", target_rule="second")
    finer = tables.results[tables.results["metric"] == "deletion"].assign(definition="deletion:rise-2018[steps=9]")
    both = replace(tables, results=pd.concat([tables.results, second, finer]))
    index = metric_agreement.panel_of_judges(both).index
    assert index.is_unique
    assert ("net_a, second", "insertion") in index
    assert ("net_a, predicted", "deletion:rise-2018[steps=9]") in index
    ax = drawn(metric_agreement.draw, both).axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[0] == "1  deletion:rise-2018[steps=4],\nnet_a, predicted"
    for titles in ([title for title, _ in panels(both.deepest)], [t for t, _ in critical_difference.diagrams(both)]):
        assert len(set(titles)) == len(titles) == 10
    assert rank_heatmap.rank_table(both).columns.droplevel(2).is_unique


def test_two_definitions_of_faithfulness_are_two_panels(tables: Tables) -> None:
    finer = tables.results[tables.results["metric"] == "deletion"].assign(definition="deletion:fine")
    figure = drawn(pareto.draw, replace(tables, results=pd.concat([tables.results, finer])))
    assert [ax.get_title("left").replace("\n", " ") for ax in figure.axes][:2] == [
        "net_a: insertion:rise-2018[steps=4] − deletion:fine",
        "net_a: insertion:rise-2018[steps=4] − deletion:rise-2018[steps=4]",
    ]


def test_the_note_gives_the_range_of_the_panels_numbers_of_images(tables: Tables) -> None:
    few = (tables.results["model"] == "net_b") & (tables.results["image"] > "image-5")
    note = drawn(curves.draw, replace(tables, results=tables.results[~few])).texts[-1].get_text()
    assert note.startswith("Means over 8 to 12 images with")
    assert drawn(curves.draw, tables).texts[-1].get_text().startswith("Means over 12 images with")


def test_the_note_on_repeated_maps_names_their_settings(tables: Tables) -> None:
    same = "Methods with the same maps, drawn once: Grad-CAM = Grad-CAM (pgc) on"
    assert repeats(tables) == f"{same} net_a and net_b."
    second = tables.results.assign(cell=tables.results["cell"] + "b", target="5", target_rule="second")
    library = (second["method"] == "pgc_grad_cam") & (second["model"] == "net_a")
    second["map_of"] = (second["map_of"] + "b").mask(library, second["cell"])
    both = replace(tables, results=pd.concat([tables.results, second]))
    told = "net_a, predicted and net_b, predicted and net_b, second"
    assert repeats(both) == f"{same} {told}."


@pytest.fixture
def varied(published: Callable[[], Path], tables: Tables) -> Tables:
    """Return the run read back, with LayerCAM under two sets of options."""
    run = published()
    for name in ("results", "timing"):
        frame = getattr(tables, name)
        other = frame[frame["method"] == "layer_cam"]
        other = other.assign(cell=other["cell"] + "b")
        if name == "results":
            frame, other = frame.assign(options='{"relu":true}'), other.assign(options='{"relu":false}')
            other["value"] += 0.1 - 0.05 * other["value"]
            other["map_of"] = other["cell"]
        pd.concat([frame, other], ignore_index=True).to_parquet(run / f"{name}.parquet")
    assert tables.curves is not None
    of_cells = [tables.curves.of(cell) for cell in tables.results["cell"].unique()]
    of_cells += [rows.assign(cell=rows["cell"] + "b") for rows in of_cells]
    known = schema(CURVES_COLUMNS)
    whole = [rows.reindex(columns=known.names, fill_value="") for rows in of_cells]
    stream([pa.Table.from_pandas(rows, known, preserve_index=False) for rows in whole], known, run / "curves.parquet")
    return load(run, tables.names)


def test_curves_with_points_of_their_own_and_logits_are_drawn_whole(
    tables: Tables, published: Callable[[], Path]
) -> None:
    run = published()
    assert tables.curves is not None
    known = schema(CURVES_COLUMNS)
    whole = []
    for cell in tables.results["cell"].unique():
        rows = tables.curves.of(cell).reindex(columns=known.names, fill_value="")
        inner = 0.3 + 0.4 * np.arange(len(rows)) / len(rows)  # a point that no other image has
        rows["fraction"] = [np.array([0, point, 1], np.float32) for point in inner]
        images = pd.factorize(rows["image"])[0]
        apart = images - images.mean()  # of images, with a mean of 0: a mean of some images is off the line 20 - 30 x
        rows["score"] = [
            a + np.array([20, 20 - 30 * point, -10], np.float32) for point, a in zip(inner, apart, strict=True)
        ]
        whole.append(pa.Table.from_pandas(rows, known, preserve_index=False))
    stream(whole, known, run / "curves.parquet")
    panel = drawn(curves.draw, load(run, tables.names)).axes[0]
    x, y = panel.lines[0].get_data()
    assert len(x) > 3
    np.testing.assert_allclose(y, 20 - 30 * np.asarray(x), atol=1e-5)
    low, high = panel.get_ylim()
    assert (low < -10, high > 20) == (True, True)


def test_two_sets_of_options_are_two_methods_in_every_figure(varied: Tables, tmp_path: Path) -> None:
    both = {"layer_cam relu=false", "layer_cam relu=true"}
    for frame in (varied.results, varied.timing):
        assert set(frame["method"]) == both | {"grad_cam", "pgc_grad_cam", "random"}
    assert both <= set(rank_heatmap.rank_table(varied).index)
    labels = {"LayerCAM relu=false", "LayerCAM relu=true"}
    assert labels <= {text.get_text() for text in drawn(pareto.draw, varied).axes[0].texts}
    assert labels <= set(critical_difference.diagrams(varied)[0][1].mean_ranks.index)
    assert len(drawn(curves.draw, varied).axes[0].lines) == 4
    assert both <= set(metric_agreement.panel_of_judges(varied).columns)
    assert all(one.files for one in draw_all(varied, tmp_path, FIGURES))


def test_sets_of_options_share_a_colour_and_differ_in_their_marker(varied: Tables) -> None:
    found = looks(varied)
    one, other = found["layer_cam relu=false"], found["layer_cam relu=true"]
    assert one.colour == other.colour != found["grad_cam"].colour
    assert one.marker != other.marker
    assert varied.label("layer_cam relu=true") == "LayerCAM relu=true"
    assert varied.label("pgc_grad_cam a=1 b=x_y") == "Grad-CAM (pgc) a=1 b=x_y"
    assert family("captum_layer_grad_cam a=1") == "grad_cam"
    grey = looks(Tables(varied.results.replace({"method": {"random": "random seed=1"}})))
    assert grey["random seed=1"].colour == looks(varied)["random"].colour


def test_an_unknown_figure_raises_and_names_the_nearest(tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="curves"):
        list(draw_all(tables, tmp_path, ["curve"]))


def test_tables_are_read_back_from_the_folder(published: Callable[[], Path], tables: Tables) -> None:
    pd.testing.assert_frame_equal(load(published()).results, tables.results)
    with pytest.raises(ValueError, match="heatmark sweep"):
        load(Path("nowhere"))


def test_a_family_shares_its_colour_and_reference_libraries_have_open_markers(tables: Tables) -> None:
    found = looks(tables)
    assert found["grad_cam"].colour == found["pgc_grad_cam"].colour != found["layer_cam"].colour
    assert (found["grad_cam"].filled, found["pgc_grad_cam"].filled) == (True, False)
    assert found["grad_cam"].dashes != found["pgc_grad_cam"].dashes
    assert tables.label("pgc_grad_cam") == "Grad-CAM (pgc)"


def test_points_of_a_pareto_panel_are_means_over_the_same_images(tables: Tables) -> None:
    # LayerCAM is undefined on half of the images
    lost = (tables.results["method"] == "layer_cam") & (tables.results["image"] > "image-4")
    holed = replace(tables, results=tables.results.assign(value=tables.results["value"].mask(lost)))
    figure = drawn(pareto.draw, holed)
    points = {line.get_label(): line.get_ydata()[0] for line in figure.axes[0].lines}
    rows = tables.deepest.query("model == 'net_a' and method == 'grad_cam' and image <= 'image-4'")
    mean = rows.groupby("metric")["value"].mean()
    assert points["grad_cam"] == pytest.approx(mean["insertion"] - mean["deletion"])
    assert figure.texts[-1].get_text().startswith("Means over 7 images, the same for all methods of a panel")


def test_two_checkpoints_of_one_label_are_two_panels(tables: Tables) -> None:
    mine = tables.results[tables.results["model"] == "net_a"]
    both = [mine.assign(weights=f"best #{d}", weights_digest=d, cell=mine["cell"] + d, map_of="") for d in "12"]
    found = [title for title, _ in panels(replace(tables, results=pd.concat(both)).deepest)]
    assert found == [f"net_a, best #{d}: {metric}" for d in "12" for metric in ("deletion ↓", "insertion ↑")]


def test_bands_and_diagrams_are_over_groups(tables: Tables) -> None:
    number = tables.results["image"].str.removeprefix("image-").astype(int)
    grouped = replace(tables, results=tables.results.assign(group="p" + (number // 3).astype(str)))
    assert "Student's t over groups of images" in drawn(curves.draw, grouped).texts[-1].get_text().replace("\n", " ")
    band = drawn(curves.draw, grouped).axes[0].collections[0].get_paths()[0].vertices[:, 1]
    plain_band = drawn(curves.draw, tables).axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert not np.allclose(band, plain_band)
    assert {found.n_blocks for _, found in critical_difference.diagrams(grouped)} == {4}
    assert "over 4 groups" in drawn(critical_difference.draw, grouped).texts[-1].get_text()


def test_without_maps_figures_say_that_repeats_were_not_looked_for(tables: Tables) -> None:
    mapless = replace(tables, results=tables.results.drop(columns="map_of"))
    assert "not looked for" in drawn(critical_difference.draw, mapless).texts[-1].get_text().replace("\n", " ")
    assert len(critical_difference.diagrams(mapless)[0][1].mean_ranks) == 4  # pgc_grad_cam competes


def test_a_method_flagged_on_most_images_is_marked_in_the_heatmap(tables: Tables) -> None:
    hit = (tables.results["method"] == "layer_cam") & (tables.results["image"] < "image-7")
    status = tables.results["status"].mask(hit, "degenerate")
    figure = drawn(rank_heatmap.draw, replace(tables, results=tables.results.assign(status=status)))
    assert any(text.get_text().startswith("2†") for text in figure.axes[0].texts)
    assert "†: map flagged as degenerate on most images" in figure.texts[-1].get_text().replace("\n", " ")


def test_a_descriptive_metric_is_drawn_and_never_ranked(tables: Tables, tmp_path: Path) -> None:
    deletion = tables.results["metric"] == "deletion"
    neutral = tables.results["higher_is_better"].mask(deletion)
    both = replace(tables, results=tables.results.assign(higher_is_better=neutral))
    assert {key[1] for key in rank_heatmap.rank_table(both).columns} == {"insertion ↑"}
    assert [title for title, _ in critical_difference.diagrams(both)] == ["net_a: insertion ↑", "net_b: insertion ↑"]
    assert [ax.get_title("left") for ax in drawn(curves.draw, both).axes][:2] == [
        "net_a: deletion",
        "net_a: insertion ↑",
    ]
    assert drawn(depth.draw, both).axes[0].get_ylabel() == "deletion"
    only = replace(both, results=both.results[deletion])
    outcomes = {one.name: one for one in draw_all(only, tmp_path, FIGURES)}
    assert [one.reason for one in outcomes.values() if one.failed] == []
    assert not outcomes["rank_heatmap"].files


def test_a_map_that_is_not_kept_is_said(published: Callable[[], Path], tables: Tables) -> None:
    run = published()
    synthetic.pictures(run, PICTURES)
    (cell,) = [c for c in cells("net_a") if (c.method, c.layer) == ("layer_cam", "features.15")]
    table = pq.read_table(run / "store" / "maps")
    bare = [
        None if key == cell.key else raw
        for key, raw in zip(table["key"].to_pylist(), table["map"].to_pylist(), strict=True)
    ]
    shutil.rmtree(run / "store" / "maps")
    Store(run).put("maps", table.set_column(table.column_names.index("map"), "map", pa.array(bare, pa.binary())))
    figure = drawn(qualitative.draw, replace(tables, run=run, images=2))
    column = [ax.get_title() for ax in figure.axes].index("LayerCAM")
    width = len(figure.axes) // 2
    said = [[text.get_text() for text in ax.texts] for ax in figure.axes[column::width]]
    assert said == [["n/a"], []]  # net_b keeps its maps
