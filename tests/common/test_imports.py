"""``common`` stands below everything: of the suite it imports nothing but itself."""

import ast
from pathlib import Path

import pytest

COMMON = Path(__file__).parents[2] / "common"
OURS = ("heatmark", "methods", "metrics", "benchmarks", "conf", "common")


def imported(tree: ast.AST) -> set[str]:
    """The modules of ours that are imported anywhere in a file, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.partition(".")[0] in ("", *OURS)}


@pytest.mark.parametrize("path", sorted(COMMON.rglob("*.py")), ids=lambda path: path.name)
def test_common_imports_nothing_of_ours_but_common(path: Path) -> None:
    assert [name for name in imported(ast.parse(path.read_text())) if not name.startswith("heatmark.common.")] == []


@pytest.mark.parametrize(
    "line", ["from heatmark import methods", "import heatmark.metrics.base", "def f():\n    from ..methods import base"]
)
def test_an_import_of_the_rest_would_be_seen(line: str) -> None:
    (name,) = imported(ast.parse(line))
    assert not name.startswith("heatmark.common.")
