"""The list of all figures, and a function that draws them; a new figure is one new file in this folder."""

import importlib
import logging
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

import heatmark.benchmarks.figures as folder
from heatmark.benchmarks.figures.style import save, styled
from heatmark.benchmarks.figures.tables import Tables
from heatmark.common.errors import in_words
from heatmark.common.names import did_you_mean

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """The outcome of drawing one figure.

    Args:
        name: the figure's name.
        files: the files written; empty where there are none.
        reason: why there are none.
        failed: whether the reason is an error, rather than missing data.
    """

    name: str
    files: tuple[Path, ...] = ()
    reason: str = ""
    failed: bool = False


def drawings() -> dict[str, Callable[[Tables], Figure | str]]:
    """Return the function that draws each figure, by the figure's name."""
    modules = (
        importlib.import_module(f"{folder.__name__}.{info.name}") for info in pkgutil.iter_modules(folder.__path__)
    )
    return {module.NAME: module.draw for module in modules if hasattr(module, "NAME")}


def draw_all(tables: Tables, into: Path, only: Sequence[str] = ()) -> Iterator[Drawn]:
    """Draw figures and yield each outcome. Old files of a figure that cannot be drawn are removed.

    Args:
        tables: the run's tables.
        into: folder of the files, one PDF and one PNG per figure.
        only: names of the figures to draw; none for all.

    Raises:
        ValueError: for a figure that does not exist; the message names the nearest one.
    """
    known = drawings()
    for name in only:
        if name not in known:
            raise ValueError(f"no figure {name!r}: {did_you_mean(name, known, 'there are ' + ', '.join(known))}")
    into.mkdir(parents=True, exist_ok=True)
    for name in only or known:
        yield _drawn(name, known[name], tables, into / name)


def _drawn(name: str, draw: Callable[[Tables], Figure | str], tables: Tables, stem: Path) -> Drawn:
    try:
        found = _draw(name, draw, tables, stem)
    except Exception as error:  # one figure's defect must not cost the others, the tables and the statistics
        log.debug("figure %s failed", name, exc_info=True)
        found = Drawn(name, reason=in_words(error), failed=True)
    if not found.files:
        for suffix in ("pdf", "png"):
            stem.with_name(f"{stem.name}.{suffix}").unlink(missing_ok=True)
    return found


def _draw(name: str, draw: Callable[[Tables], Figure | str], tables: Tables, stem: Path) -> Drawn:
    if tables.results.empty and name != "conformance_matrix":
        return Drawn(name, reason="this run has no results")
    with styled():
        figure = draw(tables)
        return Drawn(name, reason=figure) if isinstance(figure, str) else Drawn(name, tuple(save(figure, stem)))
