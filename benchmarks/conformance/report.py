"""Reports of findings: a table for the terminal, a data frame, JUnit XML, and which findings are red."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from heatmark.benchmarks.conformance.findings import Finding

K = TypeVar("K")

COLUMNS = [field.name for field in fields(Finding)]


def is_red(finding: Finding) -> bool:
    """Say whether a finding fails the check: a fault, a difference that nothing explains, or a check that broke."""
    return finding.verdict == "error" or (
        finding.verdict == "diverges" and (finding.fault or finding.cause == "unexplained")
    )


def frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return one row per finding, in their order, with the column ``red``."""
    rows = [asdict(finding) | {"red": is_red(finding)} for finding in findings]
    return pd.DataFrame(rows, columns=[*COLUMNS, "red"])


def table(findings: Sequence[Finding]) -> Table:
    """Return the report for a terminal of 100 columns.

    A layer has one row for all checks that agree, then one row per difference and per peculiarity found by the linter.
    """
    count = sum(map(is_red, findings))
    verdict = f"[red]{count} red[/red]" if count else "[green]all green[/green]"
    title = f"Conformance: {len(findings)} checks, {verdict}"
    result = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left", caption_justify="left")
    result.add_column("model, layer and method", max_width=36, overflow="fold")
    for heading in ("against", "first differs", "by", "map moves", "cause"):
        number = heading in ("by", "map moves")
        result.add_column(heading, overflow="fold", justify="right" if number else "left")
    for (model, layer), checked in _grouped(findings, lambda f: (f.model, f.layer)).items():
        several = len({finding.size for finding in checked if finding.size}) > 1
        result.add_row(f"[bold]{escape(model)}[/bold] {escape(layer)}", "", "", "", "", _agreement(checked))
        for finding in (f for f in checked if f.verdict in ("diverges", "error")):
            style = "red" if is_red(finding) else "dim" if not finding.method else None
            result.add_row(*_cells(finding, several), style=style)
    result.caption = (
        "by: max |a − b| / max |b| at the first stage that differs; map moves: max |a − b| of the final maps, each in "
        "[0, 1], or of metrics' values; n/a: checks that do not apply"
    )
    return result


def _grouped(findings: Iterable[Finding], key: Callable[[Finding], K]) -> dict[K, list[Finding]]:
    """Return findings by their key, in the order in which the keys first appear."""
    groups: dict[K, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(key(finding), []).append(finding)
    return groups


def _agreement(checked: Sequence[Finding]) -> str:
    verdicts = Counter(finding.verdict for finding in checked)
    skipped = f", {verdicts['skipped']} n/a" if verdicts["skipped"] else ""
    return f"[green]{verdicts['agrees']} agree[/green]{skipped}"


def _cells(finding: Finding, with_size: bool) -> tuple[str, ...]:
    known = finding.cause == finding.check or finding.cause not in ("", "implementation", "unexplained", "drift")
    words = finding.cause.replace("_", " ") if known and finding.cause != finding.check else finding.note
    return (
        f"  {finding.method or 'linter'}" + (f" {finding.size}" if with_size else ""),
        finding.check.replace("_", " "),
        finding.stage,
        "" if math.isnan(finding.relative) else f"{finding.relative:.1e}",
        "" if math.isnan(finding.map_moved) else f"{finding.map_moved:.2g}",
        escape(words if is_red(finding) or finding.method else ""),
    )


def explanations(findings: Iterable[Finding], known: Mapping[str, str]) -> list[str]:
    """Return one line per cause that occurs, with its explanation, then one per red finding.

    Args:
        findings: of the whole check.
        known: name of a cause to its explanation; findings of the linter explain themselves.
    """
    seen = {f.cause: known.get(f.cause, f.note) for f in findings if f.verdict == "diverges" and not is_red(f)}
    return [f"{cause.replace('_', ' ')}: {words}" for cause, words in seen.items()] + [
        f"RED {sentence(f)}" for f in findings if is_red(f)
    ]


def junit(findings: Sequence[Finding], path: Path) -> None:
    """Write JUnit XML with one suite per model and one test per check: red ones fail, inapplicable ones are skipped."""
    root = ElementTree.Element("testsuites", name="heatmark check")
    for model, checked in _grouped(findings, lambda f: f.model).items():
        suite = ElementTree.SubElement(root, "testsuite", name=model, tests=str(len(checked)))
        suite.set("failures", str(sum(is_red(f) and f.verdict != "error" for f in checked)))
        suite.set("errors", str(sum(f.verdict == "error" for f in checked)))
        suite.set("skipped", str(sum(f.verdict == "skipped" for f in checked)))
        for finding in checked:
            _testcase(suite, finding)
    ElementTree.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _testcase(suite: ElementTree.Element, finding: Finding) -> None:
    name = " ".join(filter(None, (finding.method, finding.check, finding.size)))
    element = ElementTree.SubElement(suite, "testcase", classname=f"{finding.model}.{finding.layer}", name=name)
    if finding.verdict == "skipped":
        ElementTree.SubElement(element, "skipped", message=finding.note)
    elif is_red(finding):
        kind = "error" if finding.verdict == "error" else "failure"
        ElementTree.SubElement(element, kind, message=sentence(finding))


def sentence(finding: Finding) -> str:
    """Return a red finding as one line of text."""
    where = " ".join(filter(None, (finding.model, finding.layer, finding.method)))
    stage = f" at stage {finding.stage}" if finding.stage else ""
    pixels = f" on {finding.size} pixels" if finding.size else ""
    size = "" if math.isnan(finding.relative) else f" by {finding.relative:.2e} (tolerance {finding.tolerance:.0e})"
    verb = "could not be checked" if finding.verdict == "error" else "differs"
    note = f": {finding.note}" if finding.note else ""
    return f"{where}: {verb} against {finding.check.replace('_', ' ')}{stage}{size}{pixels}{note}"
