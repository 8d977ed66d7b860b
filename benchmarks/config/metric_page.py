"""The page ``docs/metrics.md``, one entry per metric in conf/metric: made from docstrings, options and protocols."""

import inspect
import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import fields

from heatmark.benchmarks.config import named
from heatmark.metrics import protocols
from heatmark.metrics.base import Derived, Metric
from heatmark.metrics.protocols import Protocol

SIZE = (224, 224)
"""Height and width of the images for which costs are told."""

HEAD = f"""\
# The metrics

`heatmark sweep metric=NAME` scores by them. `benchmarks/config/metric_page.py` makes this page from the metrics'
docstrings. An option is set by `metric=NAME(OPTION=VALUE)`; the comments in `conf/metric/NAME.yaml` say what each is,
and null is the preset's value, or the metric's own. A cost is that of one map's score, in forward passes, for
an image of {SIZE[0]} × {SIZE[1]} and the default options; what several metrics or maps share is computed once."""

OWN = "Heatmark's own"
"""How a docstring begins to say that a metric has no paper."""

CITATION = re.compile(rf'"[^"]+",.*\b(19|20)\d\d\b|^{OWN}', re.DOTALL)
TIED = "\u00a0"
"""A space at which no line ends."""

DIRECTIONS = {True: "higher is better", False: "lower is better", None: "none: it describes maps and ranks no methods"}


def documented() -> str:
    """Return the page: an entry per shipped metric, then the presets with their sources."""
    metrics = named.metrics(named.known("metric"))
    entries = [entry(name, metric) for name, metric in metrics.items()]
    return "\n\n".join([HEAD, *entries, _sources(metrics)]) + "\n"


def entry(name: str, metric: Metric) -> str:
    """Return the entry of one metric.

    Raises:
        ValueError: for a docstring without an equation, or without a paper and the words that it is Heatmark's own.
    """
    facts = {
        "direction": DIRECTIONS[metric.higher_is_better],
        "needs": _needs(metric),
        "cost": cost(metric),
        "draws": _draws(metric),
        "options": _options(metric),
        "presets": ", ".join(f"`{preset}`" for preset in metric.presets) or "none",
        "source": _markdown(paper(metric)),
    }
    lines = [f"- {key}: {value}" for key, value in facts.items()]
    formula = f"```text\n{_wrapped(equation(metric))}\n```"
    return "\n\n".join([f"## {name}", _markdown(_paragraphs(metric)[0]), formula, "\n".join(lines)])


def equation(metric: Metric) -> str:
    """Return the paragraph of a metric's docstring that has its equation and range, with the next if it goes on there.

    Raises:
        ValueError: where none of the paragraphs before the options has an equation.
    """
    found = _paragraphs(metric)
    where = next((place for place, text in enumerate(found) if re.search(r"\S = \S", text)), None)
    if where is None or any(found[place].startswith(("Args:", "Raises:", ">>>")) for place in range(where + 1)):
        raise ValueError(f"the docstring of {type(metric).__name__} has no equation, expected a paragraph with ' = '")
    goes_on = found[where].endswith(",")
    return found[where].removesuffix(":") + (" " + re.split(r"(?<=\.) ", found[where + 1])[0] if goes_on else "")


def paper(metric: Metric) -> str:
    """Return the paragraph of a metric's docstring that cites its paper and tells how the metric deviates from it.

    Raises:
        ValueError: where there is none, and the docstring does not say that the metric is Heatmark's own.
    """
    found = next((text for text in _paragraphs(metric) if CITATION.search(text)), None)
    if found is None:
        raise ValueError(
            f'the docstring of {type(metric).__name__} cites no paper, expected AUTHORS, "TITLE", VENUE YEAR, or a '
            f"paragraph that begins with {OWN}"
        )
    return found


def cost(metric: Metric) -> str:
    """Return what an image's score costs, in words."""
    if isinstance(metric, Derived):
        return "no forward pass of its own"
    passes, maps = metric.passes(SIZE), metric.maps(SIZE)
    if passes is None:
        return "unknown"
    counted = [_count(passes, "forward pass", "forward passes")] if passes or not maps else []
    further = [] if maps == 0 else ["further maps"] if maps is None else [_count(maps, "further map", "further maps")]
    return " and ".join([*counted, *further]) + (", which cost what the method does" if further else "")


def _count(number: float, one: str, several: str) -> str:
    return f"{f'{number:,.10g}' if number else 'no'} {several if number > 1 else one}"


def _needs(metric: Metric) -> str:
    if isinstance(metric, Derived):
        return f"the scores under {' and '.join(f'`{name}`' for name in metric.terms)}"
    method = [] if metric.maps(SIZE) == 0 else ["the method, which explains again"]
    return ", ".join([*sorted(metric.needs), *method]) or "nothing but image and map"


def _draws(metric: Metric) -> str:
    if metric.draws:
        return "yes, from the run's seed"
    return "yes, from its option `seed`" if any(f.name == "seed" for f in fields(metric)) else "no"  # type: ignore[arg-type]


def _options(metric: Metric) -> str:
    """Return the names of a metric's options with their defaults."""
    given = {option.name: getattr(metric, option.name) for option in fields(metric)}  # type: ignore[arg-type]
    shown = {name: json.dumps(list(value) if isinstance(value, tuple) else value) for name, value in given.items()}
    return ", ".join(f"`{name}={value}`".replace('"', "") for name, value in shown.items()) or "none"


def _paragraphs(metric: Metric) -> list[str]:
    """Return the paragraphs of a metric's docstring, each in one line."""
    return [" ".join(text.split()) for text in (inspect.getdoc(type(metric)) or "").split("\n\n")]


def _sources(metrics: Mapping[str, Metric]) -> str:
    """Return the table of presets: which metrics have them, and where their values are from."""
    mappings = [value for value in vars(protocols).values() if isinstance(value, Mapping)]
    known = [each for each in mappings if each and all(isinstance(value, Protocol) for value in each.values())]
    rows = [
        f"| `{name}` | {', '.join(f'`{each}`' for each in having)} | {found.source} | {found.citation} |"
        for mapping in known
        for name, found in mapping.items()
        if (having := [each for each, metric in metrics.items() if name in metric.presets and _of(metric, mapping)])
    ]
    return "\n".join(["## Presets", "", "| preset | metrics | values from | paper |", "|---|---|---|---|", *rows])


def _of(metric: Metric, mapping: Mapping[str, Protocol]) -> bool:
    """Return whether all presets of a metric are these protocols."""
    return all(
        name in mapping and mapping[name].values == {k: values[k] for k in mapping[name].values if k in values}
        for name, values in metric.presets.items()
    )


def _markdown(text: str) -> str:
    return re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")


def _wrapped(text: str) -> str:
    whole = re.sub(r"(?<=[\[(])(\S+), (\S+[\])])", rf"\1,{TIED}\2", _markdown(text))  # an interval stays in one line
    lines = textwrap.wrap(whole, 110, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(TIED, " ")
