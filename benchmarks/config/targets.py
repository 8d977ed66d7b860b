"""The object that a ``_target_`` names, or a message with the name that was probably meant."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.utils import get_object

from heatmark.common.names import did_you_mean

PACKAGE = Path(__file__).parents[2]
FOLDERS = ("benchmarks", "common", "methods", "metrics")

logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # it logs what it raises, which ``located`` reports


def located(target: str, what: str) -> Any:
    """Return the class or function of a dotted path.

    Raises:
        ValueError: if it cannot be imported; the message gives Heatmark's own path of that name or of the nearest.
    """
    try:
        return get_object(target)
    except Exception as error:  # noqa: BLE001 - importing runs the user's code, which may raise anything
        raise ValueError(f"{what}: cannot import _target_ {target!r} ({_reason(error)}){_hint(target)}") from None


def targets(options: object) -> Iterator[str]:
    """Yield the ``_target_`` of a config, and those of the configs in it."""
    if isinstance(options, dict):
        if "_target_" in options:
            yield str(options["_target_"])
        for value in options.values():
            yield from targets(value)
    elif isinstance(options, list):
        for value in options:
            yield from targets(value)


def _reason(error: Exception) -> str:
    return " ".join(str(error.__cause__ or error).split())


def _hint(target: str) -> str:
    """Return which of Heatmark's own paths may have been meant, if the target begins like one of them."""
    full = target if target.startswith("heatmark.") else f"heatmark.{target}"
    if full.split(".")[1] not in FOLDERS:
        return ""
    if full != target and _exists(full):
        return f"; Heatmark's own is {full}"
    known = _shipped()
    namesakes = {name for name in known if name.rpartition(".")[2] == full.rpartition(".")[2]}
    hint = did_you_mean(full, sorted(namesakes or known))
    return f"; {hint}" if hint else ""


def _exists(target: str) -> bool:
    try:
        get_object(target)
    except Exception:  # noqa: BLE001 - what cannot be imported is not what was meant
        return False
    return True


def _shipped() -> set[str]:
    """Return every ``_target_`` of the configs that ship with the suite."""
    texts = (path.read_text(encoding="utf-8") for path in (PACKAGE / "conf").rglob("*.yaml"))
    return {name for text in texts for name in re.findall(r"_target_: (heatmark\.[\w.]+)", text)}
