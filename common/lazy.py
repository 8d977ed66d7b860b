"""Names of a package that are imported when they are used."""

import importlib
import pkgutil
import re
from collections.abc import Mapping
from functools import cache

from heatmark.common.names import did_you_mean

CLASS = re.compile(r"^class ([A-Z]\w*)", re.MULTILINE)


def attribute(package: str, name: str) -> object:
    """Return a class of one of a package's modules, or one of its modules, imported now.

    Args:
        package: dotted name of the package, whose subpackages are not looked at.
        name: of the class, or of the module.

    Raises:
        AttributeError: where there is none; it names the nearest.
    """
    known = classes(package)
    if name in known:
        return getattr(importlib.import_module(known[name]), name)
    if f"{package}.{name}" in known.values():
        return importlib.import_module(f"{package}.{name}")
    if name.startswith("_"):  # Python's own questions, such as for __path__
        raise AttributeError(name)
    raise AttributeError(
        f"{package} has no {name!r}: {did_you_mean(name, known, 'it has ' + ', '.join(sorted(known)))}"
    )


@cache
def classes(package: str) -> Mapping[str, str]:
    """Return the module of each public class of a package's modules, found in their text, without an import."""
    found: dict[str, str] = {}
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        loader = info.module_finder.find_spec(info.name, None).loader  # type: ignore[union-attr]
        text = "" if info.ispkg else getattr(loader, "get_source", lambda _: "")(info.name)
        found |= dict.fromkeys(CLASS.findall(text), info.name)
    return found
