"""The tests that are run first for a file: those nearest to it by name and imports."""

import re
from pathlib import Path

CONTRACTS = {"methods": "tests/test_method_contract.py", "metrics": "tests/test_metric_contract.py"}

NEAR = 2
"""The largest distance of a test that is asked first: a mirror of the file, a neighbour that imports it, a contract."""

FAR = 5


def nearest_first(tree: Path, file: str) -> tuple[list[str], list[str]]:
    """Return the test files that are near a file, and all the others, the nearest first in both."""
    everything = sorted(p.relative_to(tree).as_posix() for p in (tree / "tests").rglob("test_*.py"))
    ranked = {test: _distance(tree, file, test) for test in everything if not test.startswith("tests/faults/")}
    order = sorted(ranked, key=lambda test: (ranked[test], test))
    reach = max(NEAR, min(ranked.values()))  # something is near to every file
    return [test for test in order if ranked[test] <= reach], [test for test in order if ranked[test] > reach]


def _distance(tree: Path, file: str, test: str) -> int:
    folder, module = f"tests/{Path(file).parent.as_posix()}", file.removesuffix(".py").replace("/", ".")
    imports = re.search(rf"\b{re.escape(module)}\b", (tree / test).read_text(encoding="utf-8")) is not None
    if test == f"{folder}/test_{Path(file).stem}.py":
        return 0
    if Path(test).parent.as_posix() == folder:
        return 1 if imports else 3
    if test == CONTRACTS.get(file.split("/")[0]):
        return 2
    return 4 if imports else FAR
