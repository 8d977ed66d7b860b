"""Tests of the command ``heatmark report``."""

import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from heatmark.benchmarks.cli import dispatch

from .test_page import data


@pytest.fixture(autouse=True)
def own_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give back sys.argv, which the command line sets for Hydra."""
    monkeypatch.setattr(sys, "argv", ["heatmark"])


def test_a_run_becomes_one_file_with_its_figures(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(run, tmp_path / "runs" / "mine [1]")
    (folder / "figures").mkdir()
    for name in ("pareto_front", "rank_heatmap"):
        Image.new("RGB", (200, 100), "red").save(folder / "figures" / f"{name}.png")
    assert dispatch(["report", "name='mine [1]'", f"results_dir={folder.parent}", "images=2"]) == 0
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "<title>mine [1] · Heatmark</title>" in html
    for name in ("pareto front", "rank heatmap"):
        assert html.count(f'alt="{name}"><figcaption>{name}</figcaption>') == 1
    assert html.count('<img src="data:image/webp;base64,') == 2
    assert [image["name"] for image in data(html)["images"]] == ["shapes-test-00000", "shapes-test-00001"]
    said = capsys.readouterr().out
    assert said.startswith(f"{folder / 'report.html'} (0.")
    assert said.endswith("MB): open it in a browser\n")


def test_a_run_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["report", "nowhere", f"results_dir={tmp_path}"]) == 1
    said = capsys.readouterr().err
    assert f"heatmark report: no run 'nowhere' in {tmp_path}: expected a folder that heatmark sweep has written" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("images", ["0", "-1", "some"])
def test_an_invalid_number_of_images_is_an_error(run: Path, images: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["report", f"name='{run.name}'", f"results_dir={run.parent}", f"images={images}"]) == 1
    assert "expected a number of at least 1, or null for all" in capsys.readouterr().err
