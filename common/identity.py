"""The identity of a method or metric: all that can change its numbers, as plain values, and nothing else.

An option is a plain value (text, a number, true, false or none), a tensor, another dataclass, or a list or mapping of
these. A function or any other object is an error, because another process cannot tell whether it is the same one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from torch import Tensor

from heatmark.common.digests import digest_json, digest_tensor
from heatmark.common.source import is_outside, source_digest
from heatmark.common.versions import PACKAGE, class_versions, engine_versions, is_ours, library_version

__all__ = [
    *("changed", "class_path", "definition", "digest_json", "digest_tensor", "identity", "options", "request"),
    *("require_distinct", "usual", "values"),
]


def identity(thing: object) -> dict[str, Any]:
    """Return the identity of a method or metric, a frozen dataclass, as plain JSON values.

    Equal identities have equal numbers, and no number changes under an equal identity: it holds

    - ``package``: ``heatmark``, for an adapter its library, for a class from elsewhere its top-level module;
    - ``name``: the class's name, or the text that it has as a class attribute ``name``;
    - ``options`` that differ from their defaults, presets replaced by their values, without those of speed;
    - ``versions`` of the classes it derives from, and ``engines``: of the modules it uses; each only where it is not 1;
    - ``library``: the version of an adapter's library;
    - ``source``: the digest of code from outside the package.

    What is empty is left out. The module of a class is no part of it, so that a class may move.

    Raises:
        ValueError: for an option that is a function or another object, naming it; for what is no dataclass.
    """
    cls = type(thing)
    package = str(getattr(cls, "implementation", PACKAGE))
    ours = [base.__module__ for base in cls.__mro__ if is_ours(base.__module__)]
    found = {
        "options": _unusual(thing),
        "versions": class_versions(cls),
        "engines": engine_versions(ours),
        "library": "" if package == PACKAGE else library_version(package),
        "source": source_digest(cls) if any(map(is_outside, cls.__mro__)) else "",
    }
    package = _home(cls) if package == PACKAGE else package
    return {"package": package, "name": _name(cls), **{key: value for key, value in found.items() if value}}


def _home(cls: type) -> str:
    """Return a class's top-level module; a script's is ``__main__`` in the processes that it starts, too."""
    return cls.__module__.partition(".")[0].replace("__mp_main__", "__main__")


def _name(cls: type) -> str:
    name = vars(cls).get("name")
    is_option = any(f.name == "name" for f in fields(cls))
    return name if isinstance(name, str) and not is_option else cls.__name__


def require_distinct(things: Mapping[str, object]) -> None:
    """Refuse methods or metrics of different classes that have one identity: one would get the other's numbers.

    Args:
        things: by their names in the tables.

    Raises:
        ValueError: naming both, and how to separate them.
    """
    seen: dict[str, str] = {}
    for key, thing in things.items():
        other = seen.setdefault(digest_json(identity(thing)), key)
        if class_path(things[other]) != class_path(thing):
            raise ValueError(
                f"{other} ({class_path(things[other])}) and {key} ({class_path(thing)}) are different classes of one "
                f'identity, {identity(thing)}: give one of them another name, as a class attribute name = "…"'
            )


def values(thing: object) -> dict[str, Any]:
    """Return all options of a dataclass as its identity compares them: presets replaced by their values, no speed.

    An option that is a method, or another dataclass, is its identity. Numbers are equal if Python calls them equal.

    Raises:
        ValueError: as :func:`options`.
    """
    options(thing)
    return _settled(thing, {f.name: getattr(thing, f.name) for f in fields(thing)})  # type: ignore[arg-type]


def _unusual(thing: object) -> dict[str, Any]:
    """Return the values that differ from the defaults."""
    own, defaults = values(thing), usual(thing)
    return {name: own[name] for name in sorted(own) if name not in defaults or own[name] != defaults[name]}


def usual(thing: object) -> dict[str, Any]:
    """Return the values that a dataclass's options have by default, where they have a default.

    Whoever moves one must raise the class's ``version``: the identity leaves it out.
    """
    return _settled(thing, _defaults(thing))


def _settled(thing: object, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return option values as plain values; those that are None have the value that the preset gives them."""
    presets: Mapping[str, Mapping[str, object]] = getattr(thing, "presets", {})
    preset = presets.get(str(given.get("preset")), {}) if presets else {}
    hidden = {"preset"} if presets else set()
    hidden |= getattr(thing, "speed_only", frozenset())
    filled = {name: preset.get(name) if value is None else value for name, value in given.items()}
    return {name: _canonical(_plain(name, value, identity)) for name, value in filled.items() if name not in hidden}


