"""The command ``heatmark cards``: whether each metric is sound on a model and its data."""

import sys
from collections.abc import Iterator
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from heatmark.benchmarks.cards.cards import CardTables, cards
from heatmark.benchmarks.cards.estimate import estimate
from heatmark.benchmarks.cards.layout import layouts, passed, titles
from heatmark.benchmarks.cards.of_run import as_of_run, given, together
from heatmark.benchmarks.commands.sweep import built, is_dry, said, with_options
from heatmark.benchmarks.config.building import listed
from heatmark.benchmarks.config.compose import run_command, run_folder
from heatmark.benchmarks.progress.shown import shown
from heatmark.benchmarks.runs.names import changed
from heatmark.benchmarks.sweep.settings import SweepSettings
from heatmark.benchmarks.tables.jobs import Job, jobs
from heatmark.benchmarks.tables.writing import publish

COLUMNS = 80
OF_RUN = ("model", "dataset", "metric", "target", "precision", "seed")
"""Options that a run has settled; of these, ``dataset.limit`` alone is an option of its cards."""


def main() -> None:
    """Make the cards that the command line asks for, or say what they cost."""
    if dry := [argument for argument in sys.argv[1:] if is_dry(argument)]:
        sys.argv = with_options([argument for argument in sys.argv if argument not in dry], ["dry_run=true"])
    run_folder("cards", sys.argv[1:])  # a wrong name is said before Hydra makes its folder
    run_command("cards", job)


def job(config: DictConfig) -> None:
    """Print one card per metric, and write all as cards and agreement, .parquet and .csv; or print what they cost."""
    asked = list(_asked(config))
    if config.dry_run:
        for each, _ in asked:
            said(estimate(*built(each), settings(each)).lines())
        return
    folder = Path(config.results_dir) / str(config.run or config.name)
    folder.mkdir(parents=True, exist_ok=True)
    found = together([_made(each, of) for each, of in asked])
    publish(found.cards, folder / "cards")
    publish(found.agreement, folder / "agreement")
    show(found, folder)


def _asked(config: DictConfig) -> Iterator[tuple[DictConfig, Job | None]]:
    """Yield the configuration of each model and dataset, with the job of a run that it is of.

    Raises:
        ValueError: for an option that the run has settled.
    """
    if not config.run:
        yield config, None
        return
    names = [override.partition("=")[0].lstrip("+~") for override in HydraConfig.get().overrides.task]
    if settled := [n for n in names if n != "dataset.limit" and n.partition(".")[0] in OF_RUN]:
        raise ValueError(f"{', '.join(settled)}: run={config.run} judges the run's own, so it takes no such option")
    for of in jobs(changed(Path(config.results_dir), str(config.run))):
        yield _of_run(config, of), of


def _of_run(config: DictConfig, of: Job) -> DictConfig:
    """Return the configuration of a run's job with the methods, layer and number of pictures of its cards."""
    recorded = given(of)
    mine = OmegaConf.to_container(config, resolve=True)
    asked = OmegaConf.create({**mine, **{name: recorded[name] for name in OF_RUN}})  # type: ignore[dict-item]
    limits = [each for each in (config.dataset.limit, asked.dataset.get("limit")) if each is not None]
    asked.dataset.limit = min(limits, default=None)
    return asked


def _made(config: DictConfig, of: Job | None) -> CardTables:
    classifier, dataset, methods, metrics = built(config)
    found = cards(classifier, dataset, methods, metrics, settings(config), shown)
    return found if of is None else as_of_run(found, of, dataset)


def show(found: CardTables, folder: Path) -> None:
    """Print the cards of each model and dataset, which metrics pass, and where the tables are."""
    console = Console(width=None if sys.stdout.isatty() else COLUMNS)
    for (model, dataset), rows in found.cards.groupby(["model", "dataset"], sort=False):
        for card in layouts(rows):
            console.print(card, "")
        names = list(titles(rows))
        sound = [name for name in names if passed(rows, name)]
        on = f"{model} and {rows.loc[rows['test'] == 'repeats', 'n'].max()} pictures of {dataset}"
        line = f"{len(sound)} of {len(names)} metrics pass on {on}: {', '.join(sound) or 'none'}"
        console.print(line, markup=False, highlight=False)
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
