"""Import rules: who may import whom, which packages where, no cycle and no arrow upwards."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "common", "conf", "methods", "metrics")
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]

LAYERS = (
    ("common", "conf"),
    ("methods", "metrics", "benchmarks/schema", "benchmarks/disk"),
    ("benchmarks/requests", "benchmarks/parts"),
    ("benchmarks/index",),
    ("benchmarks/store", "benchmarks/data", "benchmarks/machine"),
    ("benchmarks/models", "benchmarks/statistics"),
    ("benchmarks/sweep", "benchmarks/tables", "benchmarks/training", "benchmarks/runs"),
    ("benchmarks/explain", "benchmarks/bench", "benchmarks/progress"),
    ("benchmarks/figures",),
    ("benchmarks/report", "benchmarks/conformance"),
    ("benchmarks/api",),
    ("benchmarks/verify", "benchmarks/cards"),
    ("benchmarks/config",),
    ("benchmarks/face",),
    ("benchmarks/commands",),
    ("benchmarks/cli",),
)
"""The parts of the suite, lowest first. A part imports itself and parts of lower layers, never its neighbours."""

NEVER = {
    "common": {"pandas"},
    "methods": {"pandas"},
    "metrics": {"pandas"},
    "benchmarks/schema": {"torch"},
    "benchmarks/store": {"torch"},
    "benchmarks/requests": {"torch"},
    "benchmarks/runs": {"torch", "torchvision"},
    "benchmarks/tables": {"torch", "torchvision"},
    "benchmarks/statistics": {"torch", "torchvision"},
    "benchmarks/figures": {"torch", "torchvision"},
    "benchmarks/report": {"torch", "torchvision"},
}
"""Packages that a part does without; what a part imports of ours is bound by the same rule."""

ONLY_IN = {
    "hydra": ("benchmarks/config/", "benchmarks/commands/"),
    "omegaconf": ("benchmarks/config/", "benchmarks/commands/"),
    "matplotlib": (
        "benchmarks/figures/",
        "benchmarks/explain/panels.py",
        "benchmarks/explain/overlay.py",
        "benchmarks/face/",
    ),
    "captum": ("methods/external/", "metrics/external/"),
    "pytorch_grad_cam": ("methods/external/", "metrics/external/"),
    "torchcam": ("methods/external/", "metrics/external/"),
    "quantus": ("metrics/external/",),
}
"""Packages that are imported in these places and nowhere else."""


@cache
def imported(path: Path) -> frozenset[str]:
    """Return the dotted names of all that a file imports: in functions, relative, and by ``import_module("…")`` too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ["heatmark", *path.relative_to(ROOT).parent.parts]
            parts = [*(package[: len(package) + 1 - node.level] if node.level else []), node.module]
            module = ".".join(filter(None, parts))
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names |= {str(given.value) for given in node.args if isinstance(given, ast.Constant)}
    return frozenset(names)


def roots(path: Path) -> set[str]:
    """Return the top-level names of all that a file imports."""
    return {name.partition(".")[0] for name in imported(path)}


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def file_of(name: str) -> Path | None:
    """Return the file of a module of ours, None for anything else."""
    parts = name.split(".")
    if parts[0] != "heatmark" or len(parts) < 2:
        return None
    stem = ROOT.joinpath(*parts[1:])
    return next((p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.exists()), None)


@cache
def ours(path: Path) -> frozenset[Path]:
    """Return the files of ours that a file imports."""
    found = {file_of(name) for name in imported(path)} - {None, path}
    packages = {p for p in found if p is not None and p.name == "__init__.py"}  # hold nothing but a docstring
    return frozenset(p for p in found if p is not None and p not in packages)


def part_of(path: Path) -> str:
    """Return the part that a file belongs to: a name in LAYERS."""
    place = where(path).removesuffix(".py")
    return next(part for layer in LAYERS for part in layer if place == part or place.startswith(f"{part}/"))


def level(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


INSIDE = [path for path in FILES if path.name != "__init__.py"]


@pytest.mark.parametrize("path", INSIDE, ids=where)
def test_no_arrow_points_upwards_or_sideways(path: Path) -> None:
    own = part_of(path)
    arrows = {part_of(other) for other in ours(path)} - {own}
    assert not {part for part in arrows if level(part) >= level(own)}


@pytest.mark.parametrize("path", INSIDE, ids=where)
def test_packages_are_imported_only_where_they_may_be(path: Path) -> None:
    places = {package: places for package, places in ONLY_IN.items() if package in roots(path)}
    assert all(where(path).startswith(allowed) for allowed in places.values()), places
    assert not roots(path) & NEVER.get(part_of(path), set())


@pytest.mark.parametrize("path", FILES, ids=where)
def test_everything_of_ours_is_imported_by_its_full_name(path: Path) -> None:
    assert not roots(path) & set(FOLDERS), "a user's folder, if he has one"


@pytest.mark.parametrize("path", [p for p in INSIDE if "torch" in NEVER.get(part_of(p), set())], ids=where)
def test_nothing_that_it_imports_of_ours_imports_torch(path: Path) -> None:
    assert not [where(other) for other in reachable(path) if "torch" in roots(other)]


def reachable(path: Path) -> set[Path]:
    """Return all files of ours that importing a file imports."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        new = ours(waiting.pop()) - found
        found |= new
        waiting += new
    return found


def test_the_import_graph_has_no_cycle() -> None:
    list(TopologicalSorter({path: ours(path) for path in FILES}).static_order())  # raises CycleError with the cycle


def nested_names() -> Iterator[tuple[Path, list[str]]]:
    import yaml

    for path in [*ROOT.glob("conf/method/*.yaml"), *ROOT.glob("conf/metric/*.yaml")]:
        yield path, list(yaml.safe_load(path.read_text()))


def test_every_method_and_metric_yaml_nests_under_its_own_name() -> None:
    assert all(names == [path.stem] for path, names in nested_names())


LAZY = {"methods/__init__.py", "metrics/__init__.py"}
"""Packages whose classes are at hand by name, found in the modules' text: they list none."""


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=where)
def test_packages_have_no_registry(path: Path) -> None:
    allowed = {"typing", "typing.Any", "heatmark.common.lazy"} if where(path) in LAZY else set()
    found = {name for name in imported(path) if not name.startswith("heatmark.common.lazy.")}
    assert found <= allowed, "__init__ files are no registries"
