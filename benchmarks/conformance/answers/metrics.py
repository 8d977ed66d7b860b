"""Known answers of metrics: deletion and insertion by hand, ties, bounds and definitions."""

from collections.abc import Iterator
from dataclasses import replace
from math import nan, sqrt
from typing import NoReturn

import numpy as np
import torch
from scipy.ndimage import correlate, gaussian_filter
from torch import Tensor

from heatmark.benchmarks.conformance.answers.answer import answer, holds
from heatmark.benchmarks.conformance.answers.by_hand import Array, Known, additive, area, walk
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.sweep.degenerate import tied_share
from heatmark.common.identity import definition, request
from heatmark.metrics.base import Explained
from heatmark.metrics.deletion import Deletion
from heatmark.metrics.engine.pixel_flipping import PixelFlipping
from heatmark.metrics.engine.ties import find_tie_order
from heatmark.metrics.insertion import Insertion

HEIGHT, WIDTH = 6, 8
PIXELS = HEIGHT * WIDTH


def metric_answers() -> Iterator[Finding]:
    """Yield whether deletion and insertion are right on networks whose probabilities are known."""
    yield from _curves()
    yield from _ties()
    yield from _drawn()
    yield from _bounds()
    yield from _definitions()


def _explained(
    model: Known, images: Tensor, maps: Tensor, targets: Tensor | None = None, batch_size: int = 500
) -> Explained:
    def explain(*_: object) -> NoReturn:
        raise NotImplementedError

    asked = torch.zeros(len(images), dtype=torch.int64) if targets is None else targets
    return Explained(model, images, asked, maps, None, explain, batch_size=batch_size)


def _score(metric: PixelFlipping, batch: Explained) -> float:
    """Return the metric's value of the only image of a batch."""
    return float(metric(batch).values)


def _drawn_batch(count: int) -> Explained:
    """Return images and maps without ties, three classes and a target for each image, all in float64."""
    generator = torch.Generator().manual_seed(0)
    images, weights = (torch.rand(n, 3, HEIGHT, WIDTH, generator=generator).double() for n in (count, 3))
    maps = torch.stack([torch.randperm(PIXELS, generator=generator) for _ in range(count)]) - PIXELS / 2
    model = Known(weights.mean(1), torch.full((3,), 0.5).double())
    return _explained(model, images, maps.view(-1, HEIGHT, WIDTH), torch.arange(count) % 3, batch_size=5)


def _curves() -> Iterator[Finding]:
    """Yield areas under curves, compared with those by hand, in 7 steps, into which 48 pixels do not divide."""
    batch, counts = _drawn_batch(3), [0, 7, 14, 21, 27, 34, 41, 48]
    for baseline in ("zero", "mean", "blur"):
        for name, metric in (("deletion", Deletion(7, baseline)), ("insertion", Insertion(7, baseline))):
            values = metric(batch).values
            for n, image in enumerate(batch.images.numpy()):
                ends = (image, _replaced(image, baseline))[:: 1 if name == "deletion" else -1]
                scores = walk(batch.model, int(batch.targets[n]), ends, batch.maps[n].numpy(), counts)  # type: ignore[arg-type]
                yield answer(name, f"{baseline}_image_{n}", float(values[n]), area(scores, counts), 1e-6)


def _replaced(image: Array, baseline: str) -> Array:
    """Return what an image (3, H, W) is replaced with, by the definition of each baseline."""
    if baseline == "zero":
        return np.zeros_like(image)
    if baseline == "mean":
        return np.broadcast_to(image.mean(axis=(1, 2), keepdims=True), image.shape)
    impulse = np.zeros((11, 11))
    impulse[5, 5] = 1
    blurred: Array = correlate(image, gaussian_filter(impulse, 5)[None], mode="constant")
    return blurred


def _top_heavy(images: Tensor, level: float = 3.0) -> Explained:
    """Return a batch of constant maps and a network that depends on the top row alone."""
    weights = torch.zeros(images.shape[2:]).double()
    weights[0] = 1 / images.shape[3]
    return _explained(additive(weights), images, torch.full((len(images), *images.shape[2:]), level))


