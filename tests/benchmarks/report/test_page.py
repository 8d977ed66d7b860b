"""What the page says, read without a browser."""

import json
import re
from pathlib import Path

from PIL import Image

from benchmarks.report.figures import figures
from benchmarks.report.pictures import seen

from .conftest import HOSTILE, IMAGES, shard


def data(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html)
    assert "default-src 'none'" in html


def test_names_are_escaped_in_text_and_in_data(html: str) -> None:
    assert HOSTILE not in html
    assert HOSTILE in {trial["method"] for trial in data(html)["trials"]}
    assert "a ReLU is &lt;used&gt; twice" in html


def test_the_gallery_holds_every_trial_and_each_picture_once(html: str) -> None:
    gallery = data(html)
    assert len(gallery["trials"]) == 2 * 5 * 2
    assert [image["name"] for image in gallery["images"]] == IMAGES
    assert [image["label"] for image in gallery["images"]][:3] == ["circle", "square", "triangle"]
    assert len(gallery["pictures"]) == 6  # both models see the same
    trial = next(t for t in gallery["trials"] if t["method"] == HOSTILE and t["targets"][0] == "3")
    assert trial["values"]["insertion:rise-2018"][2] is None
    assert trial["values"]["deletion:rise-2018"][:2] in ([0.403, 0.413], [0.503, 0.513])


def test_repeats_faults_and_reasons_are_told(html: str) -> None:
    assert "= grad_<wbr>cam" in html
    assert "1 undefined" in html
    assert "undefined insertion:rise-2018" in html
    assert re.search(r"<td>constant</td>\s*<td class=\"num\">1 of 6</td>", html)
    assert "RuntimeError: out of luck" in html


def test_a_dataset_that_is_gone_is_a_remark_and_no_failure() -> None:
    config = shard("shapes_plain")["config"]
    config["dataset"] = {"_target_": "benchmarks.data.folder.Folder", "root": "gone"}
    view = seen(config, {"a"})
    assert view.pictures == {}
    assert "does not exist" in view.problem


def test_targets_are_told_apart_where_a_run_has_several(html: str) -> None:
    assert re.search(r'<select name="target_rule">.*<option>3</option><option>7</option>', html)
    assert html.count('data-target_rule="3"') == html.count('data-target_rule="7"') == 10


def test_figures_are_embedded_by_name(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 100), "red").save(tmp_path / "pareto_front.png")
    (figure,) = figures(tmp_path)
    assert figure.name == "pareto front"
    assert figure.uri.startswith("data:image/webp;base64,")
