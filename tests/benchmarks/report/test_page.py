"""Tests of the report's HTML, without a browser."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from heatmark.benchmarks.report.figures import figures
from heatmark.benchmarks.report.page import breakable, latency, page, rank
from heatmark.benchmarks.report.settings import varying
from heatmark.benchmarks.report.troubles import failures
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.tables.gather import gather

from .. import synthetic
from .conftest import HOSTILE, IMAGES, PICTURES, cell, maps, values


def data(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html)
    assert "default-src 'none'" in html


def test_names_are_escaped_in_text_and_in_data(html: str) -> None:
    assert HOSTILE not in html
    assert HOSTILE in {cell["method"] for cell in data(html)["cells"]}
    assert "a ReLU is &lt;used&gt; twice" in html


def test_the_gallery_holds_every_cell_and_each_picture_once(html: str) -> None:
    gallery = data(html)
    assert len(gallery["cells"]) == 2 * 5 * 2
    assert [image["name"] for image in gallery["images"]] == IMAGES
    assert [image["label"] for image in gallery["images"]][:3] == ["circle", "square", "triangle"]
    assert len(gallery["pictures"]) == 6  # both models see the same
    cell = next(t for t in gallery["cells"] if t["method"] == HOSTILE and t["targets"][0] == "3")
    assert cell["values"]["insertion:rise-2018"][2] is None
    assert cell["values"]["deletion:rise-2018"][:2] in ([0.403, 0.413], [0.503, 0.513])


def test_repeated_maps_faults_and_reasons_are_shown(html: str) -> None:
    assert "= grad_<wbr>cam" in html
    assert "marks a method with the same maps as another" in html
    assert "1 undefined" in html
    assert "undefined insertion:rise-2018" in html
    assert re.search(r"<td>constant</td>\s*<td class=\"num\">1 of 6</td>", html)
    assert "RuntimeError: out of luck" in html


def test_a_run_without_pictures_says_so_and_shows_its_maps(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "without")
    for file in (copy / "requests").iterdir():
        text = file.read_text()
        if "shapes_plain" in text:
            file.write_text(text.replace('"pictures_key": "p"', '"pictures_key": "none"'))
    html = page(copy, None, True)
    said = "Missing pictures: shapes_plain on shapes: the run keeps no pictures of it; run the same heatmark sweep"
    assert html.count("Missing pictures: ") == html.count(said) == 1
    with_pictures = {subject["model"]: len(subject["pictures"]) for subject in data(html)["subjects"]}
    assert with_pictures == {"shapes_plain": 0, "shapes_residual": 6}
    assert "Missing pictures" not in page(copy, None, False)  # nobody asked for them


def test_shown_images_without_a_stored_picture_are_counted(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "fewer")
    shutil.rmtree(copy / "store" / "pictures")
    synthetic.pictures(copy, PICTURES[:4])
    said = "2 of 6 images have no picture; the run keeps only the first 4"
    assert page(copy, None, True).count(said) == 2
    assert "have no picture" not in page(copy, 4, True)


def test_target_rules_are_shown_where_a_run_has_several(html: str) -> None:
    assert re.search(r'<select name="target_rule">.*<option>3</option><option>7</option>', html)
    assert html.count('data-target_rule="3"') == html.count('data-target_rule="7"') == 10


def test_figures_are_embedded_by_name(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 100), "red").save(tmp_path / "pareto_front.png")
    (figure,) = figures(tmp_path)
    assert figure.name == "pareto front"
    assert figure.uri.startswith("data:image/webp;base64,")


def test_ranks_are_not_rounded(varied_html: str) -> None:
    assert [rank(value) for value in (1.0, 1.5, 2.5, 12.0)] == ["1", "1.5", "2.5", "12"]
    tied = re.findall(r'data-value="1.5">\s*<span class="mean">([^<]*)</span>', varied_html)
    assert tied == ["1.5"] * 4  # two methods of one mean, under two metrics


def test_rows_name_their_device_and_precision_where_a_run_has_several(varied_html: str, html: str) -> None:
    small = re.findall(r'data-value="shapes_residual">shapes_residual<span class="by">(.*?)</span>', varied_html)
    assert [small.count(f"shapes · {place}") for place in ("cpu · fp32", "cuda · fp32", "cuda · bf16")] == [5, 5, 5]
    assert 'shapes_residual<span class="by">shapes</span>' in html
    assert 'select name="device"' not in html


def test_faults_name_their_device_and_precision(varied_html: str) -> None:
    cell = '<th scope="row">layer_cam</th><td>shapes_residual<span class="by">cuda</span><span class="by">bf16</span>'
    assert varied_html.count(cell) == 2  # at two layers


def test_failed_cells_have_distinct_names() -> None:
    facts = {
        "cell": "a",
        "model": "toy",
        "layer": "last",
        "method": "rise",
        "status": "error",
        "reason": "no",
        "metric": "",
        "image": "",
    }
    rows = pd.DataFrame([{**facts, "weights": "w", "device": d, "precision": "fp32"} for d in ("cpu", "cuda")])
    assert varying(rows) == ["device"]
    assert failures(rows, varying(rows))[0].cells == ["toy · last · rise · cpu", "toy · last · rise · cuda"]


@pytest.mark.parametrize(
    ("models", "weights", "told"),
    [(["a", "b"], ["v1", "v2"], []), (["a", "a"], ["v1", "v2"], ["weights"]), (["a", "a"], ["v1", ""], [])],
)
def test_weights_are_shown_where_one_model_has_several(models: list[str], weights: list[str], told: list[str]) -> None:
    assert varying(pd.DataFrame({"model": models, "weights": weights, "device": "cpu", "precision": "fp32"})) == told


def test_the_button_of_a_flagged_image_that_the_gallery_lacks_is_disabled(run: Path) -> None:
    buttons = re.findall(r'<button type="button" class="look".*?>', page(run, 1, False))
    assert len(buttons) == 8
    reason = 'disabled title="not in the gallery, which shows the first 1 of 6 images"'
    assert all(reason in button for button in buttons)
    assert not any("disabled" in button for button in re.findall(r'class="look".*?>', page(run, None, False)))


def test_two_sets_of_options_have_two_names(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "options")
    results = pd.read_parquet(copy / "results.parquet")
    again = results[results["method"] == "random"].assign(cell=lambda rows: rows["cell"] + "-again")
    options = [(results.assign(options='{"masks":1}')), again.assign(options='{"masks":2}')]
    pd.concat(options, ignore_index=True).to_parquet(copy / "results.parquet")
    html = page(copy, None, False)
    assert len(re.findall(r'data-value="random masks=1"', html)) == len(
        re.findall(r'data-value="random masks=2"', html)
    )
    assert {"random masks=1", "random masks=2"} < {cell["method"] for cell in data(html)["cells"]}
    assert 'data-value="random"' not in html


def test_long_names_may_break_and_long_latencies_have_no_decimals() -> None:
    assert breakable("a_b.<c>.0") == "a_<wbr>b.<wbr>&lt;c&gt;.<wbr>0"
    found = [latency(value) for value in (3.04, 99.94, 100.4, 4934.8, float("nan"))]
    assert found == ["3.0", "99.9", "100", "4935", "–"]


def test_means_without_flagged_maps_are_shown_with_n(html: str) -> None:
    # layer_cam is flagged on the second of six images, whose deletion is 0.313
    assert '<span class="badge">1 of 6</span>' in html
    assert "</abbr> 0.331, n 5</span>" in html  # (0.303 + 0.323 + … + 0.353) / 5


def test_maps_that_are_not_kept_are_said_for_each_image(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "mapless")
    table = pq.read_table(copy / "store" / "maps")
    rows = {entry.row() for entry in PICTURES[:2]}
    kept = [
        raw if row in rows else None
        for row, raw in zip(table["row"].to_pylist(), table["map"].to_pylist(), strict=True)
    ]
    shutil.rmtree(copy / "store" / "maps")
    Store(copy).put("maps", table.set_column(table.column_names.index("map"), "map", pa.array(kept, pa.binary())))
    cells = {cell["targets"][0]: cell for cell in data(page(copy, None, False))["cells"] if cell["method"] == "random"}
    assert cells["3"]["map"]["kept"] == [True, True, False, False, False, False]
    assert cells["7"]["map"] is None


def test_a_descriptive_metric_has_no_arrow_and_no_rank(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "neutral")
    results = pd.read_parquet(copy / "results.parquet")
    results["higher_is_better"] = results["higher_is_better"].mask(results["metric"] == "deletion")
    results.to_parquet(copy / "results.parquet")
    html = page(copy, None, False)
    assert "deletion ↓" not in html
    assert "deletion ↑" not in html
    assert "insertion ↑" in html
    assert "descriptive: no value is better than another" in html
    assert "sorted by rank under insertion" in html
    directions = {d["metric"]: d["higher_is_better"] for d in data(html)["definitions"]}
    assert directions == {"deletion": None, "insertion": True}


def test_the_page_states_the_hypotheses_of_the_tests(html: str) -> None:
    assert "hypothesis: paired differences are distributed symmetrically about 0" in html


def test_two_checkpoints_of_one_label_have_two_names_and_their_own_pictures(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "best")
    shutil.rmtree(copy / "requests")
    cells = [cell("shapes_plain", "grad_cam")]
    for digest, key in (("1111aaaa", "one"), ("2222bbbb", "two")):
        mine = [replace(c, key=c.key + key) for c in cells]
        facts = {"weights": "shapes", "weights_digest": digest, "pictures_key": key, "classes": [key]}
        asked = synthetic.request(mine, PICTURES, model="shapes_plain", **facts)
        synthetic.write(copy, asked, synthetic.Numbers(values, maps, points=8))
        synthetic.pictures(copy, PICTURES, key)
    gather(copy)
    html = page(copy, None, True)
    classes = {subject["weights"]: subject["classes"] for subject in data(html)["subjects"]}
    assert classes == {"shapes@1111aaa": ["one"], "shapes@2222bbb": ["two"]}
    assert all(subject["pictures"] for subject in data(html)["subjects"])
    assert "<option>shapes@1111aaa</option><option>shapes@2222bbb</option>" in html


def test_jobs_are_in_the_order_of_the_tables(run: Path, html: str, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    facts = json.loads((copy / "provenance.json").read_text())
    facts["jobs"].sort(key=lambda job: job["model"], reverse=True)
    (copy / "provenance.json").write_text(json.dumps(facts))
    wanted = ["shapes_plain"] * 2 + ["shapes_residual"] * 2
    for made in (html, page(copy, 1, False)):
        assert re.findall(r"<summary><b>(\w+)</b>", made) == wanted