def _ties() -> Iterator[Finding]:
    """Yield areas of maps with ties where they are known: p falls from 1 to 0 while the top row is removed."""
    white = torch.ones(1, 3, HEIGHT, WIDTH).double()
    first, last = WIDTH / 2 / PIXELS, 1 - WIDTH / 2 / PIXELS
    for ties, expected in (("raster", first), ("reversed", last)):
        for name, metric, right in (
            ("deletion", Deletion(PIXELS, ties=ties), expected),
            ("insertion", Insertion(PIXELS, "zero", ties=ties), 1 - expected),
        ):
            yield answer(name, f"constant_{ties}", _score(metric, _top_heavy(white)), right)
    constant = _score(Deletion(PIXELS, preset="rise-2018"), _top_heavy(white))
    yield answer("deletion", "constant_rise-2018", constant, first)
    batch = _top_heavy(white)
    marked = replace(batch, maps=(torch.arange(PIXELS).view(1, HEIGHT, WIDTH) < WIDTH).double())
    yield answer("deletion", "two_levels", _score(Deletion(PIXELS), marked), first)
    yield answer("deletion", "nan_map", _score(Deletion(), _top_heavy(white, nan)), nan)
    holed = replace(marked, maps=marked.maps.index_fill(2, torch.tensor([0]), nan))  # its first column alone
    yield answer("deletion", "nan_pixels", _score(Deletion(), holed), nan)
    pairs = torch.tensor([[[1.0, 2.0, 1.0], [2.0, 5.0, -0.0]], [[0.0, -0.0, 3.0], [4.0, 5.0, 6.0]]])
    for n, share in enumerate(tied_share(pairs).tolist()):
        yield answer("ties", f"share_{n}", share, (4 / 6, 2 / 6)[n])


def _drawn() -> Iterator[Finding]:
    """Yield whether the drawn order is unbiased, depends on the image alone, and is one for deletion and insertion."""
    count, side = 200, 8  # as many pixels as the noise has cells, each with a number of its own
    images = 1 - 1e-3 * torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1)).double()
    batch, metric = _top_heavy(images), Deletion(side**2)
    deleted, inserted = metric.path.curve(batch), Insertion(side**2, "zero").path.curve(batch)
    values = metric.summarise(deleted).values
    # the mean rank of a row of 8 of 64 pixels, drawn without replacement
    deviation = sqrt((side**4 - 1) / 12 / side * (side**2 - side) / (side**2 - 1)) / side**2
    yield answer("ties", "drawn_mean", float(values.mean()), 0.5, 4 * deviation / sqrt(count))
    yield answer("ties", "drawn_deviation", float(values.std()), deviation, 0.2 * deviation)
    whole = deleted.y + inserted.y - deleted.y[:, :1]
    yield answer("ties", "one_order_of_deletion_and_insertion", float(whole.abs().max()), 0.0)
    alone = _score(metric, replace(_top_heavy(images[7:8]), batch_size=3))
    yield answer("ties", "drawn_alone", alone, float(values[7]))
    equal = torch.equal(replace(metric, seed=1)(batch).values, values)
    yield holds("ties", "drawn_seed", "another seed gives the same order" if equal else "")
    yield from _connected()


def _connected() -> Iterator[Finding]:
    """Yield whether a drawn order keeps neighbours together; in an order of single pixels they are a third apart."""
    places = find_tie_order("drawn")(torch.ones(1, 3, 64, 64), 0).argsort(dim=1).view(64, 64).double() / 64**2
    apart = float(places.diff(dim=1).abs().mean())
    yield holds("ties", "drawn_connected", f"{apart:.2f} of all pixels between two neighbours" if apart > 0.1 else "")


def _bounds() -> Iterator[Finding]:
    """Yield the range of the score over orders of ties, where raster order and its reverse are the extremes."""
    batch = _top_heavy(torch.ones(1, 3, HEIGHT, WIDTH).double())
    metric = Deletion(PIXELS, tie_orders=2)
    tried = [float(metric.summarise(path.curve(batch)).values) for path in (metric.path, *metric.bounds)]
    yield answer("ties", "low", min(tried), WIDTH / 2 / PIXELS)
    yield answer("ties", "high", max(tried), 1 - WIDTH / 2 / PIXELS)


def _definitions() -> Iterator[Finding]:
    """Yield whether equal options have one definition, and different options different ones."""
    rise: PixelFlipping = Deletion(preset="rise-2018")
    named = {
        "deletion:heatmark-1": definition("deletion", Deletion()),
        "deletion:rise-2018": definition("deletion", Deletion(ties="raster")),
        "deletion:rise-2018[steps=7]": definition("deletion", replace(rise, steps=7)),
        "deletion:heatmark-1[seed=1]": definition("deletion", Deletion(seed=1)),
        "insertion:heatmark-1[baseline=zero]": definition("insertion", Insertion(baseline="zero", tie_orders=4)),
        "deletion:heatmark-1 with tie_orders=4": request("deletion", Deletion(tie_orders=4)),
    }
    wrong = [f"{got} is {right}" for right, got in named.items() if got != right]
    yield holds("definition", "names", "; ".join(wrong))
