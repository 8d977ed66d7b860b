"""Models and pictures, loaded from what a user has."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import TensorDataset

from heatmark.benchmarks.data.annotated import Annotated
from heatmark.benchmarks.face.load import load_images, load_model

RED = np.zeros((4, 5, 3), np.uint8)
RED[..., 0] = 255


def pixels(dataset: Any, index: int = 0) -> Any:
    return np.asarray(dataset[index].image)


@pytest.mark.parametrize(
    "source",
    [
        RED,
        RED[None],
        RED / 255,
        torch.from_numpy(RED).permute(2, 0, 1),
        torch.from_numpy(RED).permute(2, 0, 1)[None] / 255,
        [RED],
        (torch.from_numpy(RED),),
        Image.fromarray(RED),
        [Image.fromarray(RED)],
    ],
    ids=["array", "batch", "real", "tensor", "real batch", "list", "channels behind", "picture", "pictures"],
)
def test_pixels_of_any_kind(source: Any) -> None:
    dataset = load_images(source)
    assert len(dataset) == 1
    assert dataset[0].name == "images-00000"
    assert np.array_equal(pixels(dataset), RED)


def test_three_by_three_pixels_have_their_channels_where_the_library_has_them() -> None:
    values = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    assert np.array_equal(pixels(load_images(values)), values)
    assert np.array_equal(pixels(load_images(torch.from_numpy(values))), values.transpose(1, 2, 0))


def test_grey_pixels() -> None:
    grey = np.full((4, 5), 7, np.uint8)
    assert np.array_equal(pixels(load_images(grey)), np.repeat(grey[..., None], 3, 2))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (torch.full((3, 4, 4), 1.5), "values from 1.5 to 1.5 .* expected \\[0, 1\\]: give pixels as they are"),
        (torch.full((3, 4, 4), float("nan")), "values from nan"),
        (np.full((4, 4, 3), 300), "expected 0 to 255"),
        (np.zeros((4, 4, 2)), "shape \\(4, 4, 2\\), expected \\(H, W, 3\\)"),
        ([object()], "images-00000 is a object"),
    ],
)
def test_what_is_no_picture(source: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load_images(source)[0]


@pytest.mark.parametrize("source", [[], np.zeros((0, 4, 4, 3)), 7])
def test_nothing_at_all(source: Any) -> None:
    with pytest.raises(ValueError, match=r"there are no pictures|expected a folder"):
        load_images(source)


def test_files_by_path_and_by_address(tmp_path: Path) -> None:
    file = tmp_path / "a b.png"
    Image.fromarray(RED).save(file)
    for source in (file, str(file), file.as_uri(), [file]):
        dataset = load_images(source)
        assert dataset[0].name == "a b.png"
        assert np.array_equal(pixels(dataset), RED)
    assert load_images(file)[0].digest == load_images(tmp_path)[0].digest


def test_files_of_one_name_keep_their_paths(tmp_path: Path) -> None:
    files = [tmp_path / folder / "x.png" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        Image.fromarray(RED).save(file)
    assert [sample.name for sample in load_images(files)] == [file.as_posix() for file in files]


def test_a_missing_file_and_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no picture and no folder"):
        load_images(tmp_path / "none.png")
    with pytest.raises(ValueError, match="did you mean shapes"):
        load_images("shpes")


class Named(TorchDataset[Any]):
    classes = ("cat", "dog")

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return {"image": Image.fromarray(RED), "label": index}


def test_datasets_of_pytorch() -> None:
    pairs = load_images(TensorDataset(torch.rand(2, 3, 4, 4), torch.tensor([4, 5])))
    assert [sample.label for sample in pairs] == [4, 5]
    mapped = load_images(Named(), name="pets")
    assert mapped.classes == ("cat", "dog")
    assert [(sample.name, sample.label) for sample in mapped] == [("pets-00000", 0), ("pets-00001", 1)]


def test_labels_masks_and_groups_beside_the_pictures() -> None:
    mask = np.zeros((4, 5), np.uint8)
    mask[1, 2] = 9
    dataset = load_images([RED, RED], labels=["cat", None], masks=[mask, None], groups=["p1", "p1"])
    first, second = dataset
    assert (first.label, first.group, second.label, second.group) == ("cat", "p1", None, "p1")
    assert first.mask is not None
    assert np.array_equal(first.mask, mask > 0)
    assert second.mask is None


def test_labels_by_name_and_by_table(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(RED).save(tmp_path / name)
    (tmp_path / "truth.csv").write_text("file,label\nb.png,dog\n")
    assert [s.label for s in load_images(tmp_path, labels={"a.png": "cat"})] == ["cat", None]
    assert [(s.name, s.label) for s in load_images(tmp_path, labels=tmp_path / "truth.csv")] == [("b.png", "dog")]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"labels": ["cat"]}, "labels has 1 values for 2 pictures"),
        ({"labels": {"images-0000": 1}}, "did you mean images-0000"),
        ({"limit": 0}, "limit is 0"),
    ],
)
def test_facts_that_do_not_fit(facts: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load_images([RED, RED], **facts)


def test_a_mask_without_a_label() -> None:
    with pytest.raises(ValueError, match="has a mask and no label"):
        load_images([RED], masks=[np.ones((4, 5))])[0]


def test_a_limit() -> None:
    dataset = load_images("shapes", limit=3)
    assert isinstance(dataset, Annotated)
    assert len(dataset) == len(list(dataset)) == 3


def test_a_network_of_ones_own() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = load_model(network, name="mine", classes=list("abcd"), preprocessing={"resize": 8, "crop": [8, 8]})
    assert (model.name, model.preprocessing.resize, model.layers) == ("mine", 8, {"last": "auto"})
    assert load_model(model) is model
    with pytest.raises(ValueError, match="did you mean preprocessing"):
        load_model(network, preprocesing=None)


def test_a_name_with_options() -> None:
    assert load_model("shapes_residual", weights=None, seed=3).weights == "random-3"
    with pytest.raises(ValueError, match="is a int, expected a model's name"):
        load_model(3)  # type: ignore[arg-type]


def test_counterfactuals_of_any_kind_belong_to_labels(tmp_path: Path) -> None:
    Image.fromarray(RED // 2).save(tmp_path / "without.png")
    found = load_images(
        [RED] * 4, labels=[0] * 4, counterfactuals=[tmp_path / "without.png", RED // 2, None, RED / 510]
    )
    first, second, none, last = (sample.counterfactual for sample in found)
    assert none is None
    for each in (first, second, last):
        assert abs(np.asarray(each.picture()).astype(int) - RED // 2).max() <= 1
    assert first.digest != second.digest  # of a file's bytes, and of pixels
    assert second.digest == load_images(RED // 2, labels=[0], counterfactuals=[RED // 2])[0].counterfactual.digest
    with pytest.raises(ValueError, match="has a counterfactual and no label"):
        load_images([RED], counterfactuals=[RED])[0]
    with pytest.raises(ValueError, match="counterfactuals has 1 values for 2 pictures"):
        load_images([RED, RED], counterfactuals=[RED])
    with pytest.raises(ValueError, match=r"there is no picture .*absent.png"):
        load_images([RED], labels=[0], counterfactuals=["absent.png"])[0]
