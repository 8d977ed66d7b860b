"""Tests of the architecture: which packages may import which."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("benchmarks", "methods", "metrics", "conf")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]

EDGE_OF_HYDRA = (
    "benchmarks/commands/",
    "benchmarks/config/building.py",
    "benchmarks/config/compose.py",
    "benchmarks/config/errors.py",
)
"""Where Hydra may be imported: the commands, and the three files that compose, build and explain configs."""

WHERE_FIGURES_ARE_DRAWN = ("benchmarks/figures/", "benchmarks/explain/panels.py", "benchmarks/explain/overlay.py")


def imports(path: Path) -> set[str]:
    """Return the dotted names of all modules that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=where)
def test_walls(path: Path) -> None:
    package, imported = where(path).partition("/")[0], roots(path)
    forbidden = {
        "methods": {"benchmarks", "metrics", "hydra", "omegaconf", "pandas", "matplotlib"},
        "metrics": {"benchmarks", "methods", "hydra", "omegaconf", "pandas", "matplotlib"},
        "benchmarks": {"pytorch_grad_cam", "captum", "torchcam"},
        "conf": {"benchmarks", "methods", "metrics"},
    }[package]
    if where(path).startswith("methods/external/"):
        forbidden -= {"pytorch_grad_cam", "captum"}
    elif package in ("methods", "metrics"):
        forbidden |= {"pytorch_grad_cam", "captum", "torchcam"}
    if package == "benchmarks" and not where(path).startswith(EDGE_OF_HYDRA):
        forbidden |= {"hydra"}
    if not where(path).startswith(WHERE_FIGURES_ARE_DRAWN):
        forbidden |= {"matplotlib"}
    assert not imported & forbidden


def test_packages_have_no_registry() -> None:
    for path in ROOT.glob("m*/**/__init__.py"):
        assert not imports(path), f"{where(path)} imports something: __init__ files are no registries"


def test_every_method_and_metric_yaml_nests_under_its_own_name() -> None:
    import yaml

    for path in [*ROOT.glob("conf/method/*.yaml"), *ROOT.glob("conf/metric/*.yaml")]:
        assert list(yaml.safe_load(path.read_text())) == [path.stem]
