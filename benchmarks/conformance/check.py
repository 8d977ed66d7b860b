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
"""What a model is called until it is built, and what builds it."""


def show_nothing(_done: int, _step: Step) -> None:
    """Show nothing."""


def check(
    models: Iterable[NamedBuilder],
    claims: Claims,
    dataset: Dataset,
    settings: CheckSettings,
    show: Callable[[int, Step], None] = show_nothing,
) -> Iterator[Finding]:
    """Yield what is found of methods on the toy network, and then on every model; what breaks is a finding.

    Args:
        models: each is built when its turn comes, and let go after it.
        claims: the methods, and which in-house ones they claim to be.
        dataset: the pictures that the models are checked on; two are enough.
        settings: where methods are checked, and what they are held to.
        show: called before every step with the number of networks that are done, the toy being the first.
    """
    networks = chain([_without_models(claims, settings)], (_steps(m, claims, dataset, settings) for m in models))
    for done, steps in enumerate(networks):
        for step in steps:
            show(done, step)
            yield from step.findings()


def _without_models(claims: Claims, settings: CheckSettings) -> Iterator[Step]:
    """Yield what is checked on toys and by known answers."""
    claimed = [*claims.fully, *claims.briefly]
    yield Step("toy", "", "invariants", lambda: check_toys(claimed))
    if settings.suite:
        yield Step("toy", "", "known answers", consult_answers)
        yield Step("toy", "", "traps", lambda: check_traps(claimed))
        yield Step("toy", "", "refusals", lambda: check_refusals(claimed))
        yield Step("toy", "", "methods that explain the input", check_inputs)
    if settings.libraries:
        from heatmark.benchmarks.conformance.toy_libraries import compare_on_toys

        yield Step("toy", "", "reference libraries", compare_on_toys)


def _steps(model: NamedBuilder, claims: Claims, dataset: Dataset, settings: CheckSettings) -> Iterator[Step]:
    """Yield the checks of one model; one that cannot be built is a step that says so."""
    name, build = model
    try:
        classifier = build()
    except Exception as error:  # noqa: BLE001 - a model that cannot be built is a row, and the others go on
        yield broken(name, "", error)
    else:
        yield from Examination(classifier, dataset, claims, settings).steps()
