"""The check of methods, from the toy network to the networks that were asked for: the core of ``heatmark check``."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from heatmark.benchmarks.conformance.answers.consult import consult_answers
from heatmark.benchmarks.conformance.examination import Examination, Step, broken
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.inputs import check_inputs
from heatmark.benchmarks.conformance.refusals import check_refusals
from heatmark.benchmarks.conformance.settings import CheckSettings
from heatmark.benchmarks.conformance.suite import Claims, check_toys, check_traps
from heatmark.benchmarks.data.base import Dataset
from heatmark.benchmarks.models.classifier import Classifier

NamedBuilder = tuple[str, Callable[[], Classifier]]
"""A model's name until it is built, and the function that builds it."""


def show_nothing(_done: int, _step: Step) -> None:
    """Show nothing."""


def check(
    models: Iterable[NamedBuilder],
    claims: Claims,
    dataset: Dataset,
    settings: CheckSettings,
    show: Callable[[int, Step], None] = show_nothing,
) -> Iterator[Finding]:
    """Yield the findings for methods on the toy network, and then on every model; an exception is a finding too.

    Args:
        models: names and builders; each model is built just before its checks and freed after them.
        claims: the methods, and the in-house methods that they claim to be.
        dataset: the pictures on which the models are checked; two are enough.
        settings: where methods are checked, and against what.
        show: called before every step with the number of networks that are done, of which the toy is the first.
    """
    networks = chain([_without_models(claims, settings)], (_steps(m, claims, dataset, settings) for m in models))
    for done, steps in enumerate(networks):
        for step in steps:
            show(done, step)
            yield from step.findings()


def _without_models(claims: Claims, settings: CheckSettings) -> Iterator[Step]:
    """Yield the steps that need no model: on toy networks, and against known answers."""
    claimed = [*claims.fully, *claims.briefly]
    yield Step("toy", "", "invariants", lambda: check_toys(claimed))
    if settings.suite:
        yield Step("toy", "", "known answers", consult_answers)
        yield Step("toy", "", "traps", lambda: check_traps(claimed))
        yield Step("toy", "", "refusals", lambda: check_refusals(claimed))
        yield Step("toy", "", "methods that explain the input", check_inputs)
    if settings.metrics:
        from heatmark.benchmarks.conformance.metrics.run import compare_metrics_on_toy

        yield Step("toy", "", "metrics", lambda: compare_metrics_on_toy(settings.metrics))
    if settings.libraries:
        from heatmark.benchmarks.conformance.toy_libraries import compare_on_toys

        yield Step("toy", "", "reference libraries", compare_on_toys)


def _steps(model: NamedBuilder, claims: Claims, dataset: Dataset, settings: CheckSettings) -> Iterator[Step]:
    """Yield the steps for one model; if it cannot be built, one step that says so."""
    name, build = model
    try:
        classifier = build()
    except Exception as error:  # noqa: BLE001 - a model that cannot be built is a row, and the others go on
        yield broken(name, "", error)
    else:
        yield from Examination(classifier, dataset, claims, settings).steps()
