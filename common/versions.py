"""Versions: of classes, of the engine modules that they reach by imports, and of the libraries that adapters call."""

import ast
import importlib.util
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import packages_distributions, version

PACKAGE = "heatmark"


def is_ours(module: str) -> bool:
    """Return whether a module of this dotted name belongs to Heatmark."""
    return module.partition(".")[0] == PACKAGE


def class_versions(cls: type) -> dict[str, int]:
    """Return the ``version`` of each class of a class's MRO that states one other than 1, by the class's name.

    A class from outside Heatmark has its top-level module before its name.
    """
    stated = {base: vars(base).get("version") for base in cls.__mro__}
    return {_name(base): number for base, number in stated.items() if isinstance(number, int) and number != 1}


def _name(cls: type) -> str:
    return cls.__name__ if is_ours(cls.__module__) else f"{cls.__module__.partition('.')[0]}.{cls.__name__}"


def engine_versions(modules: Iterable[str]) -> dict[str, int]:
    """Return the ``VERSION`` of each module of Heatmark, reached by imports from these, that has one other than 1.

    Args:
        modules: dotted names; those outside Heatmark are ignored.

    Returns:
        The versions by the last part of the module's name.
    """
    reached = frozenset().union(*(reachable(module) for module in modules if is_ours(module)))
    found = {
        name: int(import_module(name).VERSION) for name in sorted(filter(_computes, reached)) if _states_version(name)
    }
    return {name.rpartition(".")[2]: number for name, number in found.items() if number != 1}


def _computes(module: str) -> bool:
    """Return whether a module belongs to what methods and metrics compute with; the runner has versions of its own."""
    return module.split(".")[1:2] in (["common"], ["methods"], ["metrics"])


@cache
def reachable(module: str) -> frozenset[str]:
    """Return the dotted names of the modules of Heatmark that a module reaches by imports, itself included."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return frozenset(found)


@cache
def _imports(module: str) -> frozenset[str]:
    """Return the modules of Heatmark that a module imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(_parsed(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(name for name in names if is_ours(name) and _is_module(name))


@cache
def _states_version(module: str) -> bool:
    """Return whether a module has a line ``VERSION = …``; others need not be imported to know that they have none."""
    assigned = [target for node in _parsed(module).body if isinstance(node, ast.Assign) for target in node.targets]
    return any(isinstance(target, ast.Name) and target.id == "VERSION" for target in assigned)


@cache
def _parsed(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module)
    get_source = getattr(spec.loader, "get_source", None) if spec else None
    return ast.parse((get_source(module) if get_source else None) or "")


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a name inside a module that is no package
        return False


def library_version(package: str) -> str:
    """Return the installed version of the distribution that provides an import package, ``""`` where there is none."""
    return " ".join(version(name) for name in sorted(set(_distributions().get(package, ()))))


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())
