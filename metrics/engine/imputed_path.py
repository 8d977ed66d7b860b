"""Imputed paths: an image whose most or least relevant pixels are imputed from those that are left."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from heatmark.common.batching import padded
from heatmark.common.names import look_up
from heatmark.common.probabilities import full_precision, target_probabilities
from heatmark.common.seeds import image_generator
from heatmark.metrics.base import Curve, Explained, Path
from heatmark.metrics.engine.imputation import imputed
from heatmark.metrics.engine.known_scores import KnownScores, scored_once, set_digests
from heatmark.metrics.engine.perturbation import relevance_ranks, require_evaluable
from heatmark.metrics.engine.pixel_path import AXES, Order
from heatmark.metrics.engine.ties import find_tie_order

Space = Literal["pixels", "model"]
SPACES: dict[str, str] = {"pixels": "colours in [0, 1]", "model": "the model's normalised colours"}
"""What the noise is a part of, by the name of its space."""


@dataclass(frozen=True)
class ImputedPath(Path):
    """The target's probability for images whose most or least relevant pixels are imputed, by the fraction imputed.

    At a fraction f, round(f · H · W) pixels are the weighted means of their neighbours
    (:func:`~heatmark.metrics.engine.imputation.imputed`), plus noise N(0, σ²); y = p(target | that image). The noise is
    drawn once per image and fraction, the same for every map.

    Args:
        order: ``morf``, where the most relevant pixels are imputed, or ``lerf``, where the least relevant ones are.
        fractions: the fractions, ascending, in [0, 1).
        noise: σ.
        space: where σ is measured: ``pixels``, colours in [0, 1], or ``model``, the normalised images.
        ties: order of pixels of equal value under MoRF, see :mod:`heatmark.metrics.engine.ties`. Under LeRF it is
            reversed, like the order as a whole.
        seed: seed of the noise and of a drawn order of ties; 0 if neither is drawn.

    Raises:
        ValueError: if a name is unknown (the message names the nearest), or a number out of its range.
    """

    order: Order = "morf"
    fractions: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
    noise: float = 0.01
    space: Space = "pixels"
    ties: str = "drawn"
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "fractions", tuple(float(fraction) for fraction in self.fractions))
        look_up("order", self.order, AXES)
        look_up("space", self.space, SPACES)
        find_tie_order(self.ties)
        ascending = list(self.fractions) == sorted(set(self.fractions))
        if not self.fractions or not ascending or not all(0 <= fraction < 1 for fraction in self.fractions):
            raise ValueError(f"fractions={list(self.fractions)}, expected at least one, ascending, from 0 to below 1")
        if not self.noise >= 0:
            raise ValueError(f"noise={self.noise!r}, expected a standard deviation from 0")
        if self.ties != "drawn" and not self.noise:
            object.__setattr__(self, "seed", 0)

    def curve(self, batch: Explained) -> Curve:
        """Return the curve of every image, a point per fraction; NaN for an image whose map contains NaN.

        Raises:
            ValueError: if no pixel would be left, the shapes do not match, the model is in training mode, or the noise
                is in pixels and the batch does not say how its images are normalised.
        """
        require_evaluable(batch)
        pixels = batch.maps[0].numel()
        counts = [round(fraction * pixels) for fraction in self.fractions]
        if counts[-1] >= pixels:
            raise ValueError(f"fractions={list(self.fractions)} leave none of an image's {pixels} pixels")
        ordered = (~batch.maps.flatten(1).isnan().any(dim=1)).nonzero()[:, 0]
        known = (batch.known or KnownScores(range(len(batch.maps)), {})).of(ordered.tolist())
        part = replace(batch, images=batch.images[ordered], targets=batch.targets[ordered], maps=batch.maps[ordered])
        with torch.no_grad():
            scores = self._scores(part, counts, known)
        y = scores.new_full((len(batch.images), len(counts)), torch.nan)
        y[ordered] = scores.view(-1, len(counts))
        x = torch.tensor([count / pixels for count in counts], dtype=y.dtype, device=y.device)
        return Curve(x, y, "fraction removed")

    def passes(self, image_size: tuple[int, int]) -> float:  # noqa: ARG002
        """Return the number of fractions, each a forward pass; the imputation is not counted."""
        return float(len(self.fractions))

    def _scores(self, batch: Explained, counts: Sequence[int], known: KnownScores) -> Tensor:
        """Return the target's probability, (N, K); a curve that is known is neither imputed nor scored.

        Only whole curves are known, because the sets of pixels of one image are imputed together.
        """
        ranks = self._ranks(batch)
        points = torch.tensor(counts, device=ranks.device).expand(len(ranks), -1)
        places = [
            [(image, *self._drawn_by(), tuple(sets), k) for k in range(len(counts))]
            for image, sets in zip(known.images, set_digests(ranks, points), strict=True)
        ]
        left = ranks.view(len(ranks), 1, *batch.maps.shape[1:]) >= points.view(*points.shape, 1, 1)

        def compute(images: Tensor, _: Tensor) -> Tensor:
            which = images[:: len(counts)]  # each image's K points stand together
            scores = [full_precision(batch.images.new_empty(0))]
            for start in range(0, len(which), batch.batch_size):  # so many fill K whole forward passes
                some = which[start : start + batch.batch_size]
                pictures = torch.cat([self._pictures(batch, batch.images[n], left[n]) for n in some])
                scores.append(_probabilities(batch, pictures, batch.targets[some].repeat_interleave(len(counts))))
            return torch.cat(scores)

        return scored_once(known.scores, places, compute)

    def _ranks(self, batch: Explained) -> Tensor:
        """Return the place of every pixel, (N, H·W), in the order in which they are imputed."""
        ranks = relevance_ranks(batch.maps, find_tie_order(self.ties)(batch.images, self.seed))
        return ranks if self.order == "morf" else batch.maps[0].numel() - 1 - ranks

    def _drawn_by(self) -> tuple[Hashable, ...]:
        """Return what decides the noise of imputed pixels."""
        return ("imputed", *((self.fractions, self.noise, self.space, self.seed) if self.noise else ()))

    def _pictures(self, batch: Explained, image: Tensor, known: Tensor) -> Tensor:
        """Return an image imputed where it is not known (K, H, W), with noise there, (K, C, H, W)."""
        filled = imputed(image, known)
        if not self.noise:
            return filled
        generators = [image_generator(image, self.seed, f"imputation at {fraction}") for fraction in self.fractions]
        noise = torch.stack([torch.randn(image.shape, generator=generator) for generator in generators])
        return torch.where(known[:, None], filled, filled + noise.to(filled) * self._deviation(batch))

    def _deviation(self, batch: Explained) -> Tensor:
        """Return the noise's standard deviation for each channel of a normalised image, (C, 1, 1)."""
        if self.space == "model" or not self.noise:
            return batch.images.new_full((1, 1, 1), self.noise)
        if batch.normalisation is None:
            raise ValueError(
                f"noise={self.noise} in pixels, but the batch has no normalisation; give it, or space='model'"
            )
        return self.noise / batch.normalisation[1].to(batch.images).view(-1, 1, 1)


def _probabilities(batch: Explained, pictures: Tensor, targets: Tensor) -> Tensor:
    """Return p(target | picture), (M,), in full batches."""
    whole = -(-len(pictures) // batch.batch_size) * batch.batch_size
    parts = (torch.split(padded(each, whole), batch.batch_size) for each in (pictures, targets))
    return torch.cat([target_probabilities(batch.model, *part) for part in zip(*parts, strict=True)])[: len(pictures)]
