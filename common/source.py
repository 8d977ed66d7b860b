"""The digest of code from outside the package: classes and functions of a script, a notebook cell or a user's module.

It depends on the code of a class and on all that this code refers to, over any number of steps: functions and classes
by their code, constants and tensors by value, what belongs to installed packages by name alone, what belongs to
Heatmark by name and versions. Code counts by its source (:mod:`heatmark.common.code_text`), else by its bytecode. What
has neither code nor a value gets a digest that no other process repeats, so that nothing made with it is ever reused.
"""

import importlib.util
import inspect
import os
import secrets
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property, partial
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MappingProxyType, ModuleType
from typing import Any

import torch
from torch import Tensor

from heatmark.common.code_text import codes, imports, run_import, text
from heatmark.common.digests import digest_json, digest_tensor
from heatmark.common.versions import PACKAGE, class_versions, engine_versions, is_ours

PROCESS = secrets.token_hex(16)
"""A value that no other process has, other than one forked from it."""

UNKNOWN: dict[int, object] = {}
"""Objects that have neither code nor a value; kept, so that no other object gets their number."""

PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented))

NO_PART_OF_A_CLASS = frozenset(
    (
        *("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__firstlineno__"),
        *("__static_attributes__", "__dataclass_params__", "__match_args__", "__abstractmethods__", "_abc_impl"),
        *("__parameters__", "__orig_bases__", "__slotnames__", "__annotate__", "__annotate_func__"),
        "__annotations_cache__",
    )
)
"""Attributes of classes that change no number, or that Python derives from others."""

HEAP_TYPE = 1 << 9
"""The flag of a type that was made at run time."""


def is_outside(cls: type) -> bool:
    """Return whether a class belongs neither to Heatmark nor to PyTorch nor to Python."""
    return not _is_basic(_module_of(cls)) or bool(cls.__module__ == "builtins" and cls.__flags__ & HEAP_TYPE)


def is_users(cls: type) -> bool:
    """Return whether a class is the user's own: outside, and of no installed package."""
    return is_outside(cls) and _place(_top(_module_of(cls))) == "user"


def source_digest(cls: type) -> str:
    """Return the digest of a class's code and of all that it refers to; equal code has an equal one in every process.

    The packages that classes of its MRO come from count as the user's, even where they are installed.
    """
    return _Digests(_top(_module_of(base)) for base in cls.__mro__ if is_outside(base)).of(cls)


def _top(module: str) -> str:
    return module.partition(".")[0]


def _module_of(thing: type | FunctionType) -> str:
    """Return the name of a thing's module; of a function the one it was written in, whatever a decorator copied."""
    name = thing.__globals__.get("__name__") if isinstance(thing, FunctionType) else thing.__module__
    return "__main__" if name in ("__mp_main__", "", None) else str(name)


def _is_basic(module: str) -> bool:
    return _top(module) in ("torch", PACKAGE, "builtins") or _place(_top(module)) == "python"


@cache
def _place(top: str) -> str:
    """Return where a top-level module comes from: ``python``, ``installed`` (a package) or ``user``."""
    if top == "__main__":
        return "user"
    module = sys.modules.get(top)
    spec = None if module else importlib.util.find_spec(top)
    file = getattr(module, "__file__", None) or (spec.origin if spec and spec.has_location else None)
    places = [Path(str(place)) for place in (file, *getattr(module or spec, "__path__", ())) if place]
    if any({"site-packages", "dist-packages"} & set(place.parts) for place in places):
        return "installed"
    standard = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    is_python = any(place.is_relative_to(folder) for place in places for folder in standard)
    return "python" if is_python or (not places and top in sys.stdlib_module_names) else "user"


