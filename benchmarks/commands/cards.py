"""The command ``heatmark cards``: whether each metric is sound on a model and its data."""

import sys
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from heatmark.benchmarks.cards.cards import cards
from heatmark.benchmarks.cards.layout import layouts, passed, titles
from heatmark.benchmarks.config.building import build, build_all, build_classifier, listed
from heatmark.benchmarks.config.compose import run_command, run_folder
from heatmark.benchmarks.progress.shown import shown
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.benchmarks.tables.writing import publish

COLUMNS = 80


def main() -> None:
    """Make the cards that the command line asks for."""
    run_folder("cards", sys.argv[1:])  # a wrong name is said before Hydra makes its folder
    run_command("cards", job)


def job(config: DictConfig) -> None:
    """Print one card per metric, and write all as cards and agreement, .parquet and .csv."""
    methods, metrics = (build_all(config.get(group) or {}, group) for group in ("method", "metric"))
    classifier, dataset = build_classifier(config.model), build(config.dataset, "dataset")
    found = cards(classifier, dataset, methods, metrics, settings(config), shown)
    folder = Path(config.results_dir) / str(config.name)
    folder.mkdir(parents=True, exist_ok=True)
    publish(found.cards, folder / "cards")
    publish(found.agreement, folder / "agreement")
    console = Console(width=None if sys.stdout.isatty() else COLUMNS)
    for card in layouts(found.cards):
        console.print(card, "")
    names = list(titles(found.cards))
    sound = [name for name in names if passed(found.cards, name)]
    said = f"{len(sound)} of {len(names)} metrics pass on {len(dataset)} pictures of {dataset.name}"
    console.print(f"{said}: {', '.join(sound) or 'none'}", markup=False, highlight=False)
    console.print(f"{folder}/cards.parquet, cards.csv, agreement.parquet, agreement.csv", soft_wrap=True, markup=False)


def settings(config: DictConfig) -> SweepSettings:
    """Return the settings in a configuration of ``heatmark cards``."""
    return SweepSettings(
        layers=listed(config.layer),
        target=config.target,
        device=str(config.device),
        precision=str(config.precision),
        batch_size=None if config.batch_size == "auto" else config.batch_size,
        seed=int(config.seed),
        timing=False,
    )
