"""Mistakes that are easily made from Python: each is a ValueError that says what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rich.console
import rich.jupyter
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import heatmark as hm
from heatmark.benchmarks.face.html import leaderboards, showing_itself

PICTURES = np.zeros((2, 16, 16, 3), np.uint8)
QUICK: dict[str, Any] = {"timing": False, "progress": False}


class Tiny(nn.Module):
    """A network of 10 classes for pictures of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.conv(images).relu().mean((2, 3)))
        return logits


def three(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
    return torch.zeros(3, 5, 5)


def channels(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> Tensor:
    return images


def nothing(model: nn.Module, images: Tensor, targets: Tensor, layer: str) -> None:
    return None


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (three, r"three at conv: the method gave \(3, 5, 5\) for 1 images, expected \(N, h, w\)"),
        (channels, r"channels at conv: the method gave \(1, 3, 224, 224\) for 1 images"),
        (nothing, r"the function nothing returned a NoneType, expected maps \(N, h, w\)"),
    ],
)
def test_a_method_of_other_maps_than_one_per_picture_is_not_shown(method: Callable[..., Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        hm.explain(Tiny(), PICTURES, [method])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"methods": []}, "method is empty"),
        ({"layer": []}, "layer is empty"),
        ({"target": []}, "target is empty"),
        ({"target": 1.5}, r"a class is 1\.5 \(float\), expected its number or its name"),
        ({"target": None}, r"a class is None \(NoneType\)"),
    ],
)
def test_explain(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        hm.explain(Tiny(), PICTURES, **{"methods": ["grad_cam"], **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"layers": []}, "layer is empty, expected at least one"),
        ({"layer": "last"}, r"sweep has no setting 'layer': did you mean layers\?"),
        ({"batchsize": 4}, "sweep has no setting 'batchsize': did you mean batch_size"),
        (
            {"metrics": ["deletion(steps=4)", "insertion_minus_deletion"]},
            r'add it under this name .*\{"insertion": "insertion\(steps=14\)"',
        ),
    ],
)
def test_sweep(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    asked = {"methods": ["grad_cam"], "metrics": ["deletion(steps=4)"], **QUICK, **given}
    with pytest.raises(ValueError, match=said):
        hm.sweep(Tiny(), PICTURES, out=tmp_path / "run", **asked)


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        (np.full((2, 8, 8), "a"), "no real numbers"),
        ({}, "the mapping is empty"),
    ],
)
def test_score(maps: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        hm.score(maps, Tiny(), PICTURES, ["deletion(steps=4)"])


def test_small_pictures_are_not_framed_in_black_without_a_word() -> None:
    with pytest.raises(ValueError, match=r"resize is 32, less than crop \[224, 224\]: pictures would have black"):
        hm.load_model(Tiny(), preprocessing={"resize": 32})
    own = hm.load_model(Tiny(), preprocessing={"resize": 32, "crop": [32, 48]})
    assert repr(own) == "Classifier Tiny (own): classes without names, pictures of 32×48, layers last=auto"


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no run in the folder .*mine \(looked for .*\): expected one that heatmark"):
        hm.load_run(str(tmp_path / "mine"))


def test_a_check_is_against_a_method_whose_stages_are_known() -> None:
    with pytest.raises(ValueError, match="pgc_grad_cam is of pytorch_grad_cam, expected an in-house method with"):
        hm.check("grad_cam", against="pgc_grad_cam")


def test_a_check_shows_itself_once_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(rich.jupyter, "display", lambda *given: shown.append(given))
    assert "grad_cam against grad_cam" in repr(found := hm.check("grad_cam"))
    assert "agree" in found._repr_html_()
    assert not shown


def test_a_figure_shows_itself_as_a_picture() -> None:
    assert showing_itself(Figure())._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_a_run_in_letters_and_in_html(tmp_path: Path) -> None:
    pictures = hm.load_images("shapes", limit=3)
    methods, metrics = ["grad_cam", "random"], ["deletion(steps=4)"]
    run = hm.sweep("shapes_residual", pictures, methods, metrics, out=tmp_path, batch_size=4, **QUICK)
    text = str(run)
    assert text.startswith(repr(run))
    assert "gain over random" in text
    assert "controls stand last, whatever their rank" in " ".join(text.split())
    assert [line.split()[1] for line in text.splitlines() if line[:2] in ("1 ", "2 ")] == ["grad_cam", "random"]
    (gain,) = run.leaderboard().query("method == 'grad_cam'")["gain"]
    html = leaderboards(run.leaderboard())
    assert "<th>gain over random [95 %]</th>" in html
    assert f"{gain:+.3f} [" in html
    alone = leaderboards(run.leaderboard().assign(gain=np.nan))
    assert "gain" not in alone
    columns = list(run.compare("grad_cam", "random").columns)
    assert columns[4:10] == ["metric", "method_a", "layer_a", "method_b", "layer_b", "difference"]
    assert columns[-2:] == ["weights_digest", "images_digest"]
