"""The mutation run: a seeded sample of every file's mutants; ``python -m tests.faults.mutants`` lists survivors."""

import argparse
import csv
import random
import tomllib
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from rich.console import Console

from tests.faults.forks import ROOT
from tests.faults.mutations import Mutant, mutants
from tests.faults.workers import each, red_of_tests

RESULTS = ROOT / "results" / "reference" / "mutants.csv"
COLUMNS = ("file", "function", "line", "change", "killed_by", "equivalent")
EQUIVALENT = Path(__file__).parent / "equivalent.toml"
MIDDLE = (
    *("runner", "job", "cells", "store", "gather", "targets", "classifier", "preprocessing", "resize", "degenerate"),
    *("plan", "memory", "predictions"),
)
"""Of benchmarks/: what stands between pictures and tables."""
console = Console()

Row = dict[str, str]


def main() -> None:
    """Run the sample, write one row per mutant, and print the survivors and the score."""
    options = arguments()
    files = options.files or files_of_the_suite()
    chosen = [mutant for file in files for mutant in sample(file, options.sample, options.seed)]
    argued = arguments_of(EQUIVALENT)
    killers = {**dict.fromkeys(argued, ""), **known_killers(RESULTS)} if options.survivors else {}
    rows = {m: row(m, killers[identity(m)], argued) for m in chosen if identity(m) in killers}
    judge = partial(red_of_tests, near_only=not options.far)
    for mutant, killer in each(judge, [mutant for mutant in chosen if mutant not in rows], options.jobs):
        rows[mutant] = row(mutant, killer, argued)
        if not killer:
            console.print(f"{len(rows)}/{len(chosen)} {described(rows[mutant])}", highlight=False, markup=False)
        if not options.files:
            save([rows[mutant] for mutant in chosen if mutant in rows], RESULTS)
    console.print(score(list(rows.values()), sum(len(all_of(file)) for file in files)), highlight=False)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutants", description=__doc__)
    parser.add_argument("--files", nargs="+", default=[], help="these alone, and nothing is written")
    parser.add_argument("--sample", type=int, default=6, help="mutants a file at most")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--far", action="store_true", help="ask all other tests, too, before a mutant counts as alive")
    parser.add_argument("--survivors", action="store_true", help="ask those that the last run and no argument killed")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at once")
    return parser.parse_args()


def files_of_the_suite() -> list[str]:
    """Return methods/, metrics/ and the middle of benchmarks/."""
    found = [
        *(ROOT / "methods").rglob("*.py"),
        *(ROOT / "metrics").rglob("*.py"),
        *(ROOT / "benchmarks" / "statistics").rglob("*.py"),
        *(ROOT / "benchmarks" / "data").rglob("*.py"),
        *(ROOT / "benchmarks" / f"{name}.py" for name in MIDDLE),
    ]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def all_of(file: str) -> list[Mutant]:
    return mutants(file, (ROOT / file).read_text(encoding="utf-8"))


def sample(file: str, count: int, seed: int) -> list[Mutant]:
    """Return some of a file's mutants; other files change nothing of it."""
    found = all_of(file)
    return random.Random(f"{seed} {file}").sample(found, min(count, len(found)))


def identity(mutant: Mutant) -> tuple[str, str, str]:
    return mutant.file, mutant.where, mutant.change


def known_killers(path: Path) -> dict[tuple[str, str, str], str]:
    """Return what killed each mutant that the last run killed."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["killed_by"]]
    return {(row["file"], row["function"], row["change"]): row["killed_by"] for row in rows}


def arguments_of(path: Path) -> dict[tuple[str, str, str], str]:
    """Return why a mutant cannot be told from the original, by its file, function and change."""
    listed = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []) if path.exists() else []
    return {(entry["file"], entry["function"], entry["change"]): entry["because"] for entry in listed}


def row(mutant: Mutant, killer: str, argued: dict[tuple[str, str, str], str]) -> Row:
    because = "" if killer else argued.get(identity(mutant), "")
    values = (mutant.file, mutant.where, str(mutant.line), mutant.change, killer, because)
    return dict(zip(COLUMNS, values, strict=True))


def save(rows: Iterable[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def described(row: Row) -> str:
    state = f"equivalent: {row['equivalent']}" if row["equivalent"] else "alive"
    return f"{row['file']}:{row['line']} {row['function']}: {row['change']} — {state}"


def score(rows: list[Row], possible: int) -> str:
    """Return the share of killed mutants among those that can be told from the original, in words."""
    equivalent = sum(bool(row["equivalent"]) for row in rows)
    killed = sum(bool(row["killed_by"]) for row in rows)
    share = killed / max(1, len(rows) - equivalent)
    return f"{len(rows)} of {possible} mutants: {killed} killed, {equivalent} equivalent; score {share:.1%}"


if __name__ == "__main__":
    main()
