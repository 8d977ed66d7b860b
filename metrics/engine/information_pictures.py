"""Pictures of a batch's images of which some pixels are known: their information and their scores, each found once."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from heatmark.common.batching import chunks
from heatmark.metrics.base import Explained
from heatmark.metrics.engine.information import Mask, Numbers, Picture, as_input, information, interpolated, pictures
from heatmark.metrics.engine.known_scores import KnownScores, Place, remember
from heatmark.metrics.engine.streaming import one_pass
from heatmark.metrics.engine.target_scores import find_score

SCORES = ("probability", "accuracy")
"""Scores that are found of every picture, because they read the same logits."""


class Drawn:
    """The pictures of a batch's images.

    Two metrics that ask for the same picture share it by :attr:`.Explained.known`. Making a picture takes longer than a
    forward pass, and most of it lets other threads run.

    Args:
        batch: model, images, targets, normalisation and batch size.
    """

    def __init__(self, batch: Explained) -> None:
        self._batch, self._originals = batch, pictures(batch)
        self._known = batch.known or KnownScores(range(len(batch.images)), {})

    def facts(self, masks: Sequence[tuple[int, Mask]], score: str) -> Numbers:
        """Return the information and the score of pictures, (M, 2).

        Args:
            masks: the position of each picture's image, and its known pixels, (H, W).
            score: ``probability`` or ``accuracy``.
        """
        digests = [hashlib.sha256(np.packbits(mask).tobytes()).hexdigest() for _, mask in masks]
        known, read = self._known.scores, ("information", score)
        asked = [[self._place(n, what, digest) for what in read] for (n, _), digest in zip(masks, digests, strict=True)]
        new = {places[0]: (*masks[m], digests[m]) for m, places in enumerate(asked) if places[0] not in known}
        found: dict[Place, float] = {}
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for part in chunks(iter(new.values()), self._batch.batch_size):
                drawn = list(threads.map(lambda each: self._drawn(each[0], each[1]), part))
                for (n, _, digest), values in zip(part, self._facts(drawn, [n for n, *_ in part]), strict=True):
                    found |= {self._place(n, what, digest): value for what, value in values.items()}
        rows = [[found[place] if place in found else known[place] for place in places] for places in asked]
        remember(known, found)
        return np.array(rows, dtype=float).reshape(-1, 2)

    def _place(self, n: int, what: str, digest: str) -> Place:
        return (self._known.images[n], "interpolated", what, digest)

    def _drawn(self, n: int, mask: Mask) -> tuple[Picture, int]:
        picture = interpolated(self._originals[n], mask)
        return picture, information(picture)

    def _facts(self, drawn: Sequence[tuple[Picture, int]], images: Sequence[int]) -> list[dict[str, float]]:
        """Return the information and all scores of a batch of pictures."""
        inputs = [as_input(self._batch, picture) for picture, _ in drawn]
        logits = one_pass(self._batch, inputs, images, lambda logits, _: logits)
        targets = self._batch.targets[list(images)]
        scores = {name: find_score(name)(logits, targets).tolist() for name in SCORES}
        return [
            {"information": float(size), **{name: scores[name][m] for name in SCORES}}
            for m, (_, size) in enumerate(drawn)
        ]
