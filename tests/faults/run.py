"""The run of planted faults, one at a time, and which judges catch each: ``python -m tests.faults.run``."""

import argparse
import csv
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.faults.faults import Fault, Nothing, catalogue
from tests.faults.forks import ROOT
from tests.faults.workers import CHECKS, each, red_of_check, red_of_tests

RESULTS = ROOT / "results" / "reference" / "faults.csv"
COLUMNS = ("id", "file", "what", "tests", "check")
console = Console()

Row = dict[str, str]


def main() -> None:
    """Judge the faults that are asked for, write the table after each, and print it."""
    options = arguments()
    chosen = [fault for fault in catalogue() if not options.only or fault.id in options.only]
    if unknown := set(options.only) - {fault.id for fault in chosen}:
        raise SystemExit(f"no fault is called {', '.join(sorted(unknown))}")
    rows = known(RESULTS)
    judge = partial(judged, judges=options.judges, near_only=options.near, rungs=options.rungs)
    for fault, verdicts in each(judge, chosen if options.only else [Nothing(), *chosen], options.jobs):
        if isinstance(fault, Nothing):
            if any(verdicts.values()):
                raise SystemExit(f"red without any fault: {verdicts}")
            continue
        rows[fault.id] = {**rows.get(fault.id, {}), "id": fault.id, "file": fault.file, "what": fault.seen, **verdicts}
        console.print(f"{fault.id}: {verdicts}", highlight=False, markup=False)
        save(rows, RESULTS)
    console.print(table([rows[fault.id] for fault in chosen]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="these faults")
    parser.add_argument("--with", dest="judges", nargs="+", choices=("tests", "check"), default=["tests", "check"])
    parser.add_argument("--near", action="store_true", help="ask the tests nearest to the file only")
    parser.add_argument(
        "--rungs", type=int, default=len(CHECKS), help=f"of the check: {', '.join(CHECKS)}; 0: answers alone"
    )
    parser.add_argument("--jobs", type=int, default=2, help="faults at once")
    return parser.parse_args()


def judged(fault: Fault | Nothing, judges: list[str], near_only: bool, rungs: int) -> Row:
    """Return what each judge sees of a fault, by its name; ``""`` where it sees nothing."""
    ask = {"tests": partial(red_of_tests, near_only=near_only), "check": partial(red_of_check, rungs=rungs)}
    return {name: ask[name](fault) for name in judges}


def known(path: Path) -> dict[str, Row]:
    """Return the rows of an earlier run, by the fault's id."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["id"]: row for row in csv.DictReader(lines)}


def save(rows: dict[str, Row], path: Path) -> None:
    """Write the rows in the order of the catalogue; those of faults that are in it no longer go."""
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[fault.id] for fault in catalogue() if fault.id in rows)


def table(rows: list[Row]) -> Table:
    missed = {judge: sum(not row.get(judge) for row in rows) for judge in ("tests", "check")}
    caught = ", ".join(f"{len(rows) - n} by {judge}" for judge, n in missed.items())
    result = Table("fault", "caught by tests", "caught by check", title=f"{len(rows)} faults: caught {caught}")
    for row in rows:
        result.add_row(row["id"], *(escape(row.get(judge, "")) or "[red]–[/red]" for judge in ("tests", "check")))
    return result


if __name__ == "__main__":
    main()