class _Digests:
    """Digests of things by their code and value, each function and class once.

    Args:
        own: top-level modules whose code counts even where they are installed packages.
    """

    def __init__(self, own: Iterable[str]) -> None:
        self.own = frozenset(own)
        self.known: dict[int, str] = {}
        self.open: set[int] = set()

    def of(self, thing: object) -> str:
        """Return the digest of a function, class, module or value."""
        if type(thing) in PLAIN:
            return f"{type(thing).__name__} {thing!r}"
        if id(thing) in self.open:
            return f"above: {getattr(thing, '__name__', type(thing).__name__)}"
        if id(thing) in self.known:
            return self.known[id(thing)]
        self.open.add(id(thing))
        digest = digest_json(self._said(thing))
        self.open.remove(id(thing))
        if isinstance(thing, FunctionType | type):  # other things may be gone later, and their number another's
            self.known[id(thing)] = digest
        return digest

    def _said(self, thing: Any) -> Any:
        if isinstance(thing, Tensor) and thing.layout == torch.strided and not thing.is_meta:
            return ["tensor", digest_tensor(thing)]
        if type(thing) in (list, tuple):
            return [type(thing).__name__, *map(self.of, thing)]
        if type(thing) in (set, frozenset):
            return ["set", *sorted(map(self.of, thing))]
        if type(thing) in (dict, MappingProxyType):
            return ["dict", *([self.of(key), self.of(value)] for key, value in thing.items())]
        if isinstance(thing, ModuleType):
            return ["module", thing.__name__, engine_versions([thing.__name__])]
        if isinstance(thing, type):
            return self._class(thing) if self._is_own(thing) else _named(thing)
        if isinstance(thing, FunctionType):
            return self._function(thing) if self._is_own(thing) else self._foreign(thing)
        return self._descriptor(thing)

    def _descriptor(self, thing: Any) -> Any:
        if isinstance(thing, BuiltinFunctionType) and isinstance(thing.__self__, ModuleType | type | None):
            return [str(thing.__module__), thing.__qualname__]
        if isinstance(thing, property):
            return ["property", self.of(thing.fget)]
        if isinstance(thing, cached_property):
            return ["property", self.of(thing.func)]
        if isinstance(thing, staticmethod | classmethod) or "__wrapped__" in getattr(thing, "__dict__", {}):
            return [type(thing).__name__, self._wrapped(thing)]
        return self._object(thing)

    def _is_own(self, thing: type | FunctionType) -> bool:
        if isinstance(thing, type):
            return is_outside(thing) and self._is_own_module(_module_of(thing))
        return _module_of(thing) == "builtins" or self._is_own_module(_module_of(thing))

    def _is_own_module(self, module: str) -> bool:
        top = _top(module)
        return top in self.own or module == "builtins" or (not _is_basic(module) and _place(top) == "user")

    def _wrapped(self, thing: Any) -> str:
        inner = getattr(thing, "__wrapped__", None)
        return "" if inner is None else self.of(inner)

    def _foreign(self, function: FunctionType) -> Any:
        """Return the name of a package's function, and what the user gave it, if a function of the package made it."""
        given = [content for cell in function.__closure__ or () for content in _content(cell)]
        return [_named(function), self._wrapped(function), [self.of(each) for each in given if _is_told(each)]]

    def _class(self, cls: type) -> Any:
        parts = {name: part for name, part in vars(cls).items() if name not in NO_PART_OF_A_CLASS}
        fields = parts.pop("__dataclass_fields__", {})
        made = {name: [self.of(field.default), self.of(field.default_factory)] for name, field in fields.items()}
        members = {name: self.of(part) for name, part in parts.items() if not _is_written_by_dataclass(part)}
        return ["class", cls.__name__, [self.of(base) for base in cls.__bases__], made, members]

    def _function(self, function: FunctionType) -> Any:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        closure = {name: [self.of(content) for content in _content(cell)] for name, cell in cells}
        given = [self.of(function.__defaults__), self.of(function.__kwdefaults__)]
        kept = {name: self.of(part) for name, part in vars(function).items() if not name.startswith("__")}
        parts = [given, closure, self._globals(function), self._wrapped(function), *([kept] if kept else [])]
        return ["function", text(function.__code__), *parts]

    def _globals(self, function: FunctionType) -> dict[str, str]:
        """Return the digests of what a function's code refers to by global names, and in modules by attributes."""
        space = function.__globals__
        names = sorted({name for code in codes(function.__code__) for name in code.co_names})
        found = {name: space[name] for name in names if name in space}
        for code in codes(function.__code__):
            for name, taken, level in imports(code):
                if level or is_ours(name) or self._is_own_module(name):
                    found[f"import {'.' * level}{name}"] = run_import(name, taken, level, space)
        return dict(self._resolved(found, names, set()))

    def _resolved(self, found: Mapping[str, object], names: list[str], seen: set[str]) -> Iterator[tuple[str, str]]:
        """Yield the digests of things by name; of a user's module those of its attributes that the code may mean."""
        for name, thing in found.items():
            inside = isinstance(thing, ModuleType) and (is_ours(thing.__name__) or self._is_own_module(thing.__name__))
            if not inside or is_ours(thing.__name__):  # type: ignore[attr-defined]
                yield name, self.of(thing)
            if inside and thing.__name__ not in seen:  # type: ignore[attr-defined]
                seen.add(thing.__name__)  # type: ignore[attr-defined]
                parts = {f"{name}.{part}": vars(thing)[part] for part in names if part in vars(thing)}
                yield from self._resolved(parts, names, seen)

    def _object(self, thing: Any) -> Any:
        """Return what pickle would store of an object, its class by its code."""
        try:
            stored = thing.__reduce_ex__(4)
        except Exception:  # noqa: BLE001  (any class of a user may raise anything here)
            UNKNOWN[id(thing)] = thing
            return ["unknown", PROCESS, os.getpid(), id(thing)]
        if isinstance(stored, str):
            return ["name", type(thing).__module__, stored]
        parts = [list(part) if place > 2 and part is not None else part for place, part in enumerate(stored[:5])]
        return ["object", self.of(type(thing)), *map(self.of, parts)]


def _content(cell: Any) -> list[object]:
    try:
        return [cell.cell_contents]
    except ValueError:  # empty as yet
        return []


def _is_told(content: object) -> bool:
    """Return whether a thing has code, or a value that is the same in every process."""
    return type(content) in PLAIN or isinstance(content, FunctionType | type | Tensor | tuple | partial)


def _is_written_by_dataclass(part: object) -> bool:
    """Return whether ``dataclass`` wrote a function of a class; it follows from the fields, which count themselves."""
    inner = inspect.unwrap(part) if isinstance(part, FunctionType) else part
    if not isinstance(inner, FunctionType):
        return False
    return inner.__code__.co_qualname.startswith("__create_fn__") or _module_of(inner) == "dataclasses"


def _named(thing: type | FunctionType) -> Any:
    """Return the name of what belongs to an installed package, for Heatmark's own with versions, not with its place."""
    module = _module_of(thing)
    name = thing.__code__.co_qualname if isinstance(thing, FunctionType) else thing.__qualname__
    if not is_ours(module):
        return [module, name]
    if isinstance(thing, FunctionType):
        return [PACKAGE, name, engine_versions([module])]
    modules = [base.__module__ for base in thing.__mro__]
    return [PACKAGE, name, class_versions(thing), engine_versions(modules)]
