"""heatmark explain: one picture, the model's top classes, and a panel of maps."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import hydra
import numpy as np
import torch
from omegaconf import DictConfig, ListConfig
from rich import box
from rich.console import Console
from rich.table import Column as Field
from rich.table import Table
from rich.text import Text

from heatmark.benchmarks.config.building import build, build_all
from heatmark.benchmarks.explain.explanation import (
    Explanation,
    Target,
    chosen_targets,
    maps_of,
    picture_name,
    read_image,
)
from heatmark.benchmarks.explain.overlay import Look
from heatmark.benchmarks.explain.panels import colormap, draw, write
from heatmark.benchmarks.machine.devices import autocast, pick_device
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.layers import resolve_layer
from heatmark.benchmarks.models.predictions import Prediction, top_k
from heatmark.benchmarks.sweep.job import predict

COLUMNS = 100


@hydra.main(version_base="1.3", config_path="pkg://heatmark.conf", config_name="explain")
def main(config: DictConfig) -> None:
    """Print the top classes; write the panel as PNG and PDF, and every raw map as .npy."""
    look: Look = build(config.look, "look")
    colormap(look.colormap)  # a wrong name is told before the model is loaded
    picture = read_image(str(config.image))
    classifier: Classifier = build(config.model, "model")
    device = pick_device(config.device)
    classifier.module.to(device).eval()
    image = classifier.preprocessing.image(picture)[None].to(device)
    console = Console(width=None if sys.stdout.isatty() else COLUMNS)
    with autocast(classifier.module, config.precision):
        explanation, refused = _explain(config, classifier, image)
        console.print(table(classifier, top_k(classifier, image)[0], explanation.targets))
    for reason in refused:
        console.print(f"left out: {reason}", markup=False, highlight=False)
    if not explanation.columns:
        raise ValueError("no method works here: " + "; ".join(refused))
    for file in save(explanation, look, Path(config.results_dir) / config.name, _layers(config.layer)):
        console.print(str(file), soft_wrap=True, markup=False, highlight=False)


def _explain(config: DictConfig, classifier: Classifier, image: torch.Tensor) -> tuple[Explanation, list[str]]:
    logits = predict(classifier, image, 1, image.device)
    targets = chosen_targets(_rules(config), logits, config.label, classifier)
    layers = [resolve_layer(classifier, layer, image) for layer in _layers(config.layer)]
    methods = build_all(config.method, "method")
    columns, refused = maps_of(methods, layers, classifier, image, [t.prediction.target for t in targets])
    pixels = classifier.preprocessing.pixels(image)[0].permute(1, 2, 0).cpu().numpy()
    name = picture_name(str(config.image))
    return Explanation(name, classifier.name, classifier.weights, pixels, targets, columns), refused


def table(classifier: Classifier, predictions: Sequence[Prediction], targets: Sequence[Target]) -> Table:
    """Return the top classes and, below them, the classes that are explained and are not among them."""
    title = Text(f"{classifier.name} ({classifier.weights})")  # a Text: brackets in names are no markup
    result = Table("", "class", Field("number", justify="right"), Field("probability", justify="right"), title=title)
    result.box = box.SIMPLE_HEAD
    explained = {target.prediction.target: target for target in targets}
    others = [t.prediction for t in targets if t.prediction.target not in {p.target for p in predictions}]
    for rank, found in enumerate([*predictions, *others], start=1):
        place = str(rank) if rank <= len(predictions) else ""
        style = "bold" if found.target in explained else None
        result.add_row(
            place,
            Text(found.name),
            str(found.target),
            f"{100 * found.probability:.2g} %" if found.probability < 0.001 else f"{100 * found.probability:.1f} %",
            style=style,
        )
    result.caption, result.caption_justify = "bold: explained below", "left"
    return result


def save(explanation: Explanation, look: Look, folder: Path, layers: Sequence[str]) -> list[Path]:
    """Write the panel and the raw maps; return the panel's files and the folder of the maps."""
    stem = _plain(f"{explanation.picture}_{explanation.model}_{'+'.join(layers)}")
    maps = folder / "maps"
    maps.mkdir(parents=True, exist_ok=True)
    for column in explanation.columns:
        for target, raw in zip(explanation.targets, column.raw, strict=True):
            kind = f"{explanation.model}_{column.layer}_{column.method}_{target.prediction.target}"
            np.save(maps / f"{_plain(f'{explanation.picture}_{kind}')}.npy", raw)
    return [*write(draw(explanation, look), folder / stem), maps]


def _rules(config: DictConfig) -> list[int | str]:
    if config.target is None:
        return ["predicted", "second" if config.label is None else "label"]
    return list(config.target) if isinstance(config.target, ListConfig) else [config.target]


def _layers(layer: object) -> list[str]:
    return [str(name) for name in layer] if isinstance(layer, ListConfig) else [str(layer)]


def _plain(name: str) -> str:
    """Return a name that every file system takes."""
    return re.sub(r"[^\w.+\-]+", "_", name)
