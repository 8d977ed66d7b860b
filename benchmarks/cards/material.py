"""Material of the cards: the methods' maps and the masks of the classes explained, made as a sweep makes them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from heatmark.benchmarks.cards.planted import Maps
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.machine.devices import autocast
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.sweep.blocks import blocks
from heatmark.benchmarks.sweep.cells import Cell, by_layer
from heatmark.benchmarks.sweep.maps import Batch, explained
from heatmark.benchmarks.sweep.observer import Observer
from heatmark.benchmarks.sweep.predictions import Predicted, predicted
from heatmark.benchmarks.sweep.prepare import Plan, prepare
from heatmark.benchmarks.sweep.record import JobRecord
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.common.seeds import image_seed
from heatmark.methods.base import Method
from heatmark.metrics.base import Metric

NONE = torch.full((1, 1), torch.nan)
"""The map of a picture that has none."""


@dataclass(frozen=True)
class Material:
    """What the cards of all metrics are made of.

    Args:
        maps: of each method, by its name, one per picture of the dataset.
        truth: the mask of the class explained, one per picture.
        seeds: one per picture, made from its pixels.
        settings: those asked for, with the batch size and the device under which the maps were made.
    """

    maps: Mapping[str, Maps]
    truth: Maps
    seeds: Sequence[int]
    settings: SweepSettings


def material(
    classifier: Classifier,
    dataset: Dataset,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric],
    settings: SweepSettings,
    record: JobRecord,
    observer: Observer,
) -> Material:
    """Return the maps and masks of a dataset's pictures; what fails on a picture is a map of NaN.

    Raises:
        ValueError: for anything in the model, data or settings that cannot be run, or no method that can explain it.
    """
    plan = prepare(classifier, dataset, methods, metrics, settings, record.batch_size)
    if not plan.cells:
        raise ValueError(f"no method can explain {classifier.name}: {plan.request.cells[0].skipped}")
    observer.planned(replace(plan, metrics={}), -(-len(dataset) // settings.block_size))
    names = _names(plan.cells)
    maps: dict[str, list[Tensor]] = {name: [NONE] * len(dataset) for name in names.values()}
    truth, seeds = [NONE] * len(dataset), [0] * len(dataset)
    with autocast(classifier.module, plan.run.precision):
        for block in _blocks(plan, record):
            entries = block.of_images
            for i in block.images:
                seeds[entries[i].position] = image_seed(block.block.images[i], settings.seed, "cards")
                truth[entries[i].position] = _mask(block, i)
            errors = 0
            for key, (made, failed) in _explained(plan, block, observer).items():
                errors += len(failed)
                for i, each in made.items():
                    maps[names[key]][entries[i].position] = each
            observer.ended(len(block.entries), errors)
    same = replace(settings, batch_size=plan.run.batch_size, device=str(plan.run.device))
    return Material(maps, truth, seeds, same)


def _names(cells: Sequence[Cell]) -> dict[str, str]:
    """Return a name of each cell, by its key: the method's, with its layer where it is explained at several."""
    methods = [cell.method_name for cell in cells]
    several = {name for name in methods if methods.count(name) > 1}
    return {c.key: f"{c.method_name}@{c.layer}" if c.method_name in several else c.method_name for c in cells}


def _blocks(plan: Plan, record: JobRecord) -> Iterator[Predicted]:
    """Yield the pictures with their targets."""
    decoded = blocks(
        plan.dataset, plan.classifier, range(len(plan.dataset)), plan.asked.block_size, plan.reference.shape[1:]
    )
    for each in decoded:
        yield predicted(each, plan.classifier, plan.key, record.store, plan.asked.target, plan.run)


def _explained(plan: Plan, block: Predicted, observer: Observer) -> dict[str, tuple[dict[int, Tensor], dict[int, str]]]:
    batch = Batch(block.block.images, block.targets)
    found: dict[str, tuple[dict[int, Tensor], dict[int, str]]] = {}
    for cells in by_layer(plan.cells).values():
        found |= explained(cells, plan.classifier, batch, block.images, plan.run, observer)
    return found


def _mask(block: Predicted, i: int) -> Tensor:
    """Return the mask of the class explained of a picture as a map, NaN where it has none."""
    if block.masks is None or not block.masks[1][i]:
        return NONE
    return block.masks[0][i].float()
