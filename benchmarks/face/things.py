"""Methods and metrics by name, from names, objects, classes and functions as a user gives them."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from heatmark.benchmarks.config import named
from heatmark.common.identity import changed, class_path, identity
from heatmark.methods.base import Method
from heatmark.methods.function import Function, from_function
from heatmark.metrics.base import Metric

T = TypeVar("T", bound=object)
CONF = Path(__file__).parents[2] / "conf"

MethodLike = str | Method | type[Method] | Function
"""A name (``grad_cam``, ``captum_*``, ``rise(masks=1000)``), a method, its class, or a function."""
MetricLike = str | Metric | type[Metric]
"""A name, a metric or its class."""


def methods_of(given: MethodLike | Iterable[MethodLike] | Mapping[str, MethodLike], seed: int = 0) -> dict[str, Method]:
    """Return methods by their names in the tables.

    Args:
        given: one or several; a mapping gives them names of its own.
        seed: of the methods that draw, where they are given by name.

    Raises:
        ValueError: for what is no method, an unknown name, or two different ones of one name.
    """
    return _by_name("method", given, lambda text: named.methods([text], seed), _method)


def metrics_of(given: MetricLike | Iterable[MetricLike] | Mapping[str, MetricLike], seed: int = 0) -> dict[str, Metric]:
    """Return metrics by their names in the tables; see :func:`methods_of`."""
    return _by_name("metric", given, lambda text: named.metrics([text], seed), _metric)


def _by_name(
    kind: str, given: Any, by_text: Callable[[str], dict[str, T]], made: Callable[[Any, str], T]
) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, thing in _pairs(given):
        if isinstance(thing, str):
            texts = by_text(thing)
            new = texts if not name else dict.fromkeys([name], *_only(thing, texts))
        else:
            own = made(thing, name)
            new = {name or name_of(kind, own): own}
        for key, value in new.items():
            if key in found and identity(found[key]) != identity(value):
                raise ValueError(
                    f"two different {kind}s are called {key}; give them names of their own: "
                    f'{{"{key}_1": …, "{key}_2": …}}'
                )
            found[key] = value
    return found


def _pairs(given: Any) -> list[tuple[str, Any]]:
    """Return what was given with its name, ``""`` where it has none."""
    if isinstance(given, Mapping):
        return [(str(name), thing) for name, thing in given.items()]
    if isinstance(given, list | tuple | set | frozenset):
        return [("", thing) for thing in given]
    return [("", given)]


def _only(text: str, found: Mapping[str, T]) -> list[T]:
    if len(found) != 1:
        raise ValueError(f"{text} stands for {', '.join(found)}: one name cannot be given to all of them")
    return list(found.values())


def _method(thing: Any, name: str) -> Method:
    if isinstance(thing, type) and issubclass(thing, Method):
        thing = thing()
    if isinstance(thing, Method):
        return _declared(thing)
    if callable(thing) and not isinstance(thing, type | Metric):
        return from_function(thing, name)
    raise ValueError(
        f"{thing!r} is a {type(thing).__name__}, expected a method's name, a heatmark.Method, or a function "
        "(model, images, targets, layer) -> maps"
    )


def _metric(thing: Any, _name: str) -> Metric:
    if isinstance(thing, type) and issubclass(thing, Metric):
        thing = thing()
    if not isinstance(thing, Metric):
        raise ValueError(f"{thing!r} is a {type(thing).__name__}, expected a metric's name or a heatmark.Metric")
    if not hasattr(thing, "higher_is_better"):
        raise ValueError(
            f"{type(thing).__name__} does not say its direction: give it higher_is_better = True, False or None"
        )
    return _declared(thing)


def _declared(thing: T) -> T:
    """Return a thing as a dataclass, whose fields are all that can change its numbers.

    A class without ``@dataclass`` is made one here, which is right as long as its objects hold no values of their own.
    """
    if "__dataclass_fields__" in vars(type(thing)):
        return thing
    known = {field.name for field in fields(thing)} if is_dataclass(thing) else set()
    if own := [name for name in vars(thing) if name not in known]:
        raise ValueError(
            f"{type(thing).__name__} keeps {', '.join(own)} in its object and is no dataclass, so that nothing "
            "tells its options: put @dataclass(frozen=True) above the class and make them fields"
        )
    if not is_dataclass(thing):
        dataclass(frozen=True)(type(thing))
    return thing


def name_of(kind: str, thing: object) -> str:
    """Return the name of a method or metric in the tables: ``grad_cam``, ``rise(masks=1000)``, or that of its class.

    >>> from heatmark.methods.rise import RISE
    >>> name_of("method", RISE(masks=1000))
    'rise(masks=1000)'
    """
    names = [name for name, target in _targets(kind).items() if target == class_path(thing)]
    own = vars(type(thing)).get("name")
    base = names[0] if len(names) == 1 else own if isinstance(own, str) else type(thing).__name__
    options = [f"{key}={value}" for key, value in changed(thing).items()] if is_dataclass(thing) else []
    return f"{base}({','.join(options)})" if options else base


@cache
def _targets(kind: str) -> dict[str, str]:
    """Return the class of every shipped option of a group, by its name."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted((CONF / kind).glob("*.yaml"))}
    found = {name: re.search(r"^  _target_: (\S+)", text, re.MULTILINE) for name, text in texts.items()}
    return {name: match[1] for name, match in found.items() if match}
