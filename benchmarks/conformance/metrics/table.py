"""The divergences that the comparison of metrics finds on the toy network, as a table in Markdown.

``python -m heatmark.benchmarks.conformance.metrics.table`` writes it.
"""

import sys
from collections.abc import Iterable, Iterator

from heatmark.benchmarks.conformance.findings import Finding
from heatmark.benchmarks.conformance.metrics.run import compare_metrics_on_toy, compared_metrics

COLUMNS = ("metric", "implementation", "first stage that differs", "values differ by", "cause, undone by experiment")


def markdown(findings: Iterable[Finding]) -> str:
    """Return the divergences as a table: metric, other implementation, stage, size and cause.

    The size is max |a − b| of the metric's values of an image; where one of the two has none, the table says so.
    """
    return "\n".join(_rows(findings)) + "\n"


def _rows(findings: Iterable[Finding]) -> Iterator[str]:
    yield _row(COLUMNS)
    yield _row("---" for _ in COLUMNS)
    for found in findings:
        if found.verdict == "diverges":
            size = "a value against none" if found.map_moved != found.map_moved else f"{found.map_moved:.2g}"
            said = f"`{found.cause}`: {found.note}"
            yield _row((found.method, found.check, found.stage, size, said.replace("|", "\\|")))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(markdown(compare_metrics_on_toy(compared_metrics())))
