"""Tests of imputed paths: which pixels are imputed, the noise, and what changes neither."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from heatmark.metrics.base import Explained
from heatmark.metrics.engine.imputation import imputed
from heatmark.metrics.engine.imputed_path import ImputedPath


class Recorder(nn.Module):
    """Two equal logits, and all images that were seen."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images.clone())
        return torch.zeros(len(images), 2)


@pytest.fixture
def batch() -> Explained:
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(3, 3, 10, 10, generator=generator)
    maps = torch.rand(3, 10, 10, generator=generator)
    statistics = (torch.zeros(3), torch.tensor([0.5, 0.25, 0.1]))
    return Explained(
        Recorder(), images, torch.zeros(3).long(), maps, None, lambda *_: maps, normalisation=statistics, batch_size=4
    )


def pictures(path: ImputedPath, batch: Explained) -> Tensor:
    """Return what the model saw, (N, K, C, H, W)."""
    model = Recorder()
    path.curve(replace(batch, model=model))
    number = len(batch.images) * len(path.fractions)
    return torch.cat(model.seen)[:number].view(len(batch.images), len(path.fractions), *batch.images.shape[1:])


@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_imputes_the_pixels_of_most_or_least_relevance(order: str, batch: Explained) -> None:
    seen = pictures(ImputedPath(order, (0.1, 0.6), noise=0), batch)
    signed = batch.maps if order == "morf" else -batch.maps
    for n, image in enumerate(batch.images):
        descending = signed[n].flatten().sort(descending=True).values
        known = torch.stack([signed[n] < descending[count - 1] for count in (10, 60)])
        assert torch.equal(seen[n], imputed(image, known))
        assert (seen[n] != image).any(dim=1).sum(dim=(1, 2)).tolist() == [10, 60]


def test_x_is_the_fraction_removed_and_y_the_probability(batch: Explained) -> None:
    curve = ImputedPath(fractions=(0.1, 0.25)).curve(batch)
    assert curve.x.tolist() == pytest.approx([0.1, 0.25])
    assert curve.axis == "fraction removed"
    assert torch.equal(curve.y, torch.full((3, 2), 0.5))


@pytest.mark.parametrize(("space", "deviations"), [("pixels", (0.04, 0.08, 0.2)), ("model", (0.02, 0.02, 0.02))])
def test_noise_lies_on_imputed_pixels_alone_and_is_as_strong_as_said(
    space: str, deviations: tuple[float, ...], batch: Explained
) -> None:
    torch.manual_seed(0)  # of 50,000 draws one in 20 runs is too small to be seen in float32
    big = replace(batch, images=torch.rand(2, 3, 90, 90), maps=torch.rand(2, 90, 90), targets=torch.zeros(2).long())
    path = ImputedPath(fractions=(0.3, 0.8), noise=0.02, space=space)
    noise = pictures(path, big) - pictures(replace(path, noise=0), big)
    removed = (noise != 0).all(dim=2)
    assert removed.sum(dim=(2, 3)).tolist() == [[2430, 6480]] * 2
    assert ((noise != 0).any(dim=2) == removed).all()
    for channel, deviation in enumerate(deviations):
        drawn = noise[:, :, channel][removed]
        assert float(drawn.std()) == pytest.approx(deviation, rel=0.03)
        assert abs(float(drawn.mean())) < 0.03 * deviation


def test_noise_is_of_the_image_the_fraction_and_the_seed(batch: Explained) -> None:
    def noise(path: ImputedPath, batch: Explained) -> Tensor:
        return pictures(path, batch) - pictures(replace(path, noise=0), batch)

    path = ImputedPath(fractions=(0.5, 0.9), space="model", seed=3)
    one, inverted = noise(path, batch), noise(path, replace(batch, maps=-batch.maps))
    both = (one != 0) & (inverted != 0)
    assert both[:, 1].sum() > 500
    assert torch.allclose(one[both], inverted[both], atol=1e-6)  # the same for every map
    assert torch.allclose(noise(replace(path, fractions=(0.9,)), batch)[:, 0], one[:, 1], atol=1e-4)
    twice = (one != 0).all(dim=1)
    assert (one[:, 0][twice] - one[:, 1][twice]).abs().mean() > 0.005
    assert not torch.allclose(noise(replace(path, seed=4), batch), one, atol=1e-3)
    assert torch.equal(pictures(path, batch), pictures(path, replace(batch, seed=9)))


def test_neighbours_change_no_bit(batch: Explained) -> None:
    path, model = ImputedPath(), nn.Sequential(nn.Flatten(), nn.Linear(300, 2)).eval()
    batch = replace(batch, targets=torch.tensor([0, 1, 0]))
    together = path.curve(replace(batch, model=model)).y
    for n in range(3):
        part = replace(batch, model=model, images=batch.images[[n]], maps=batch.maps[[n]], targets=batch.targets[[n]])
        assert torch.equal(path.curve(part).y[0], together[n])
    assert torch.equal(pictures(path, batch)[1], pictures(path, replace(batch, batch_size=1))[1])


def test_costs_a_pass_per_fraction_in_full_batches(batch: Explained) -> None:
    model = Recorder()
    path = ImputedPath(fractions=(0.1, 0.2, 0.3, 0.4))
    path.curve(replace(batch, model=model))
    assert [len(images) for images in model.seen] == [4, 4, 4]
    assert path.passes((10, 10)) == 4


def test_ties_come_in_their_order(batch: Explained) -> None:
    flat = replace(batch, maps=torch.ones(3, 10, 10))
    top, bottom = (pictures(ImputedPath(fractions=(0.2,), noise=0, ties=t), flat)[:, 0] for t in ("raster", "reversed"))
    assert torch.equal(top[:, :, 2:], batch.images[:, :, 2:])
    assert torch.equal(bottom[:, :, :-2], batch.images[:, :, :-2])
    lerf = pictures(ImputedPath("lerf", (0.2,), noise=0, ties="raster"), flat)[:, 0]
    assert torch.equal(lerf, bottom)


def test_equal_definitions_are_one_path() -> None:
    assert ImputedPath(fractions=[0.1, 0.5]) == ImputedPath(fractions=(0.1, 0.5))  # type: ignore[arg-type]
    assert hash(ImputedPath()) == hash(ImputedPath())
    assert ImputedPath(noise=0, ties="raster", seed=5).seed == 0
    assert ImputedPath(noise=0, seed=5).seed == 5
    assert ImputedPath(ties="raster", seed=5).seed == 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"order": "mrf"}, "did you mean morf"),
        ({"space": "pixel"}, "did you mean pixels"),
        ({"ties": "raste"}, "did you mean raster"),
        ({"fractions": ()}, "at least one"),
        ({"fractions": (0.5, 0.1)}, "ascending"),
        ({"fractions": (0.5, 1.0)}, "below 1"),
        ({"noise": -1}, "noise=-1"),
        ({"noise": float("nan")}, "noise=nan"),
    ],
)
def test_names_what_is_wrong(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ImputedPath(**options)


def test_refuses_what_it_cannot_impute(batch: Explained) -> None:
    with pytest.raises(ValueError, match="leave none of an image's 100 pixels"):
        ImputedPath(fractions=(0.999,)).curve(batch)
    with pytest.raises(ValueError, match="no normalisation"):
        ImputedPath().curve(replace(batch, normalisation=None))
    assert ImputedPath(noise=0).curve(replace(batch, normalisation=None)).y.shape == (3, 7)
    assert ImputedPath(space="model").curve(replace(batch, normalisation=None)).y.shape == (3, 7)
