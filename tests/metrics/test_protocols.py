"""Tests of protocols: values of options, each against a plain loop of what its source does, in double precision.

The loops are written from descriptions of the sources, one image and one point at a time, and use none of the engine.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from heatmark.common.baselines import blur
from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.pixel_flipping import PixelFlipping
from heatmark.metrics.engine.units import slic_segments
from heatmark.metrics.insertion import Insertion
from heatmark.metrics.lerf import LeRF
from heatmark.metrics.morf import MoRF
from heatmark.metrics.protocols import PROTOCOLS

Array = NDArray[np.float64]
METRICS: dict[str, type[PixelFlipping]] = {"deletion": Deletion, "insertion": Insertion, "morf": MoRF, "lerf": LeRF}
HEIGHT, WIDTH, CLASSES = 20, 23, 4
PIXELS = HEIGHT * WIDTH
MEAN, DEVIATION = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.4])


@pytest.fixture(scope="module")
def network() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(384, CLASSES)
    )
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.25 if parameter.ndim < 4 else 0.2, generator=generator)
    return model.double().eval()


@pytest.fixture(scope="module")
def batch(network: nn.Module) -> Explained:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(3, 3, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)
    maps = torch.randn(3, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)
    maps[1] = maps[1].relu()  # half of it ties, as in every CAM
    targets = network(images).argmax(1)
    return Explained(network, images, targets, maps, None, lambda *_: maps, normalisation=(MEAN, DEVIATION))


# --- what the loops share: an order of pixels, a picture with some of them exchanged, and a score ---


def descending(relevance: Array, late_first: bool = False) -> Sequence[int]:
    """Pixels, the most relevant first; of equal ones the first in raster order, or the last."""
    return sorted(range(len(relevance)), key=lambda i: (-relevance[i], -i if late_first else i))


def ascending(relevance: Array) -> Sequence[int]:
    return sorted(range(len(relevance)), key=lambda i: (relevance[i], i))


def exchanged(start: Tensor, finish: Tensor, pixels: Sequence[int]) -> Tensor:
    out = start.clone().flatten(1)
    out[:, list(pixels)] = finish.flatten(1)[:, list(pixels)]
    return out.view_as(start)


class Subject:
    """One image with its map and target, asked for scores."""

    def __init__(self, batch: Explained, n: int) -> None:
        self.model, self.image, self.target = batch.model, batch.images[n], int(batch.targets[n])
        self.relevance: Array = batch.maps[n].flatten().numpy()
        self.zero = torch.zeros_like(self.image)

    def logits(self, picture: Tensor) -> Array:
        with torch.no_grad():
            return np.asarray(self.model(picture[None])[0].numpy(), dtype=np.float64)

    def logit(self, picture: Tensor) -> float:
        return float(self.logits(picture)[self.target])

    def softmax(self, picture: Tensor) -> float:
        powers = np.exp(self.logits(picture))
        return float(powers[self.target] / powers.sum())

    def hit(self, picture: Tensor) -> float:
        return float(self.logits(picture).argmax() == self.target)


def by_chunks(subject: Subject, start: Tensor, finish: Tensor, size: int) -> tuple[list[int], Array]:
    """RISE's loop: score, exchange the next pixels, until none is left."""
    order, counts, pictures = descending(subject.relevance), [], []
    for taken in range(0, PIXELS + size, size):
        counts.append(min(taken, PIXELS))
        pictures.append(exchanged(start, finish, order[:taken]))
    return counts, np.array([subject.softmax(each) for each in pictures])


def rise_2018(subject: Subject, metric: str) -> float:
    blurred = blur(subject.image[None])[0]
    ends = (subject.image, subject.zero) if metric == "deletion" else (blurred, subject.image)
    _, y = by_chunks(subject, *ends, WIDTH)
    return float((y.sum() - y[0] / 2 - y[-1] / 2) / (len(y) - 1))


