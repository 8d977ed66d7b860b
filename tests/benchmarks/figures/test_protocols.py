"""Tests of the figure of protocols: it shows ranks and agreement, and no text covers another."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from heatmark.benchmarks.figures import protocols
from heatmark.benchmarks.figures.style import CONTROL_DASHES, GREY, ONE_COLUMN, SMALL, TWO_COLUMNS, styled
from heatmark.benchmarks.figures.tables import Tables
from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.agreement import agreement
from heatmark.metrics.protocols import PROTOCOLS

METHODS = ["grad_cam", "layer_cam", "captum_integrated_gradients", "random"]
IMAGES = 8


def under(presets: list[str], methods: list[str], metric: str = "deletion", seed: int = 0) -> pd.DataFrame:
    """Return results of methods under presets of a metric; the first preset is the metric by itself."""
    rng = np.random.default_rng(seed)
    frames = []
    for number, preset in enumerate(presets):
        for place, method in enumerate(methods):
            facts = dict.fromkeys([*SETTING, "group", "reason"], "") | {"model": "net"}
            name = f"{metric}(preset={preset})" if number else metric
            frames.append(pd.DataFrame(facts | {
                "cell": method, "layer": "last", "method": method, "implementation": "heatmark", "options": "",
                "metric": name, "definition": f"{metric}:{preset}", "higher_is_better": metric == "insertion",
                "status": "ok", "image": [str(i) for i in range(IMAGES)], "target": "0", "map_of": method,
                "value": place + (1 + number) * rng.normal(size=IMAGES),
            }, index=range(IMAGES)))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def drawn(results: pd.DataFrame) -> Figure:
    with styled():
        figure = protocols.draw(Tables(results))
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    return figure


def test_lines_are_ranks_and_the_matrix_is_agreement() -> None:
    results = under(["heatmark-1", "rise-2018", "idsds"], METHODS)
    ranks, matrix = drawn(results).axes
    assert ranks.get_title("left") == "net: deletion ↓"
    pairs = {frozenset((row.one, row.other)): row for row in agreement(results).itertuples()}
    tau = {name: pairs[frozenset(("deletion:heatmark-1", f"deletion:{name}"))].tau for name in ("rise-2018", "idsds")}
    order = ["heatmark-1", *sorted(tau, key=lambda name: (-tau[name], name))]
    for ax in (ranks, matrix):
        assert [label.get_text() for label in ax.get_xticklabels()] == order
    means = results.pivot_table(index="method", columns="definition", values="value")
    for line in (line for line in ranks.lines if line.get_label() in METHODS):
        expected = means.rank().loc[line.get_label(), [f"deletion:{name}" for name in order]]
        np.testing.assert_array_equal(line.get_ydata(), expected)
    texts = {text.get_position(): text.get_text() for text in matrix.texts}
    assert len(texts) == 6
    for (i, one), (j, other) in combinations(enumerate(order), 2):
        row = pairs[frozenset((f"deletion:{one}", f"deletion:{other}"))]
        assert texts[i, j] == protocols._number(row.tau)
        assert texts[j, i].split("\n") == [protocols._number(row.low), protocols._number(row.high)]


def test_each_metric_with_two_definitions_has_a_row() -> None:
    two, one = under(["heatmark-1", "idsds"], METHODS), under(["heatmark-1"], METHODS, "morf")
    found = drawn(pd.concat([two, under(["heatmark-1", "srg-2024"], METHODS, "insertion"), one]))
    assert [ax.get_title("left") for ax in found.axes[::2]] == ["net: deletion ↓", "net: insertion ↑"]
    for lacking in (one, two[two["method"] == "random"]):
        assert "metric=deletion*" in str(protocols.draw(Tables(lacking)))


def test_the_metric_by_itself_is_first_and_controls_are_grey() -> None:
    results = under(["rise-2018", "heatmark-1"], METHODS)
    found = next(protocols.parts(Tables(results)))
    assert list(found.ranks.columns) == ["deletion:rise-2018", "deletion:heatmark-1"]
    random = next(line for line in drawn(results).axes[0].lines if line.get_label() == "random")
    assert (random.get_color(), random._unscaled_dash_pattern) == (GREY, (0, CONTROL_DASHES[1]))


def test_numbers_have_few_letters() -> None:
    assert [protocols._number(value) for value in (0.834, -0.2, 1, -1, 0, np.nan)] == [
        ".83", "−.20", "1", "−1", ".00", "–",
    ]  # fmt: skip


@pytest.mark.parametrize(("methods", "width"), [(METHODS[:2], ONE_COLUMN), (METHODS, TWO_COLUMNS), (None, TWO_COLUMNS)])
def test_no_text_covers_another(methods: list[str] | None, width: float) -> None:
    many = [*METHODS, *(f"captum_method_of_number_{number}" for number in range(21))]
    presets = list(PROTOCOLS) if methods != METHODS[:2] else ["heatmark-1", "attribench-0.1.9"]
    results = pd.concat([under(presets, methods or many, metric) for metric in ("deletion", "insertion")])
    figure = drawn(results)
    assert figure.get_figwidth() == width
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    assert min(text.get_fontsize() for text in texts) >= SMALL
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    for text, box in boxes:
        assert figure.bbox.padded(2).containsx(box.x0), text
        assert figure.bbox.padded(2).containsx(box.x1), text
    for (one, first), (other, second) in combinations(boxes, 2):
        assert not first.padded(-0.5).overlaps(second.padded(-0.5)), (one, other)
