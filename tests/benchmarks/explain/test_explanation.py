"""Tests of the explanation of one picture, from the command line to the files."""

import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from heatmark.benchmarks.cli import dispatch
from heatmark.benchmarks.commands.explain import settings, table
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.data.shapes import Shapes
from heatmark.benchmarks.explain.explanation import (
    Column,
    Explanation,
    Target,
    chosen_targets,
    maps_of,
    picture_name,
    read_image,
)
from heatmark.benchmarks.explain.overlay import Look
from heatmark.benchmarks.explain.panels import PAGE_IN, caption, colormap, draw, write
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.predictions import Prediction
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.methods.grad_cam import GradCAM
from heatmark.methods.random_map import RandomMap

Heatmark = Callable[..., tuple[int, str, str]]
SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture
def heatmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Heatmark:
    """Run ``heatmark explain`` in a folder with a picture of a star; return its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["heatmark"])
    Shapes(limit=4)[3].image.save(tmp_path / "star.png")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = dispatch(["explain", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def classifier(count: int = 4, names: tuple[str, ...] = ("cat", "dog", "boat", "hat")) -> Classifier:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, count)
    )
    return Classifier("toy", net.eval(), "own", Preprocessing(None, None), {"last": "0"}, names)


LOGITS = torch.tensor([[1.0, 3.0, 2.0, 0.0]])


def test_targets_are_each_shown_once_with_probability_and_role() -> None:
    found = chosen_targets(["predicted", "second", "dog", 0, "label"], LOGITS, "hat", classifier())
    softmax = np.exp(LOGITS[0].numpy()) / np.exp(LOGITS[0].numpy()).sum()
    assert [t.prediction.target for t in found] == [1, 2, 0, 3]
    assert [t.prediction.name for t in found] == ["dog", "boat", "cat", "hat"]
    assert [t.role for t in found] == ["predicted", "second", "", "true"]
    np.testing.assert_allclose([t.prediction.probability for t in found], softmax[[1, 2, 0, 3]], rtol=1e-6)


def test_a_picture_that_is_labelled_right_has_one_row() -> None:
    found = chosen_targets(["predicted", "label"], LOGITS, 1, classifier())
    assert [(t.prediction.target, t.role) for t in found] == [(1, "predicted, true")]


def test_classes_without_names_are_numbered() -> None:
    assert chosen_targets(["predicted"], LOGITS, None, classifier(names=()))[0].prediction.name == "class 1"


def test_label_needs_a_label() -> None:
    with pytest.raises(ValueError, match="give it as label="):
        chosen_targets(["label"], LOGITS, None, classifier())


def test_a_columns_maps_are_those_of_each_class_alone() -> None:
    toy, image, method = classifier(), torch.rand(1, 3, 9, 13), GradCAM()
    columns, refused = maps_of({"grad_cam": method, "random": RandomMap()}, ["0", "0"], toy, image, [2, 0])
    assert [(c.method, c.layer) for c in columns] == [("grad_cam", "0"), ("random", "input")]
    assert not refused
    for row, target in enumerate((2, 0)):
        alone = method(toy.module, image, torch.tensor([target]), "0")
        np.testing.assert_allclose(columns[0].raw[row], alone[0].detach(), rtol=1e-5, atol=1e-8)
    assert columns[0].raw.shape == (2, 4, 6)
    assert columns[0].relevance.shape == (2, 9, 13)


def explanation(rows: int, columns: int, shape: tuple[int, int] = (8, 8), name: str = "tabby") -> Explanation:
    rng = np.random.default_rng(0)
    targets = [Target(Prediction(i, name, 0.5), "predicted" if i == 0 else "") for i in range(rows)]
    maps = [rng.random((rows, 3, 4), np.float32) for _ in range(columns)]
    found = [Column(f"method_{i}", "layer4", raw, np.ones((rows, *shape), np.float32)) for i, raw in enumerate(maps)]
    return Explanation("cat", "toy", "own", rng.random((*shape, 3), np.float32), targets, found)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 4), (3, 9)])
@pytest.mark.parametrize("shape", [(8, 8), (8, 14), (14, 8)])
def test_a_panel_fits_the_page_and_its_pictures_keep_their_aspect(
    rows: int, columns: int, shape: tuple[int, int]
) -> None:
    figure = draw(explanation(rows, columns, shape), Look())
    width, height = figure.get_size_inches()
    assert width <= PAGE_IN + 1e-6
    places = [axes.get_position() for axes in figure.axes]
    for place in places:
        assert 0 <= place.x0 < place.x1 <= 1
        assert 0 <= place.y0 < place.y1 <= 1
        assert place.height * height / (place.width * width) == pytest.approx(shape[0] / shape[1])
    assert not any(a.overlaps(b) for i, a in enumerate(places) for b in places[:i])
    assert len(places) >= rows * (2 * columns + 1)  # the picture, and for every map its overlay and itself


def test_no_text_leaves_the_panel_however_long_the_names() -> None:
    figure = draw(explanation(2, 3, name="a class of a very long name " * 9), Look())
    for words in figure.texts:
        extent = words.get_window_extent()
        assert extent.x0 >= 0
        assert extent.x1 <= figure.bbox.width


def test_a_maps_range_and_the_raw_maps_size_do_not_overlap() -> None:
    shown = explanation(1, 5)
    raw = np.linspace(-0.000111, 0.0511, 1024**2, dtype=np.float32).reshape(1, 1024, 1024)
    figure = draw(replace(shown, columns=[replace(column, raw=raw) for column in shown.columns]), Look())
    words = [text for text in figure.texts if " to " in text.get_text() or "×" in text.get_text()]
    below = [text.get_window_extent() for text in words if text.get_va() == "top"]
    assert len(below) == 10
    assert not any(a.overlaps(b) for i, a in enumerate(below) for b in below[:i])
    narrowest = min(axes.get_window_extent().width for axes in figure.axes)
    sizes = [text.get_window_extent().width for text in words if "×" in text.get_text() and text.get_va() == "top"]
    assert max(sizes) <= 1.02 * narrowest  # a raw map's size is as wide as the raw map at most


def test_a_raw_map_is_shown_in_its_own_colours() -> None:
    shown = explanation(1, 1)
    raw = shown.columns[0].raw[0]
    unit = (raw - raw.min()) / (raw.max() - raw.min())
    image = draw(shown, Look(cmap="viridis")).axes[2].images[0]
    np.testing.assert_allclose(image.get_array(), colormap("viridis")(unit)[..., :3], atol=1e-6)


def test_the_caption_says_model_layers_and_scale() -> None:
    words = caption(explanation(1, 2), Look(scale="shared"))
    assert "toy (own)" in words
    assert "layer4 (3×4)" in words
    assert "Shared colour scale: jet" in words
    assert "Separate colour scale: RdBu_r, each map symmetric" in caption(explanation(1, 2), Look(style="outline"))


def test_the_caption_says_every_size_and_where_colours_are_cut() -> None:
    shown = explanation(1, 1, (8, 8))
    pixels = np.zeros((1, 8, 8), np.float32)
    mixed = replace(shown, columns=[*shown.columns, Column("saliency", "layer4", pixels, pixels)])
    assert "layer4 (3×4), layer4 (8×8)." in caption(mixed, Look())
    assert "99th percentile" in caption(mixed, Look())
    assert "percentile" not in caption(shown, Look())


def test_colours_of_a_map_of_pixels_end_at_the_99th_percentile() -> None:
    raw = np.zeros((1, 20, 20), np.float32)
    raw[0, :2, :10], raw[0, 0, 0] = 1.0, 1000.0
    shown = replace(explanation(1, 1, (20, 20)), columns=[Column("saliency", "input", raw, raw)])
    image = draw(shown, Look(cmap="viridis")).axes[2].images[0].get_array()
    np.testing.assert_allclose(image[:2, :10], np.broadcast_to(colormap("viridis")(1.0)[:3], (2, 10, 3)), atol=1e-6)


def test_a_panel_is_the_same_bytes_again(tmp_path: Path) -> None:
    first, second = ([f.read_bytes() for f in write(draw(explanation(1, 1), Look()), tmp_path / n)] for n in "ab")
    assert first == second


def test_an_unknown_colormap_is_named() -> None:
    with pytest.raises(ValueError, match="unknown cmap 'virids': did you mean viridis"):
        colormap("virids")


def test_brackets_in_names_are_printed_as_they_are() -> None:
    names = ["crow [bird]", "x [/b] y", "[red]", "hat\\"]
    toy = replace(classifier(names=tuple(names)), name="toy [/i]", weights="own [bold]")
    found = [Prediction(index, name, 0.25) for index, name in enumerate(names)]
    console = Console(width=100, file=io.StringIO())
    console.print(table(toy, found[:3], [Target(found[3], "predicted")]))
    printed = console.file.getvalue()
    assert all(name in printed for name in ["toy [/i] (own [bold])", *names])


def test_brackets_in_files_and_reasons_are_printed_as_they_are(
    heatmark: Heatmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def and_one_refused(*arguments: Any) -> tuple[list[Column], list[str]]:
        return maps_of(*arguments)[0], ["rise at layer [/b]: not [here]"]

    monkeypatch.setattr("heatmark.benchmarks.api.maps_of", and_one_refused)
    code, out, err = heatmark(
        "image=star.png", "model=shapes_residual", "method=[random]", f"results_dir='{tmp_path}/[red]'", "name=t"
    )
    assert (code, err) == (0, "")
    assert "left out: rise at layer [/b]: not [here]" in out
    assert f"{tmp_path}/[red]/t/maps" in out


def test_the_command_leaves_a_panel_and_raw_maps(heatmark: Heatmark, tmp_path: Path) -> None:
    code, out, err = heatmark(
        "image=star.png", "model=shapes_residual", "method=[grad_cam,random]", "layer=[middle,last]",
        "target=[predicted,circle,0]", "label=star", "name=t",
    )  # fmt: skip
    assert code == 0, err
    assert "star" in out
    folder = tmp_path / "results" / "runs" / "t"
    assert (folder / "star_shapes_residual_middle+last.pdf").stat().st_size > 1000
    with Image.open(folder / "star_shapes_residual_middle+last.png") as panel:
        assert panel.width <= PAGE_IN * 300
    maps = sorted(path.name for path in (folder / "maps").glob("*.npy"))
    assert len(maps) == 3 * 2  # grad_cam at two layers and random once; star and circle
    assert "star_shapes_residual_layer3_grad_cam_3.npy" in maps
    assert np.load(folder / "maps" / "star_shapes_residual_layer3_grad_cam_3.npy").ndim == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "image has no value; give it as image="),
        (["image=nowhere.png"], "there is no picture nowhere.png"),
        (["image=words.txt"], "cannot read the picture words.txt"),
        (["image=http://127.0.0.1:9/cat.png"], "cannot fetch http://127.0.0.1:9/cat.png"),
        (["image=star.png", "cmap=jett"], "unknown cmap 'jett': did you mean jet"),
        (["image=star.png", "style=outlined"], "(str), expected one of overlay, outline; did you mean outline?"),
        (["image=star.png", "target=[starr]"], "did you mean star"),
        (["image=star.png", "label=sta"], "did you mean star"),
        (["image=star.png", "layer=lats"], "did you mean last"),
        (["image=star.png", "method=[grad_cma]"], "did you mean grad_cam"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_one_paragraph(heatmark: Heatmark, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "words.txt").write_text("no picture")
    code, out, err = heatmark("model=shapes_residual", *arguments)
    assert code == 1
    assert message in " ".join(err.split())
    assert "Traceback" not in out + err


class _Server(BaseHTTPRequestHandler):
    """A server that sends a red picture, a text, or nothing."""

    def do_GET(self) -> None:
        content = io.BytesIO()
        Image.new("RGB", (5, 4), "red").save(content, "PNG")
        self.send_response(404 if "missing" in self.path else 200)
        self.end_headers()
        self.wfile.write(b"words" if "words" in self.path else content.getvalue())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_picture_is_fetched(address: str) -> None:
    picture = read_image(f"{address}/a%20cat.png?size=5")
    assert (picture.size, picture.getpixel((0, 0))) == ((5, 4), (255, 0, 0))
    assert picture_name(f"{address}/a%20cat.png?size=5") == "a cat"
    assert picture_name("folder/dog.jpeg") == "dog"


@pytest.mark.parametrize(("page", "message"), [("missing", "cannot fetch .*404"), ("words", "is no picture")])
def test_what_cannot_be_fetched_is_named(address: str, page: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_image(f"{address}/{page}")


@pytest.mark.parametrize(
    ("options", "targets"),
    [
        ([], ["predicted", "second"]),
        (["label=star"], ["predicted", "label"]),
        (["label=star", "target=second"], ["second"]),
        (["target=[3,tabby]"], [3, "tabby"]),
    ],
)
def test_the_classes_that_are_explained(options: list[str], targets: list[int | str]) -> None:
    assert settings(compose_command("explain", ["image=cat.png", *options])).targets == targets


def test_the_command_imports_nothing_slow_that_it_does_not_need() -> None:
    slow = ("torch._dynamo", "pandas", "scipy", "skimage", "captum", "pytorch_grad_cam", "matplotlib.pyplot")
    code = f"import sys, heatmark.benchmarks.commands.explain; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_compiler_is_still_there_for_who_wants_it() -> None:
    code = (
        "import sys, heatmark.benchmarks.models.light_torchvision; assert 'torch._dynamo.utils' not in sys.modules\n"
        "from torchvision.ops import roi_align as r; import torchvision.ops.roi_align\n"
        "found = sys.modules['torchvision.ops.roi_align'].is_compile_supported('cpu')\n"
        "from torch._dynamo.utils import is_compile_supported as real; print(found == real('cpu'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.mark.skipif(not SHARED.exists(), reason="the real inputs of ../shared/data are not here")
def test_the_dog_and_the_cat_are_found_where_they_are(heatmark: Heatmark, tmp_path: Path) -> None:
    code, out, err = heatmark(
        f"image={SHARED / 'both.png'}", f"model.checkpoint={SHARED / 'squeezenet1_1_imagenet.safetensors'}",
        "target=[predicted,tiger cat]", "method=[grad_cam]", "name=t",
    )  # fmt: skip
    assert code == 0, err
    assert "bull mastiff" in out
    dog, cat = (np.load(next((tmp_path / "results/runs/t/maps").glob(f"*_{number}.npy"))) for number in (243, 282))
    height = len(dog)
    assert dog[: height // 2].sum() > 2 * dog[height // 2 :].sum()  # the dog sits above the cat
    assert cat[height // 2 :].sum() > cat[: height // 2].sum()


@pytest.mark.skipif(not SHARED.exists(), reason="the real inputs of ../shared/data are not here")
def test_the_dog_and_the_cat_in_hats_are_found_where_they_are(heatmark: Heatmark, tmp_path: Path) -> None:
    code, _, err = heatmark(
        f"image={SHARED / 'cat_and_dog_hats.png'}", "target=[Weimaraner,tabby]", "method=[grad_cam]", "name=t",
        f"model.checkpoint={SHARED / 'squeezenet1_1_imagenet.safetensors'}",
    )  # fmt: skip
    assert code == 0, err
    dog, cat = (np.load(next((tmp_path / "results/runs/t/maps").glob(f"*_{number}.npy"))) for number in (178, 281))
    border = round(0.65 * dog.shape[1])  # the dog is on the left, the cat on the right of it
    assert dog.max(axis=0).argmax() < border <= cat.max(axis=0).argmax()
    assert dog[:, :border].sum() > 2 * dog[:, border:].sum()
    assert cat[:, border:].mean() > cat[:, :border].mean()