def rise_notebook(subject: Subject, metric: str) -> float:
    """The notebook's step is an eighth and twentieth of its pictures; of ours the same share, rounded up."""
    blurred = blur(subject.image[None])[0]
    ends = (subject.image, subject.zero) if metric == "deletion" else (blurred, subject.image)
    _, y = by_chunks(subject, *ends, -(-PIXELS // 28))
    return float((y.sum() - y[0] / 2 - y[-1] / 2) / (len(y) - 1))


def torch_cam(subject: Subject, metric: str) -> float:
    size = -(-PIXELS // 20)
    counts = [*range(0, PIXELS, size), PIXELS]
    start, finish = (subject.image, subject.zero) if metric == "deletion" else (subject.zero, subject.image)
    order = descending(subject.relevance)
    y = [subject.logit(exchanged(start, finish, order[:count])) for count in counts]
    widths: list[float] = [(b - a) / PIXELS for a, b in pairwise(counts)]
    return float(sum(w * (a + b) / 2 for w, a, b in zip(widths, y[:-1], y[1:], strict=True)))


def xplique(subject: Subject, metric: str) -> float:
    start, finish = (subject.image, subject.zero) if metric == "deletion" else (subject.zero, subject.image)
    order = descending(subject.relevance, late_first=True)
    counts = np.linspace(0, PIXELS, 11, dtype=np.int32)
    y = np.array([subject.logit(exchanged(start, finish, order[:count])) for count in counts])
    return float(np.mean((y[:-1] + y[1:]) / 2))


def attribench(subject: Subject, metric: str) -> float:
    """Both metrics mask: deletion the top, from none to all; insertion the bottom, from all to none."""
    rising = ascending(subject.relevance)
    shares = np.linspace(0, 1, 100) if metric == "deletion" else np.linspace(1, 0, 100)
    y = []
    for count in (shares * PIXELS).astype(int):
        masked = rising[PIXELS - count :] if metric == "deletion" else rising[:count]
        y.append(subject.logit(exchanged(subject.image, subject.zero, masked)))
    return sum(y) / 100


def pnpxai(subject: Subject, metric: str) -> float:
    order = (descending if metric == "morf" else ascending)(subject.relevance)
    y = [subject.softmax(subject.image)]
    for step in range(1, 10):
        count = PIXELS if step == 9 else step * (PIXELS // 10)
        y.append(subject.softmax(exchanged(subject.image, subject.zero, order[:count])))
    return float(np.mean(y))


def chefer(subject: Subject, metric: str) -> float:
    black = (-MEAN.double() / DEVIATION.double()).view(3, 1, 1).expand_as(subject.image)
    order = descending(subject.relevance if metric == "morf" else -subject.relevance)
    hits = [subject.hit(subject.image)]
    hits += [subject.hit(exchanged(subject.image, black, order[: int(PIXELS * k / 10)])) for k in range(1, 10)]
    return float(np.trapezoid(hits, dx=0.1))


def latec(subject: Subject, metric: str) -> float:
    weights = np.exp(-((np.arange(15) - 7.0) ** 2) / 50)
    kernel = np.outer(weights, weights) / weights.sum() ** 2
    padded = np.pad(subject.image.numpy(), ((0, 0), (7, 7), (7, 7)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (15, 15), axis=(1, 2))
    blurred = torch.from_numpy((windows * kernel).sum(axis=(-1, -2)))
    ends = (subject.image, subject.zero) if metric == "deletion" else (blurred, subject.image)
    order, y, replaced = descending(subject.relevance), [], 0
    while replaced < PIXELS:
        replaced += min(50, PIXELS - replaced)
        if replaced == PIXELS:
            break
        y.append(subject.softmax(exchanged(*ends, order[:replaced])))
    return float(np.trapezoid(y, dx=1 / len(y)))


def idsds(subject: Subject, metric: str) -> float:
    order = (descending if metric == "morf" else ascending)(subject.relevance)
    shares = np.linspace(0, 1, 32, endpoint=False)
    return float(
        np.mean([subject.softmax(exchanged(subject.image, subject.zero, order[: int(PIXELS * a)])) for a in shares])
    )


def srg(subject: Subject, metric: str) -> float:
    owner = slic_segments(subject.image, 100).numpy()
    found = np.unique(owner)
    means = np.array([subject.relevance[owner == segment].mean() for segment in found])
    order = ascending(means) if metric == "lerf" else list(reversed(ascending(means)))
    counts = np.unique([0, *np.geomspace(1, 100, 15, dtype=int)])
    counts = np.array([round(len(found) * (count / 100)) for count in counts])
    x, y = [], []
    for count in counts:
        gone = np.flatnonzero(np.isin(owner, found[list(order[:count])]))
        x.append(len(gone) / PIXELS)
        y.append(subject.softmax(exchanged(subject.image, subject.zero, gone.tolist())))
    return float(np.trapezoid(y, x))


def quantus(subject: Subject, metric: str) -> float:
    """224 channels of pixels are replaced per step, the intact point is missing, and a step counts 1."""
    order = descending(np.broadcast_to(subject.relevance, (3, PIXELS)).flatten())
    picture, y = subject.image.clone(), []
    for start in range(0, len(order), 224):
        picture.view(-1)[order[start : start + 224].copy()] = picture.min()
        y.append(subject.softmax(picture))
    return float(np.trapezoid(y))


LOOPS: dict[str, tuple[Callable[[Subject, str], float], tuple[str, str]]] = {
    "rise-2018": (rise_2018, ("deletion", "insertion")),
    "rise-notebook": (rise_notebook, ("deletion", "insertion")),
    "torch-cam-0.5": (torch_cam, ("deletion", "insertion")),
    "xplique-2.0": (xplique, ("deletion", "insertion")),
    "attribench-0.1.9": (attribench, ("deletion", "insertion")),
    "pnpxai-0.1": (pnpxai, ("morf", "lerf")),
    "chefer-2021": (chefer, ("morf", "lerf")),
    "latec-2024": (latec, ("deletion", "insertion")),
    "idsds": (idsds, ("morf", "lerf")),
    "srg-2024": (srg, ("morf", "lerf")),
    "quantus-0.6": (quantus, ("deletion", "morf")),
}


@pytest.mark.parametrize(("preset", "metric"), [(name, each) for name in LOOPS for each in LOOPS[name][1]])
def test_equals_a_plain_loop_of_its_source(batch: Explained, preset: str, metric: str) -> None:
    loop = LOOPS[preset][0]
    expected = [loop(Subject(batch, n), metric) for n in range(3)]
    found = METRICS[metric](preset=preset)(batch).values
    assert found.tolist() == pytest.approx(expected, abs=1e-9)
    assert max(expected) - min(expected) > 1e-3


def test_every_published_protocol_has_its_loop() -> None:
    assert set(LOOPS) == set(PROTOCOLS) - {"heatmark-1"}


def test_each_gives_values_of_its_own(batch: Explained) -> None:
    """A loop that forgave a changed option would be no test: values of two protocols differ by far more than 1e-9."""
    for metric in METRICS.values():
        values = torch.stack([metric(preset=name)(batch).values.double() for name in PROTOCOLS])
        distances = (values[:, None] - values[None]).abs().amax(-1) + torch.eye(len(values))
        assert distances.min() > 1e-6


# --- values, and how they fill options ---


def test_values_are_the_published_ones() -> None:
    base = {"steps": None, "rule": "trapezoid", "score": "probability", "unit": "pixel", "unit_size": 1}
    base |= {"counting": "nearest", "counted": "relevant"}
    assert dict(PROTOCOLS["heatmark-1"].values) == {**base, "ties": "drawn"}
    assert dict(PROTOCOLS["rise-2018"].values) == {**base, "ties": "raster"}
    assert PROTOCOLS["rise-2018"].source == "github.com/eclique/RISE, evaluation.py, d91ea00"
    assert PROTOCOLS["torch-cam-0.5"].source.startswith("github.com/frgfm/torch-cam, torchcam/metrics.py, f44afef")


def test_each_has_a_value_for_the_same_options_and_they_exist() -> None:
    options = {field.name for field in fields(PixelFlipping)}
    assert {frozenset(protocol.values) for protocol in PROTOCOLS.values()} == {
        frozenset(options - {"preset", "seed", "tie_orders", "baseline"})
    }
    assert all("" in protocol.baselines for protocol in PROTOCOLS.values())


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("metric", METRICS.values())
def test_a_preset_gives_the_options_that_are_none(metric: type[PixelFlipping], name: str) -> None:
    values = metric.presets[name]
    assert metric(preset=name) == metric(**values)  # type: ignore[arg-type]
    assert {option: getattr(metric(preset=name), option) for option in values} == values
    assert metric(preset=name).preset == name
    assert metric(preset=name, baseline="normal", score="log_odds").baseline == "normal"


def test_a_preset_sets_the_fill_of_each_metric() -> None:
    assert (Deletion().baseline, Insertion().baseline, MoRF().baseline, LeRF().baseline) == (
        *("zero", "blur", "mean", "mean"),
    )
    assert Insertion(preset="torch-cam-0.5").baseline == "zero"
    assert Insertion(preset="latec-2024").baseline == "blur_15"
    assert Insertion(preset="latec-2024", baseline="blur").baseline == "blur"
    assert MoRF(preset="chefer-2021").baseline == "black"


def test_an_option_of_its_own_keeps_the_nearest_preset() -> None:
    assert Deletion(rule="mean").preset == "heatmark-1"
    assert Deletion(rule="mean", ties="raster").preset == "rise-2018"
    assert Deletion(preset="torch-cam-0.5", score="probability").preset == "torch-cam-0.5"
