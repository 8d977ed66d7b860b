"""Random perturbations of an image: which part of it, or how much, is taken away, and the picture that is left."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from heatmark.common.batching import chunks
from heatmark.common.names import look_up
from heatmark.common.seeds import image_generator
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.fills import fill_images
from heatmark.metrics.engine.known_scores import INTACT, KnownScores, Place, place_of, remember
from heatmark.metrics.engine.per_image import precise
from heatmark.metrics.engine.perturbation import require_evaluable
from heatmark.metrics.engine.streaming import one_pass
from heatmark.metrics.engine.subsets import Draws
from heatmark.metrics.engine.target_scores import find_score

VERSION = 1
"""Raised by whoever changes a perturbation."""


@dataclass(frozen=True)
class Scene:
    """An image and what replaces it.

    Args:
        image: (C, H, W).
        fill: (C, H, W), the image with everything replaced.
        colours: the smallest and the largest colour of each channel as the model sees them, each (C, 1, 1); None if the
            normalisation is unknown.
    """

    image: Tensor
    fill: Tensor
    colours: tuple[Tensor, Tensor] | None


Perturbation = Callable[[Scene, float, torch.Generator], tuple[Tensor, Tensor]]
"""(scene, size, generator) -> I, (C, H, W) or (1, H, W), by which a map is multiplied; and the picture, (C, H, W)."""


def gaussian(scene: Scene, size: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return I ~ N(0, size²) per pixel and channel, in the model's normalised space, and the picture x − I."""
    noise = torch.randn(scene.image.shape, generator=generator).to(scene.image) * size
    return noise, scene.image - noise


def noisy_baseline(scene: Scene, size: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return I = x − z and the picture z, the fill with noise N(0, size²) in colours of [0, 1], cut off at 0 and 1.

    Raises:
        ValueError: if the normalisation of the images is unknown.
    """
    if scene.colours is None:
        raise ValueError("perturbation 'noisy_baseline' needs the normalisation of the images, the batch gives None")
    low, high = scene.colours
    noise = torch.randn(scene.image.shape, generator=generator).to(scene.image) * size
    picture = torch.maximum(torch.minimum(scene.fill + noise * (high - low), high), low)
    return scene.image - picture, picture


def square(scene: Scene, size: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return I, 1 in a square and 0 elsewhere, (1, H, W), and the picture with the fill in that square.

    All squares inside the image whose side is 1 to size · min(H, W) pixels are equally likely.
    """
    height, width = scene.image.shape[1:]
    sides = torch.arange(1, max(1, round(size * min(height, width))) + 1)
    places = ((height + 1 - sides) * (width + 1 - sides)).double()
    side = int(sides[torch.multinomial(places, 1, generator=generator)])
    top, left = (int(torch.randint(length + 1 - side, (1,), generator=generator)) for length in (height, width))
    inside = scene.image.new_zeros(1, height, width)
    inside[:, top : top + side, left : left + side] = 1
    return inside, torch.where(inside > 0, scene.fill, scene.image)


PERTURBATIONS: dict[str, Perturbation] = {"gaussian": gaussian, "noisy_baseline": noisy_baseline, "square": square}


def find_perturbation(name: str) -> Perturbation:
    """Return the perturbation with this name.

    Raises:
        ValueError: if there is none; the message names the nearest.
    """
    return look_up("perturbation", name, PERTURBATIONS)


@dataclass(frozen=True)
class Perturbing:
    """Perturbations of images, drawn from an image's own pixels and ``batch.seed``, the same for every map of it.

    Args:
        perturbation: name of the perturbation.
        size: its size.
        fill: name of what replaces pixels; see :mod:`heatmark.metrics.engine.fills`.
        samples: number of perturbations per image.
    """

    perturbation: str
    size: float
    fill: str
    samples: int

    def drawn(self, batch: Explained) -> Iterator[tuple[int, int, Tensor, Tensor]]:
        """Yield each image itself, with I = 0, and then its perturbations.

        Yields:
            The image's position, the perturbation's number from 1, 0 for the image itself, I, and the picture.
        """
        perturb, fills = find_perturbation(self.perturbation), fill_images(batch, self.fill, batch.seed)
        for n, (image, filled) in enumerate(zip(batch.images, fills, strict=True)):
            scene = Scene(image, filled, _colours(batch, image))
            generator = image_generator(image, batch.seed, "perturbation")
            yield n, 0, torch.zeros_like(image[:1]), image
            for k in range(self.samples):
                yield n, k + 1, *perturb(scene, self.size, generator)


def _colours(batch: Explained, image: Tensor) -> tuple[Tensor, Tensor] | None:
    if batch.normalisation is None:
        return None
    mean, deviation = (each.to(image).view(-1, 1, 1) for each in batch.normalisation)
    return -mean / deviation, (1 - mean) / deviation


def perturbed_draws(batch: Explained, perturbing: Perturbing, score: str) -> Draws:
    """Return the relevance Iᵀφ and the drop of each perturbation, in samples + 1 forward passes per image.

    A map has one number per pixel, which the channels share equally: Iᵀφ = Σ over pixels of map · mean over channels
    of I. A picture whose score ``batch.known`` holds costs no pass.

    Args:
        batch: model, images, targets, maps and batch size.
        perturbing: what is drawn.
        score: name of the score of the logits that drops.

    Raises:
        ValueError: if the shapes do not match, or the model is in training mode.
    """
    require_evaluable(batch)
    known = batch.known or KnownScores(range(len(batch.images)), {})
    relevance: list[Tensor] = []
    places = [
        [place_of(image, score, (perturbing, batch.seed), k or INTACT) for k in range(perturbing.samples + 1)]
        for image in known.images
    ]
    found: dict[Place, float] = {}

    def pictures() -> Iterator[tuple[int, Place, Tensor]]:
        for n, k, weights, picture in perturbing.drawn(batch):
            relevance.append((precise(weights.mean(dim=0)) * precise(batch.maps[n])).sum())
            if places[n][k] not in known.scores:
                yield n, places[n][k], picture

    for some in chunks(pictures(), batch.batch_size):
        owners, names, given = zip(*some, strict=True)
        found |= zip(names, one_pass(batch, given, owners, find_score(score)).tolist(), strict=True)
    rows = [[found[place] if place in found else known.scores[place] for place in row] for row in places]
    remember(known.scores, found)
    read = torch.tensor(rows, dtype=precise(batch.maps[:0]).dtype, device=batch.maps.device)
    return Draws(torch.stack(relevance).view(read.shape)[:, 1:], read[:, :1] - read[:, 1:])
