"""Predictions of a block's images: the most probable classes, from the store or one forward pass per batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow as pa
import torch
from torch import Tensor

from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.outputs import as_logits
from heatmark.benchmarks.requests import Entry
from heatmark.benchmarks.store import Store, full_schema
from heatmark.benchmarks.sweep.blocks import Block
from heatmark.benchmarks.sweep.faults import Images, isolated
from heatmark.benchmarks.sweep.made import Made
from heatmark.benchmarks.sweep.settings import RunSettings
from heatmark.benchmarks.sweep.targets import targets_of
from heatmark.common.batching import halving, padded
from heatmark.common.model_state import observing
from heatmark.common.probabilities import class_probabilities
from heatmark.metrics.engine.known_scores import Place

KEPT = 5
"""Number of most probable classes that are stored."""


@dataclass(frozen=True)
class Predicted:
    """A block whose images have classes to explain.

    Args:
        block: the block.
        entries: of all its pictures, in order, each with its target, or with the reason why it cannot be explained.
        images: positions in the block of the images that can be explained.
        targets: (n,) the class to explain of every image of the block, −1 where there is none.
        known: scores of the images' perturbed images that are known, for all cells; see
            :class:`~heatmark.metrics.engine.known_scores.KnownScores`.
        rendered: the images' counterfactuals that have been asked for, by position.
    """

    block: Block
    entries: Sequence[Entry]
    images: Images
    targets: Tensor
    known: dict[Place, float] = field(default_factory=dict)

    @cached_property
    def made(self) -> Made:
        """What the steps of the block have made."""
        return Made((self.block.images.shape[-2], self.block.images.shape[-1]))

    rendered: dict[int, Tensor] = field(default_factory=dict)

    @cached_property
    def masks(self) -> tuple[Tensor, Tensor] | None:
        """The masks of the explained classes, and which images have one; see :meth:`.blocks.Block.masks_of`."""
        return self.block.masks_of(self.targets)

    def counterfactuals(self, which: Sequence[int]) -> Tensor:
        """Return images without the object of their true class, each rendered once, (n, C, H, W) on the CPU.

        Args:
            which: positions of images that have one, of the class explained; see :func:`.needs.lacking`.

        Raises:
            ValueError: for a counterfactual that cannot be read, or has not its picture's size.
        """
        for i in which:
            if i not in self.rendered:
                self.rendered[i] = self.block.counterfactuals[i]()
        return torch.stack([self.rendered[i] for i in which])

    @cached_property
    def of_images(self) -> Sequence[Entry]:
        """The entries of the block's images, by their positions in the block, without pictures that are broken."""
        broken = {entry.position for entry in self.block.broken}
        return [entry for entry in self.entries if entry.position not in broken]


def predicted(
    block: Block, classifier: Classifier, key: str, store: Store, rule: int | str | Sequence[int], run: RunSettings
) -> Predicted:
    """Return a block's targets; predictions that are not stored yet are computed and stored.

    Args:
        block: the images.
        classifier: the model.
        key: the key of its predictions.
        store: the run's store.
        rule: of the class to explain (see :func:`.targets.choose_targets`), or a class per picture of the dataset.
        run: device, batch size and whether errors are tried again.
    """
    found = _stored(block, key, store, run.retry)
    missing = [i for i, entry in enumerate(block.entries) if entry.digest not in found]
    if missing:
        results, reasons = isolated(lambda images: _top(block, classifier, images, run), missing)
        new = {block.entries[i].digest: (*results[i], "") for i in results}
        new |= {block.entries[i].digest: ([], [], why) for i, why in reasons.items()}
        store.put("predictions", _rows(key, new))
        found |= new
    return _with_targets(block, found, classifier, rule)


Row = tuple[list[int], list[float], str]
"""The most probable classes, their probabilities, and the reason why there are none, else ``""``."""


def _stored(block: Block, key: str, store: Store, retry: bool) -> dict[str, Row]:
    rows = store.read("predictions", [key], rows=[entry.digest for entry in block.entries]).to_pylist()
    return {r["row"]: (r["top"], r["probability"], r["reason"]) for r in rows if not (retry and r["reason"])}


def _top(block: Block, classifier: Classifier, images: Images, run: RunSettings) -> list[tuple[list[int], list[float]]]:
    """Return every image's most probable classes and their probabilities.

    Raises:
        ValueError: where the model gives a number that is not finite.
    """
    logits = halving(lambda size: _logits(block, classifier, images, run.device, size), run.batch_size)
    bad = int((~logits.isfinite().all(dim=1)).sum())
    if bad:
        raise ValueError(
            f"{classifier.name} ({classifier.weights}) gives NaN or infinite logits for {bad} of {len(images)} images"
            "; check the weights and the preprocessing"
        )
    order = torch.argsort(logits, dim=1, descending=True, stable=True)[:, :KEPT]
    probabilities = class_probabilities(logits).gather(1, order)
    return list(zip(order.tolist(), probabilities.tolist(), strict=True))


def _logits(block: Block, classifier: Classifier, images: Images, device: torch.device, size: int) -> Tensor:
    with observing(classifier.module):
        parts = [
            as_logits(classifier, classifier.module(padded(chunk, size).to(device)), size)[: len(chunk)]
            for chunk in torch.split(block.images[list(images)], size)
        ]
    return torch.cat(parts)


def _rows(key: str, found: dict[str, Row]) -> pa.Table:
    rows = [
        {
            "key": key, "row": digest, "top": top, "probability": probability,
            "status": "error" if why else "ok", "reason": why,
        }
        for digest, (top, probability, why) in found.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=full_schema("predictions"))


def _with_targets(
    block: Block, found: dict[str, Row], classifier: Classifier, rule: int | str | Sequence[int]
) -> Predicted:
    rows = [found[entry.digest] for entry in block.entries]
    good = [i for i, (_, _, why) in enumerate(rows) if not why]
    top = torch.tensor([rows[i][0][:2] for i in good], dtype=torch.int64).view(len(good), -1 if good else 2)
    if isinstance(rule, int | str):
        chosen, reasons = targets_of(rule, top, block.labels[good], classifier)
    else:
        chosen, reasons = torch.tensor([rule[block.entries[i].position] for i in good], dtype=torch.int64), {}
    why = {i: rows[i][2] for i in range(len(rows)) if rows[i][2]} | {good[i]: said for i, said in reasons.items()}
    targets = torch.full((len(rows),), -1)
    targets[good] = chosen
    best = [(classes or [-1])[0] for classes, _, _ in rows]
    entries = [
        replace(entry, target=int(targets[i]), predicted=best[i], reason=why.get(i, ""))
        for i, entry in enumerate(block.entries)
    ]
    return Predicted(
        block,
        sorted([*entries, *block.broken], key=lambda entry: entry.position),
        [i for i in good if i not in why],
        targets,
    )
