"""The command ``heatmark check``: whether every implementation is right, and the first stage at which one is not."""

import secrets
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from heatmark.benchmarks import api
from heatmark.benchmarks.config.building import build, build_all, listed
from heatmark.benchmarks.config.compose import compose_command, run_command, run_folder
from heatmark.benchmarks.config.errors import one_paragraph
from heatmark.benchmarks.config.options import chosen
from heatmark.benchmarks.conformance import regression_baseline, report
from heatmark.benchmarks.conformance.check import NamedBuilder
from heatmark.benchmarks.conformance.examination import Step
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.invariants import INVARIANTS
from heatmark.benchmarks.conformance.known import KNOWN
from heatmark.benchmarks.conformance.metrics.run import compared_metrics, named_metrics
from heatmark.benchmarks.conformance.settings import Baseline, CheckSettings, as_sizes, named_invariants
from heatmark.benchmarks.conformance.suite import BRIEFLY, Claim, Claims, claims, draw_zero_weights
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.tables.gather import publish
from heatmark.methods.base import Method

COLUMNS = 100
REDS = "red"
"""The folder of a run in which every job with red findings leaves a file: it may run in any process or computer."""


def main() -> int:
    """Check everything; exit code 1 where anything is red in any job."""
    reds = run_folder("check", sys.argv[1:]) / REDS
    shutil.rmtree(reds, ignore_errors=True)
    run_command("check", job)
    return int(reds.exists())


def job(config: DictConfig) -> None:
    """Print one table, and write it as conformance.parquet and conformance.csv."""
    claimed, settings = _asked(config)  # a mistake in the options is reported before anything runs
    found = _shown(_models(config), claimed, build(config.dataset, "dataset"), settings)
    folder = Path(config.results_dir) / config.name
    folder.mkdir(parents=True, exist_ok=True)
    note_reds(found, folder / REDS)
    publish(report.frame(found), folder / "conformance")
    if config.junit is not None:
        report.junit(found, Path(config.junit))
    _print(found, folder)


def note_reds(found: list[Finding], folder: Path) -> None:
    """Write what is red into a file of its own, where anything is."""
    red = [f"{finding.model} {finding.layer} {finding.method}" for finding in found if report.is_red(finding)]
    if red:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{secrets.token_hex(8)}.txt").write_text("\n".join(red), encoding="utf-8")


def _shown(models: list[NamedBuilder], claimed: Claims, dataset: Dataset, settings: CheckSettings) -> list[Finding]:
    """Return the findings of the check, and show its progress meanwhile."""
    columns = (TextColumn("check"), BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(models) + 1)

        def show(done: int, step: Step) -> None:
            progress.update(task, completed=done, description=f"{step.model} {step.layer} {step.what}")

        found = list(api.check(models, claimed, dataset, settings, show))
        progress.update(task, completed=len(models) + 1, description="")
    return found


def _print(found: list[Finding], folder: Path) -> None:
    output = Console(width=None if sys.stdout.isatty() else COLUMNS)
    output.print(report.table(found))
    for line in report.explanations(found, {cause.name: cause.explanation for cause in KNOWN}):
        output.print(line, highlight=False, markup=False)
    output.print(f"{folder}/conformance.parquet, conformance.csv", soft_wrap=True, highlight=False)


def _asked(config: DictConfig) -> tuple[Claims, CheckSettings]:
    """Return what is checked, and the settings: the user's method alone, or the suite with its methods."""
    asked = INVARIANTS if config.invariants is None else named_invariants(listed(config.invariants))
    settings = CheckSettings(
        layers=listed(config.layer),
        sizes=None if config.sizes is None else as_sizes(_plain(config.sizes)),
        invariants=asked,
    )
    if config.mine._target_ is not None:
        return Claims([_mine(config)]), replace(settings, suite=False, libraries=False)
    methods: dict[str, Method] = build_all(config.method, "method")
    others = {name: method for name, method in BRIEFLY.items() if name not in methods}
    metrics = compared_metrics() if config.metrics is None else named_metrics(listed(config.metrics))
    settings = replace(settings, libraries=config.libraries, baseline=_baseline(config, methods), metrics=metrics)
    return Claims(claims(methods), claims(others)), settings


def _baseline(config: DictConfig, methods: dict[str, Method]) -> Baseline | None:
    """Return the baseline that the user names, for all layers, or the committed one if the pictures are the default's.

    Raises:
        ValueError: for a file that was asked for and does not exist, unless it is to be written now.
    """
    path = regression_baseline.located(config.reference, config.save)
    named = config.reference is not None or config.save
    if not named and config.dataset != compose_command("check").dataset:
        return None
    return Baseline(path, methods, build_all(config.metric, "metric"), every_layer=named, write=config.save)


def _mine(config: DictConfig) -> Claim:
    """Return the user's method with the in-house method that it claims to be.

    Raises:
        ValueError: if it is not a :class:`Method`.
    """
    options = compose_command("sweep", [f"method=[{config.against}]", f"seed={config.seed}"]).method[config.against]
    method = build(config.mine, "mine")
    if not isinstance(method, Method):
        raise ValueError(f"mine is a {type(method).__name__}, expected a subclass of heatmark.methods.base.Method")
    return Claim("mine", method, build(options, f"against={config.against}"))


def _models(config: DictConfig) -> list[NamedBuilder]:
    """Return the one model that was asked for, or those of the list, each with a function that builds it."""
    if "model" in config:
        return [(str(config.model.name), partial(_classifier, config, None))]
    return [(str(name), partial(_classifier, config, str(name))) for name in config.models]


def _classifier(config: DictConfig, name: str | None) -> Classifier:
    """Return the one model that was asked for, or one of the list by its name.

    Raises:
        ValueError: if it cannot be built; errors of Hydra become one paragraph.
    """
    try:
        classifier: Classifier = build(config.model, "model") if name is None else _listed_classifier(name, config.seed)
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(one_paragraph(error)) from error
    return classifier


def _listed_classifier(name: str, seed: int) -> Classifier:
    """Return a model of the list: torchvision's with random weights, the shipped ones with theirs."""
    model = _composed(name, seed)
    if model._target_.endswith("torchvision_model"):
        model.weights = None
    classifier: Classifier = build(model, f"model={name}")
    if classifier.weights.startswith("random-"):
        draw_zero_weights(classifier.module, seed)
    return classifier


def _composed(name: str, seed: int) -> DictConfig:
    """Return a model's config: its own, or else torchvision's with this name and layers that are found by depth."""
    try:
        model: DictConfig = compose_command("sweep", [f"model={chosen('model', name)}", f"seed={seed}"]).model
    except MissingConfigException:
        model = compose_command("sweep", ["model=torchvision", f"model.name={name}", f"seed={seed}"]).model
        model.layers = {}
    return model


def _plain(value: Any) -> Any:
    """Return a value of the config with its lists as Python's."""
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
