"""heatmark check: is every implementation right, and where does it first go wrong?"""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import hydra
from hydra.errors import MissingConfigException
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from heatmark.benchmarks.config.building import build, build_all
from heatmark.benchmarks.config.compose import compose_command
from heatmark.benchmarks.config.errors import one_paragraph
from heatmark.benchmarks.conformance import regression_baseline, report
from heatmark.benchmarks.conformance.answers.consult import consult_answers
from heatmark.benchmarks.conformance.examination import Claims, Model, Step, invariants, sizes
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.inputs import check_inputs
from heatmark.benchmarks.conformance.known import KNOWN
from heatmark.benchmarks.conformance.refusals import check_refusals
from heatmark.benchmarks.conformance.suite import BRIEFLY, Claim, draw_zero_weights, check_toys, check_traps, claims
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.tables.gather import publish
from heatmark.methods.base import Method

console = Console(stderr=True)
COLUMNS = 100


_reds: list[int] = []
"""How many findings were red in every job that this process ran: Hydra hands no job's answer back."""


def main() -> int:
    """Check everything; exit code 1 where anything is red in any job."""
    _reds.clear()
    check()
    return int(any(_reds))


@hydra.main(version_base="1.3", config_path="pkg://heatmark.conf", config_name="check")
def check(config: DictConfig) -> None:
    """Print one table, and write it as conformance.parquet and conformance.csv."""
    sizes(config)  # what is wrong in the options is said before anything runs
    invariants(config)
    if config.mine._target_ is None:
        regression_baseline.located(config.reference, config.save)
    found = list(_shown(config, _claims(config)))
    _reds.append(sum(map(report.is_red, found)))
    folder = Path(config.results_dir) / config.name
    folder.mkdir(parents=True, exist_ok=True)
    publish(report.frame(found), folder / "conformance")
    if config.junit is not None:
        report.junit(found, Path(config.junit))
    _print(found, folder)


def _print(found: list[Finding], folder: Path) -> None:
    output = Console(width=None if sys.stdout.isatty() else COLUMNS)
    output.print(report.table(found))
    for line in report.explanations(found, {cause.name: cause.explanation for cause in KNOWN}):
        output.print(line, highlight=False, markup=False)
    output.print(f"{folder}/conformance.parquet, conformance.csv", soft_wrap=True, highlight=False)


def _shown(config: DictConfig, claims: Claims) -> Iterator[Finding]:
    """Yield what every model's checks find, and show how far they have come."""
    names = [None] if "model" in config else list(config.models)
    columns = (TextColumn("check"), BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("toy", total=len(names) + 1)
        yield from _without_models(config, [*claims.fully, *claims.briefly])
        for name in names:
            progress.advance(task)
            for model, layer, (what, run) in _steps(config, name, claims):
                progress.update(task, description=f"{model} {layer} {what}")
                yield from _run(model, layer, run)
        progress.update(task, advance=1, description="")


def _without_models(config: DictConfig, claimed: list[Claim]) -> Iterator[Finding]:
    """Yield what is checked on toys and by known answers; of a method of the user's only the plain toy."""
    yield from check_toys(claimed)
    if config.mine._target_ is not None:
        return
    yield from consult_answers()
    yield from check_traps(claimed)
    yield from check_refusals(claimed)
    yield from check_inputs()
    if config.libraries:
        from heatmark.benchmarks.conformance.toy_libraries import compare_on_toys

        yield from compare_on_toys()


def _steps(config: DictConfig, name: str | None, claims: Claims) -> Iterator[tuple[str, str, Step]]:
    """Yield model, layer and what is to be done there; where there is no such model or layer, one step says so."""
    layer, called = "", str(name or config.model.name)
    try:
        model = Model(config, _classifier(config, name))
        called = model.classifier.name
        for layer in model.layers():
            for step in model.steps(layer, claims):
                yield called, layer, step
    except Exception as error:  # noqa: BLE001 - a model that cannot be built is a row, and the others go on
        broken = Finding(called, layer, "", "build", "", "error", note=one_paragraph(error))
        yield called, layer, ("build", lambda: [broken])


def _run(model: str, layer: str, run: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what a step finds; a step that breaks is a finding."""
    try:
        yield from run()
    except Exception as error:  # noqa: BLE001 - whatever breaks is a row, and the others go on
        yield Finding(model, layer, "", "check", "", "error", note=one_paragraph(error))


def _classifier(config: DictConfig, name: str | None) -> Classifier:
    """Return the model that was asked for, or one of the list: torchvision's with random weights."""
    if name is None:
        classifier: Classifier = build(config.model, "model")
        return classifier
    model = _composed(name, config.seed)
    if model._target_.endswith("torchvision_model"):
        model.weights = None
    classifier = build(model, f"model={name}")
    if classifier.weights.startswith("random-"):
        draw_zero_weights(classifier.module, config.seed)
    return classifier


def _composed(name: str, seed: int) -> DictConfig:
    """Return a model's config: its own, or the one of any network of torchvision, whose layers are found by depth."""
    try:
        model: DictConfig = compose_command("sweep", [f"model={name}", f"seed={seed}"]).model
    except MissingConfigException:
        model = compose_command("sweep", ["model=torchvision", f"model.name={name}", f"seed={seed}"]).model
        model.layers = {}
    return model


def _claims(config: DictConfig) -> Claims:
    """Return what is checked: the user's method, or those of the config and the in-house ones that take longer."""
    if config.mine._target_ is not None:
        return Claims({}, [_mine(config)], [])
    methods: dict[str, Method] = build_all(config.method, "method")
    others = {name: method for name, method in BRIEFLY.items() if name not in methods}
    return Claims(methods, claims(methods), claims(others))


def _mine(config: DictConfig) -> Claim:
    """Return the user's method with the in-house one that it is held against.

    Raises:
        ValueError: where it is not a :class:`Method`.
    """
    options = compose_command("sweep", [f"method=[{config.against}]", f"seed={config.seed}"]).method[config.against]
    method = build(config.mine, "mine")
    if not isinstance(method, Method):
        raise ValueError(f"mine is a {type(method).__name__}, expected a subclass of heatmark.methods.base.Method")
    return Claim("mine", method, build(options, f"against={config.against}"))
