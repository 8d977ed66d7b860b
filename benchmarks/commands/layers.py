"""The command ``heatmark layers``: the layers of a model whose output gives a map, with the shapes of their outputs."""

import sys
from collections.abc import Sequence

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Column, Table

from heatmark.benchmarks.config.building import build
from heatmark.benchmarks.config.compose import run_command, run_folder
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import AUTO, Candidate, candidate_layers, resolve_layer, shortlist


def main() -> None:
    """List the layers of the model of the command line."""
    run_folder("layers", sys.argv[1:])  # a wrong name is said before Hydra makes its folder
    run_command("layers", job)


def job(config: DictConfig) -> None:
    """Print a table of the model's layers."""
    chosen = HydraConfig.get().runtime.choices["model"]
    classifier = build(config.model, f"model={chosen}")
    for layer in set(classifier.layers.values()) - {AUTO}:
        resolve_layer(classifier, layer)  # raises if a role names no layer
    candidates = candidate_layers(classifier, _image(config.image_size))
    shown = candidates if config.all else shortlist(candidates)
    Console().print(table(classifier, shown, len(candidates)))


def _image(size: object) -> torch.Tensor | None:
    if size is None:
        return None
    if not isinstance(size, int) or size < 1:
        raise ValueError(f"image_size is {size!r}, expected a number of pixels, or null for the model's own size")
    return torch.zeros(1, 3, size, size)


def table(classifier: Classifier, shown: Sequence[Candidate], total: int) -> Table:
    """Return the layers as a table, those with a role in bold."""
    rest = "" if len(shown) == total else f"{len(shown)} of {total} layers; all=true shows every one. "
    starred = any(layer.overwritten for layer in shown)
    note = "* overwritten in place by what runs next; Heatmark reads a clone. " if starred else ""
    title = f"{classifier.name}: layers to explain"
    result = Table(Column("layer", no_wrap=True), "type", "output", "role", title=title, box=box.SIMPLE_HEAD)
    result.caption, result.caption_justify = rest + note or None, "left"
    for layer in shown:
        result.add_row(
            layer.name + ("*" if layer.overwritten else ""),
            layer.kind,
            f"{layer.channels}×{layer.grid[0]}×{layer.grid[1]}",
            ", ".join(layer.roles),
            style="bold" if layer.roles else None,
        )
    return result
