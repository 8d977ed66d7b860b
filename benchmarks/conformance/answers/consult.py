"""All known answers, computed one part after the other."""

from collections.abc import Callable, Iterator

from heatmark.benchmarks.conformance.answers import models
from heatmark.benchmarks.conformance.answers.answer import MODEL
from heatmark.benchmarks.conformance.answers.axes import axes_answers
from heatmark.benchmarks.conformance.answers.identity import identity_answers
from heatmark.benchmarks.conformance.answers.inputs import input_answers
from heatmark.benchmarks.conformance.answers.layouts import layout_answers
from heatmark.benchmarks.conformance.answers.methods import method_answers
from heatmark.benchmarks.conformance.answers.metrics import metric_answers
from heatmark.benchmarks.conformance.answers.mosaics import mosaic_answers
from heatmark.benchmarks.conformance.answers.runner import runner_answers
from heatmark.benchmarks.conformance.answers.statistics import statistics_answers
from heatmark.benchmarks.conformance.findings import Finding
from heatmark.common.errors import in_words

ANSWERS: tuple[Callable[[], Iterator[Finding]], ...] = (
    axes_answers,
    layout_answers,
    method_answers,
    input_answers,
    models.ask_models,
    metric_answers,
    mosaic_answers,
    runner_answers,
    identity_answers,
    statistics_answers,
)
"""One function per part of Heatmark."""


def consult_answers() -> Iterator[Finding]:
    """Yield the findings of all known answers; a part that raises is one finding, and the others go on."""
    for ask in ANSWERS:
        try:
            yield from ask()
        except Exception as error:  # noqa: BLE001 - whatever breaks is a row, and the others go on
            part = ask.__module__.rpartition(".")[2]
            yield Finding(MODEL, "", part, "answer", "", "error", note=in_words(error))
