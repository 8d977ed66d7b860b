"""heatmark check: is every implementation right, and where does it first go wrong?"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import hydra
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor, nn

from benchmarks.building import build, build_all
from benchmarks.classifier import Classifier
from benchmarks.config import compose_command
from benchmarks.conformance import gate, report
from benchmarks.conformance.answers.consult import consult_answers
from benchmarks.conformance.cell import in_float64
from benchmarks.conformance.findings import Finding
from benchmarks.conformance.known import KNOWN
from benchmarks.conformance.suite import (
    TOY_ONLY,
    Claim,
    alternating,
    awaken,
    cell_of,
    check_laws,
    check_layer,
    check_toys,
    claims,
)
from benchmarks.errors import one_paragraph
from benchmarks.gather import publish
from benchmarks.layer_listing import resolve_layer
from benchmarks.shard import Batch, load_batch
from methods.base import Method
from methods.pristine import observing

console = Console(stderr=True)
COLUMNS = 100


_reds: list[int] = []
"""How many findings were red in every job that this process ran: Hydra hands no job's answer back."""


def main() -> int:
    """Check everything; exit code 1 where anything is red in any job."""
    _reds.clear()
    check()
    return int(any(_reds))


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="check")
def check(config: DictConfig) -> None:
    """Print one table, and write it as conformance.parquet and conformance.csv."""
    methods: dict[str, Method] = build_all(config.method, "method")
    claimed = claims(methods) if config.mine._target_ is None else [_mine(config)]
    if config.mine._target_ is None:
        gate.located(config.reference, config.save)
    found = list(_shown(config, methods, claimed))
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


Step = tuple[str, Callable[[], Iterable[Finding]]]
"""What is done at a layer, in words, and the doing."""


def _shown(config: DictConfig, methods: dict[str, Method], claimed: list[Claim]) -> Iterator[Finding]:
    """Yield what every model's checks find, and show how far they have come."""
    names = [None] if "model" in config else list(config.models)
    columns = (TextColumn("check"), BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("toy", total=len(names) + 1)
        extra = {} if config.mine._target_ is not None else {n: m for n, m in TOY_ONLY.items() if n not in methods}
        if config.mine._target_ is None:
            yield from consult_answers()
        yield from check_toys([*claimed, *claims(extra)])
        for name in names:
            progress.advance(task)
            for model, layer, (what, run) in _steps(config, name, methods, claimed):
                progress.update(task, description=f"{model} {layer} {what}")
                yield from _run(model, layer, run)
        progress.update(task, advance=1, description="")


def _steps(
    config: DictConfig, name: str | None, methods: dict[str, Method], claimed: list[Claim]
) -> Iterator[tuple[str, str, Step]]:
    """Yield model, layer and what is to be done there; where there is no such model or layer, one step says so."""
    layer, called = "", str(name or config.model.name)
    try:
        model = Model(config, _classifier(config, name))
        called = model.classifier.name
        for role in [config.layer] if isinstance(config.layer, str) else config.layer:
            layer = resolve_layer(model.classifier, str(role), model.batch.images)
            for step in model.steps(layer, methods, claimed):
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


@dataclass(frozen=True)
class Model:
    """A classifier with all that its checks share."""

    config: DictConfig
    classifier: Classifier

    @cached_property
    def batch(self) -> Batch:
        """The pictures as this model wants them."""
        return load_batch(build(self.config.dataset, "dataset"), self.classifier)

    @cached_property
    def targets(self) -> Tensor:
        """The class to explain for every picture."""
        with observing(self.classifier.module):
            return alternating(self.classifier.module(self.batch.images))

    @cached_property
    def double(self) -> nn.Module:
        """The network in float64."""
        return in_float64(self.classifier.module)

    def steps(self, layer: str, methods: dict[str, Method], claimed: list[Claim]) -> Iterator[Step]:
        """Yield the checks at one layer: of a method of the user's no peers and no reference."""
        yield "linter", lambda: check_layer(self.classifier, layer, self.batch.images)
        yield "oracles", lambda: self._laws(layer, claimed)
        if self.config.mine._target_ is not None:
            return
        if self.config.peers:
            yield "peers", lambda: self._peers(layer)
        if not self.classifier.weights.startswith("random-") and self._is_referred(layer):
            yield "reference", lambda: self._reference(layer, methods)

    def _is_referred(self, layer: str) -> bool:
        """Say whether a reference speaks of this: one that the user names of all, the committed one of the defaults."""
        if self.config.reference is not None or self.config.save:
            return True
        last = resolve_layer(self.classifier, "last", self.batch.images)
        return layer == last and self.config.dataset == compose_command("check").dataset

    def _laws(self, layer: str, claimed: list[Claim]) -> Iterable[Finding]:
        return check_laws(cell_of(self.classifier, self.double, layer, self.batch.images), claimed)

    def _peers(self, layer: str) -> Iterable[Finding]:
        from benchmarks.conformance.peers import compare_with_peers

        return compare_with_peers(self.classifier, self.batch.images, self.targets, layer)

    def _reference(self, layer: str, methods: dict[str, Method]) -> Iterable[Finding]:
        metrics = build_all(self.config.metric, "metric")
        path = gate.located(self.config.reference, self.config.save)
        rows = gate.measure(self.classifier, layer, methods, metrics, self.batch, self.targets)
        if self.config.save:
            gate.save(rows, path)
        return gate.hold(rows, gate.read(path))


def _classifier(config: DictConfig, name: str | None) -> Classifier:
    """Return the model that was asked for, or one of the list: torchvision's with random weights."""
    if name is None:
        classifier: Classifier = build(config.model, "model")
        return classifier
    model = compose_command("sweep", [f"model={name}", f"seed={config.seed}"]).model
    if model._target_.endswith("torchvision_model"):
        model.weights = None
    classifier = build(model, f"model={name}")
    if classifier.weights.startswith("random-"):
        awaken(classifier.module, config.seed)
    return classifier


def _mine(config: DictConfig) -> Claim:
    """Return the user's method with the in-house one that it is held against.

    Raises:
        ValueError: where it is not a :class:`Method`.
    """
    options = compose_command("sweep", [f"method=[{config.against}]", f"seed={config.seed}"]).method[config.against]
    method = build(config.mine, "mine")
    if not isinstance(method, Method):
        raise ValueError(f"mine is a {type(method).__name__}, expected a subclass of methods.base.Method")
    return Claim("mine", method, build(options, f"against={config.against}"))
