"""Tests of training: what it reads, that it can be repeated, that it learns, and its command."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from heatmark.benchmarks.cli import dispatch
from heatmark.benchmarks.data.base import Dataset, Sample
from heatmark.benchmarks.data.shapes import Shapes
from heatmark.benchmarks.models.preprocessing import Preprocessing
from heatmark.benchmarks.training import Pictures, Recipe, accuracy, fit, load, save

PREPARE = Preprocessing(resize=None, crop=None, mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25])


class MeanColour(nn.Module):
    """A network with logits from each channel's mean, which learns colours in a few steps."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(images.mean(dim=(2, 3)))


def colours(count: int = 96) -> Pictures:
    """Pictures of noise whose brightest channel is the label."""
    labels = torch.arange(count) % 3
    pixels = torch.randint(0, 100, (count, 3, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    pixels[torch.arange(count), labels] += 100
    return Pictures(pixels, labels)


def trained(recipe: Recipe) -> tuple[nn.Module, list[float]]:
    torch.manual_seed(0)
    network = MeanColour()
    return network, [step.loss for step in fit(network, colours(), PREPARE, recipe)]


def test_pictures_are_loaded_as_drawn() -> None:
    dataset = Shapes(size=16, limit=70)
    pictures = load(dataset)
    assert pictures.labels.tolist() == [i % 10 for i in range(70)]
    assert pictures.pixels.dtype == torch.uint8
    sample = dataset[69].image
    assert pictures.pixels[69, :, 3, 5].tolist() == list(sample.getpixel((5, 3)))


def test_fit_learns_and_repeats() -> None:
    recipe = Recipe(epochs=20, batch_size=32, learning_rate=0.3)
    first, losses = trained(recipe)
    second, again = trained(recipe)
    assert losses == again
    assert all((a == b).all() for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert losses[0] > 0.8
    assert losses[-1] < 0.1
    assert accuracy(first, colours(30), PREPARE) == 1.0
    assert not first.training
    assert trained(Recipe(epochs=20, batch_size=32, learning_rate=0.3, seed=1))[1] != losses


def test_accuracy_counts_right_answers() -> None:
    network = MeanColour()
    with torch.no_grad():
        network.fc.weight.zero_()
        network.fc.bias.copy_(torch.tensor([0.0, 1.0, 0.0]))  # always says 1
    pictures = colours(99)
    assert accuracy(network, pictures, PREPARE, batch_size=10) == pytest.approx(1 / 3)


def test_weights_go_to_file_and_back_with_their_story(tmp_path: Path) -> None:
    network, _ = trained(Recipe(epochs=1))
    save(network, tmp_path / "new" / "w.safetensors", {"accuracy": "0.5"})
    with safe_open(tmp_path / "new" / "w.safetensors", "pt") as file:
        assert file.metadata() == {"accuracy": "0.5"}
        assert (file.get_tensor("fc.weight") == network.fc.weight).all()


class Odd(Dataset):
    """A dataset that training cannot take."""

    def __init__(self, samples: list[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]


def test_pictures_without_a_number_or_of_two_sizes_are_named() -> None:
    image = Shapes(size=16)[0].image
    with pytest.raises(ValueError, match="b has None"):
        load(Odd([Sample("a", image, 1), Sample("b", image)]))
    with pytest.raises(ValueError, match=r"b is \(32, 32\)"):
        load(Odd([Sample("a", image, 1), Sample("b", Shapes(size=32)[0].image, 1)]))


def train(folder: Path, *overrides: str) -> int:
    return dispatch(["train", f"results_dir={folder}", "workers=0", "device=cpu", *overrides])


def test_the_command_writes_weights_that_load_again(tmp_path: Path) -> None:
    options = ("model=shapes_plain", "dataset.size=32", "dataset.limit=64", "test_limit=20", "recipe.epochs=1")
    assert train(tmp_path, *options) == 0
    written = tmp_path / "default" / "shapes_plain.safetensors"
    with safe_open(written, "pt") as file:
        story = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    assert 0 <= json.loads(story["accuracy"]) <= 1
    assert json.loads(story["dataset"])["limit"] == 64
    assert json.loads(story["recipe"])["epochs"] == 1
    from heatmark.benchmarks.models.nets.plain import Plain

    Plain().load_state_dict(weights)


def test_the_command_refuses_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, "dataset=photos", "~dataset.split") == 1
    assert "heatmark train" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_learns_above_chance(tmp_path: Path) -> None:
    options = ("model=shapes_residual", "dataset=shapes_shortcut", "dataset.size=64", "dataset.limit=1000")
    assert train(tmp_path, *options, "test_limit=200", "recipe.epochs=10", "recipe.batch_size=32") == 0
    with safe_open(tmp_path / "default" / "shapes_residual.safetensors", "pt") as file:
        assert json.loads(file.metadata()["accuracy"]) > 0.5