def _canonical(value: Any) -> Any:
    """Return a plain value in which equal numbers are written equally: 2.0 is 2."""
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _defaults(thing: object) -> dict[str, Any]:
    """Return the defaults of a dataclass's options; an option without a default has none."""
    found = {f.name: f.default for f in fields(thing) if _is_given(f.default)}  # type: ignore[arg-type]
    made = {f.name: f.default_factory for f in fields(thing) if _is_given(f.default_factory)}  # type: ignore[arg-type]
    return {**found, **{name: make() for name, make in made.items()}}  # type: ignore[operator]


def _is_given(default: object) -> bool:
    """Return whether a field has this default; a class that was pickled by value has a MISSING of its own."""
    return not isinstance(default, type(MISSING))


def options(thing: object) -> dict[str, Any]:
    """Return a dataclass's options as plain JSON values, without those that its class declares ``speed_only``.

    An option that is a dataclass becomes a mapping of its ``class`` and its own options; a tensor becomes its digest.

    Raises:
        ValueError: for an option that is a function or another object, naming it; for what is no dataclass.
    """
    if not is_dataclass(thing) or isinstance(thing, type):
        raise ValueError(f"{thing!r} is a {type(thing).__name__}, expected a frozen dataclass")
    _require_fields_alone(thing)
    speed_only: frozenset[str] = getattr(thing, "speed_only", frozenset())
    names = [f.name for f in fields(thing) if f.name not in speed_only]
    return {name: _plain(f"{type(thing).__name__}.{name}", getattr(thing, name)) for name in names}


def _require_fields_alone(thing: object) -> None:
    """Raise where a class without ``@dataclass``, below one with it, keeps values that are no fields."""
    if "__dataclass_fields__" in vars(type(thing)):
        return
    known = {f.name for f in fields(thing)}  # type: ignore[arg-type]
    if own := [name for name in getattr(thing, "__dict__", {}) if name not in known]:
        raise ValueError(
            f"{type(thing).__name__} keeps {', '.join(own)} in its object and is no dataclass, so that nothing "
            "tells its options: put @dataclass(frozen=True) above the class and make them fields"
        )


def _nested(thing: object) -> dict[str, Any]:
    return {"class": class_path(thing), **options(thing)}


def _plain(option: str, value: object, nested: Callable[[object], Any] = _nested) -> Any:
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, Tensor):
        return f"tensor:{digest_tensor(value)}"
    if is_dataclass(value) and not isinstance(value, type):
        return nested(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{option}[{key!r}]", item, nested) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(f"{option}[{place}]", item, nested) for place, item in enumerate(value)]
    raise ValueError(
        f"option {option} is {value!r} ({type(value).__name__}), expected text, a number, true, false, none, a tensor, "
        "a dataclass, or a list or mapping of these: nothing else can be told from another in the next process"
    )


def changed(thing: object) -> dict[str, Any]:
    """Return the options, sorted by name, that differ from the preset's value, or from the default without a preset.

    ``presets`` of the class holds values by the name in the field ``preset``, which is itself left out.

    Raises:
        ValueError: as :func:`options`.
    """
    values = options(thing)
    presets: Mapping[str, Mapping[str, object]] = getattr(thing, "presets", {})
    defaults = {f.name: f.default for f in fields(thing) if f.name != "preset"}  # type: ignore[arg-type]
    usual = {**defaults, **presets.get(getattr(thing, "preset", ""), {})}
    plain = {name: _plain(name, value) for name, value in usual.items() if name in values and _is_given(value)}
    names = [name for name in sorted(values) if name != "preset"]
    return {name: values[name] for name in names if name not in plain or values[name] != plain[name]}


def definition(name: str, metric: object) -> str:
    """Return the id of a metric's definition: its name, its preset, and every option that differs from the preset.

    ``deletion:rise-2018`` is the preset itself; ``deletion:rise-2018[baseline=mean,steps=28]`` differs from it in two
    options. Rows of different definitions are never averaged together.

    Raises:
        ValueError: for an option that is a function or another object, naming it; for what is no dataclass.
    """
    if not is_dataclass(metric):
        raise ValueError(f"metric {name!r} is a {type(metric).__name__}, expected a frozen dataclass")
    preset, name = getattr(metric, "preset", ""), name.partition("(")[0]  # options in a name are those that follow
    own = [f"{option}={value}" for option, value in changed(metric).items() if option not in _beside(metric)]
    return name + (f":{preset}" if preset else "") + (f"[{','.join(own)}]" if own else "")


def request(name: str, metric: object) -> str:
    """Return the id of all that is requested of a metric: its definition and the options in ``beside``.

    ``deletion:rise-2018 with tie_orders=8`` has the value of ``deletion:rise-2018``, and further numbers.

    Raises:
        ValueError: as :func:`definition`.
    """
    asked = definition(name, metric)
    more = [f"{option}={value}" for option, value in changed(metric).items() if option in _beside(metric)]
    return asked + (f" with {','.join(more)}" if more else "")


def _beside(metric: object) -> frozenset[str]:
    return getattr(metric, "beside", frozenset())


def class_path(thing: object) -> str:
    """Return the dotted path of an object's class."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
