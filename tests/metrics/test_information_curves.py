"""SIC and AIC: by hand, against a plain loop of what Google's code does, and which images are refused."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import griddata, interp1d
from torch import Tensor, nn

from heatmark.metrics.aic import AIC
from heatmark.metrics.base import Explained
from heatmark.metrics.engine import information_pictures
from heatmark.metrics.engine.information import information, interpolated, most_relevant, resampled, seed_pixels
from heatmark.metrics.engine.information_curve import LOW_SCORE, NO_INFORMATION, NO_RISE, InformationCurve
from heatmark.metrics.engine.known_scores import KnownScores
from heatmark.metrics.engine.per_image import NOT_FINITE
from heatmark.metrics.sic import SIC

SIDE = 24
MEAN, DEVIATION = 0.5, 0.25
METRICS = [SIC(), AIC()]


class Recognising(nn.Module):
    """One class per known picture, and a last one of pictures that are like none of them."""

    def __init__(self, known: Tensor, sharpness: float) -> None:
        super().__init__()
        flat = known.flatten(1)
        self.weights = nn.Parameter(sharpness * flat / flat.square().sum(1, keepdim=True))
        self.other = sharpness * 0.45

    def forward(self, images: Tensor) -> Tensor:
        alike = images.flatten(1) @ self.weights.T
        return torch.cat([alike, torch.full_like(alike[:, :1], self.other)], dim=1)


@pytest.fixture(scope="module")
def batch() -> Explained:
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(0, 256, (4, 3, SIDE, SIDE), generator=generator) / 255
    images = (colours - MEAN) / DEVIATION
    maps = torch.rand(4, SIDE, SIDE, generator=generator)
    maps[1] = (maps[1] - 0.5).relu()  # half of it ties
    model = Recognising(images, 12).eval()
    normalisation = torch.full((3,), MEAN), torch.full((3,), DEVIATION)
    return Explained(model, images, torch.arange(4), maps, None, lambda *_: maps, normalisation=normalisation)


def webp(picture: NDArray[np.uint8]) -> int:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "webp", lossless=True, quality=100)
    return len(file.getvalue())


def looped(batch: Explained, n: int, metric: InformationCurve) -> float:
    """Return the area of one image, channel by channel and threshold by threshold."""
    picture = (255 * (batch.images[n] * DEVIATION + MEAN)).round().byte().permute(1, 2, 0).numpy()
    relevance = batch.maps[n].double().numpy()
    seeds = seed_pixels(batch.images[n], 0, 0.01)
    assert seeds.sum() == int(0.01 * SIDE**2)

    def filled(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        mask = mask.copy()
        for corner in ((0, 0), (0, SIDE - 1), (SIDE - 1, 0), (SIDE - 1, SIDE - 1)):
            mask[corner] = True
        result = picture.astype(float)
        for channel in range(3):
            colour = picture[..., channel]
            result[~mask, channel] = griddata(
                np.argwhere(mask), colour[mask], np.argwhere(~mask), fill_value=colour.mean()
            )
        return result.round().astype(np.uint8)

    def judged(given: NDArray[np.uint8]) -> float:
        image = (torch.from_numpy(given).permute(2, 0, 1).float() / 255 - MEAN) / DEVIATION
        with torch.no_grad():
            logits = batch.model(image[None])[0]
        return float(logits.softmax(0)[n]) if isinstance(metric, SIC) else float(logits.argmax() == n)

    blurred = filled(seeds)
    low, high, least, most = webp(blurred), webp(picture), judged(blurred), judged(picture)
    assert low < high
    assert least < most
    points, best = [], 0.0
    for threshold in (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75):
        shown = filled((relevance >= np.quantile(relevance, 1 - threshold)) | seeds)
        x = min(max((webp(shown) - low) / (high - low), 0), 1)
        best = max(best, min(max((judged(shown) - least) / (most - least), 0), 1))
        points.append((x, best))
    x, y = zip(*points, (0.0, 0.0), (1.0, 1.0), strict=True)
    at = np.linspace(0, 1, 1000, endpoint=False)
    curve = np.append(interp1d(x, y)(at), 1.0)
    return float(np.trapezoid(curve, np.append(at, 1.0)))


@pytest.mark.parametrize("metric", METRICS, ids=["sic", "aic"])
def test_it_is_the_loop_of_googles_code(batch: Explained, metric: InformationCurve) -> None:
    scores = metric(batch)
    expected = [looped(batch, n, metric) for n in range(4)]
    assert len(set(expected)) == 4
    assert scores.values.numpy() == pytest.approx(np.array(expected), abs=1e-5)
    assert scores.curve is not None
    assert scores.curve.y.shape == (4, 1001)
    assert (scores.curve.y.diff(dim=1) >= 0).all() or isinstance(metric, SIC)


def test_a_curve_by_hand() -> None:
    x, y = np.array([0.2, 0.6, 0.4]), np.array([0.5, 0.3, 0.8])  # the second is raised to .5
    found = resampled(x, y, 10)
    assert found.tolist() == pytest.approx([0, 0.25, 0.5, 0.65, 0.8, 0.65, 0.5, 0.625, 0.75, 0.875, 1])


def test_between_known_pixels_colours_are_linear() -> None:
    ramp = np.add.outer(2 * np.arange(20), 3 * np.arange(31)).astype(np.uint8)
    picture = np.stack([ramp, 255 - ramp, np.full_like(ramp, 7)], axis=2)
    rng = np.random.default_rng(0)
    known = rng.random((20, 31)) < 0.1
    known[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    spoiled = np.where(known[..., None], picture, np.uint8(99))
    assert (interpolated(spoiled, known) == picture).all()
    nothing = np.zeros((20, 31), dtype=bool)
    assert (interpolated(picture, nothing) == picture).all(), "its corners are known"
    assert (interpolated(picture, ~nothing) == picture).all()


def test_noise_has_more_information_than_one_colour() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    assert information(noise) == webp(noise) > 40 * 40 * 2
    assert information(np.zeros((40, 40, 1), np.uint8)) < 100


def test_pixels_that_equal_the_quantile_are_known() -> None:
    relevance = torch.tensor([[0.0, 0, 0, 1], [0, 0, 2, 3]])
    assert most_relevant(relevance, 0.25).tolist() == (relevance >= 2).tolist()
    assert most_relevant(relevance, 0.5).all(), "the quantile is 0, and no pixel is below"


@pytest.mark.parametrize("metric", METRICS, ids=["sic", "aic"])
def test_images_are_refused_with_a_reason_and_touch_no_other(batch: Explained, metric: InformationCurve) -> None:
    images, maps, targets = batch.images.clone(), batch.maps.clone(), batch.targets.clone()
    maps[0, 3, 3] = torch.nan
    targets[1] = 2  # another class: neither sure nor predicted
    images[3] = images[3, :, :1, :1]  # one colour, of which nothing is lost
    sure = replace(batch, images=images, maps=maps, targets=targets)
    scores = replace(metric, min_score=0.0)(replace(sure, targets=batch.targets))
    assert scores.reasons[3] == NO_INFORMATION
    scores = metric(sure)
    assert list(scores.reasons[:3]) == [NOT_FINITE, LOW_SCORE.format(0.8), ""]
    assert scores.values.isnan().tolist() == [True, True, False, True]
    assert torch.equal(scores.values[2], metric(batch).values[2])
    blind = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE**2, 5)).eval()
    nn.init.zeros_(blind[1].weight)
    nn.init.zeros_(blind[1].bias)
    blind[1].bias.data[0] = 9
    alike = metric(replace(batch, model=blind, targets=torch.zeros(4).long()))
    assert list(alike.reasons) == [NO_RISE] * 4


def test_both_share_their_pictures(batch: Explained, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counting(picture: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
        made.append(int(known.sum()))
        return interpolated(picture, known)

    monkeypatch.setattr(information_pictures, "interpolated", counting)
    shared = replace(batch, known=KnownScores(["a", "b", "c", "d"], {}))
    alone = [metric(batch).values for metric in METRICS]
    made.clear()
    together = [METRICS[0](shared).values]
    count = len(made)
    together.append(METRICS[1](shared).values)
    assert count == len(made) > 4 * 10
    assert all(torch.equal(*pair) for pair in zip(alone, together, strict=True))


def test_options(batch: Explained) -> None:
    assert SIC(thresholds=[0.1, 0.5], points=10)(batch).curve.y.shape == (4, 11)  # type: ignore[union-attr]
    assert SIC().passes((9, 9)) == 15
    for wrong, said in (
        ({"thresholds": [0.5, 0.1]}, "thresholds="),
        ({"thresholds": [0.0, 0.1]}, "thresholds="),
        ({"seed_share": 1.0}, "seed_share=1.0"),
        ({"points": 0}, "points=0"),
        ({"preset": "pair"}, "pair-2022"),
    ):
        with pytest.raises(ValueError, match=said):
            SIC(**wrong)
    with pytest.raises(ValueError, match="no normalisation"):
        SIC()(replace(batch, normalisation=None))
