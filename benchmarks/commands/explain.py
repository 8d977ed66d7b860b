"""The command ``heatmark explain``: one picture, the model's top classes, and a panel of maps."""

import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, ListConfig
from rich import box
from rich.console import Console
from rich.table import Column as Field
from rich.table import Table
from rich.text import Text

from heatmark.benchmarks import api
from heatmark.benchmarks.config.building import build, build_all, listed
from heatmark.benchmarks.config.compose import run_command, run_folder
from heatmark.benchmarks.explain.explanation import Target, picture_name, read_image
from heatmark.benchmarks.explain.files import save
from heatmark.benchmarks.explain.overlay import Look
from heatmark.benchmarks.explain.panels import colormap
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.models.predictions import Prediction

COLUMNS = 100


def main() -> None:
    """Explain the picture of the command line."""
    run_folder("explain", sys.argv[1:])  # a wrong name is said before Hydra makes its folder
    run_command("explain", job)


def job(config: DictConfig) -> None:
    """Print the top classes; write the panel as PNG and PDF, and every raw map as .npy."""
    look: Look = build(config.look, "look")
    colormap(look.colormap)  # a wrong name is reported before the model is loaded
    source = str(config.image)
    picture = read_image(source)
    classifier: Classifier = build(config.model, "model")
    methods = build_all(config.get("method") or {}, "method")
    found = api.explain(classifier, picture, picture_name(source), methods, settings(config))
    console = Console(width=None if sys.stdout.isatty() else COLUMNS)
    console.print(table(classifier, found.top, found.explanation.targets))
    for reason in found.left_out:
        console.print(f"left out: {reason}", markup=False, highlight=False)
    if not found.explanation.columns:
        raise ValueError("no method works here: " + "; ".join(found.left_out))
    for file in save(found.explanation, look, Path(config.results_dir) / config.name, listed(config.layer)):
        console.print(str(file), soft_wrap=True, markup=False, highlight=False)


def settings(config: DictConfig) -> api.ExplainSettings:
    """Return the settings in a configuration of ``heatmark explain``: all but its model, picture and methods."""
    return api.ExplainSettings(listed(config.layer), _targets(config), config.label, config.device, config.precision)


def table(classifier: Classifier, predictions: Sequence[Prediction], targets: Sequence[Target]) -> Table:
    """Return a table of the top classes and, below them, of explained classes that are not among them."""
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


def _targets(config: DictConfig) -> list[int | str]:
    if config.target is None:
        return ["predicted", "second" if config.label is None else "label"]
    return list(config.target) if isinstance(config.target, ListConfig) else [config.target]
