"""What a run asks for, as frames: its cells, its scores, its pictures. The tables are these, joined with the store."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from heatmark.benchmarks.requests import Entry, Request
from heatmark.benchmarks.schema import OF_CELLS, SETTING
from heatmark.benchmarks.tables.naming import Weights, weights_names

OWN = ["cell", "maps", "layer", "method", "implementation", *SETTING, *OF_CELLS]


@dataclass(frozen=True, eq=False)
class Asked:
    """The cells of one setting, the scores that are wanted of them, and the setting's pictures.

    Args:
        cells: one row per cell, in the order of the tables: :data:`OWN` and ``skipped``, the reason or ``""``.
        scores: one row per cell and metric: ``cell, metric, definition, higher_is_better, needs, terms, key, curve,
            skipped``; ``key`` and ``curve`` are keys of the store.
        entries: the pictures that can be explained.
        refused: those that cannot.
        facts: the job's facts.
    """

    cells: pd.DataFrame
    scores: pd.DataFrame
    entries: Sequence[Entry]
    refused: Sequence[Entry]
    facts: Mapping[str, Any]


def asked(requests: Sequence[Request]) -> list[Asked]:
    """Return what jobs ask for, by setting; requests of one setting are united."""
    named = weights_names({_weights(r): str(r.facts.get("checkpoint", "")) for r in requests if r.cells})
    settings: dict[tuple[str, ...], list[Request]] = {}
    for request in requests:
        if request.cells:
            settings.setdefault(_setting(request, named[_weights(request)]), []).append(request)
    return [_united(setting, alike) for setting, alike in sorted(settings.items())]


def digest_images(entries: Iterable[Entry]) -> str:
    """Return the digest of a set of pictures: neither their names nor their order change it."""
    digests = sorted(entry.digest for entry in entries if not entry.reason)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]


def _weights(request: Request) -> Weights:
    return Weights(*(str(request.facts.get(name, "")) for name in ("model", "weights", "weights_digest")))


def _setting(request: Request, weights: str) -> tuple[str, ...]:
    facts = {
        **request.facts,
        "weights": weights,
        "device": request.facts["device_kind"],
        "images_digest": digest_images(request.entries),
    }
    return tuple(str(facts[name]) for name in SETTING)


def _united(setting: tuple[str, ...], alike: Sequence[Request]) -> Asked:
    cells = pd.DataFrame([row for r in alike for row in _cells(setting, r)]).drop_duplicates("cell", keep="last")
    scores = pd.DataFrame([row for r in alike for row in _scores(setting, r)])
    entries = sorted({e.image: e for r in alike for e in r.entries}.values(), key=lambda entry: entry.position)
    return Asked(
        cells.sort_values(["layer", "method", "cell"], kind="stable", ignore_index=True),
        scores.drop_duplicates(["cell", "metric", "definition"], keep="last", ignore_index=True),
        [entry for entry in entries if not entry.reason],
        [entry for entry in entries if entry.reason],
        {**alike[-1].facts, **dict(zip(SETTING, setting, strict=True))},
    )


def _cell_id(setting: Sequence[str], maps: str, method: str) -> str:
    """Return the id of a cell in the tables: one method's maps may stand under two names, or in two settings."""
    return hashlib.sha256("\0".join([maps, method, *setting]).encode()).hexdigest()[:32]


def _cells(setting: tuple[str, ...], request: Request) -> Iterator[dict[str, Any]]:
    for cell in request.cells:
        yield {
            "cell": _cell_id(setting, cell.key, cell.method),
            "maps": cell.key,
            "layer": cell.layer,
            "method": cell.method,
            "implementation": cell.implementation,
            **dict(zip(SETTING, setting, strict=True)),
            "options": cell.options,
            "depth": float(cell.depth or "nan"),
            "skipped": cell.skipped,
        }


def _scores(setting: tuple[str, ...], request: Request) -> Iterator[dict[str, Any]]:
    metrics = {metric.name: metric for metric in request.metrics}
    wanted = {(score.cell, score.metric): score for score in request.scores}
    for cell in request.cells:
        for name, metric in metrics.items():
            if (score := wanted.get((cell.key, name))) is None:
                continue
            yield {
                "cell": _cell_id(setting, cell.key, cell.method),
                "metric": name,
                "definition": metric.definition,
                "higher_is_better": metric.higher_is_better,
                "needs": tuple(metric.needs),
                "terms": dict(metric.terms),
                "key": score.key,
                "curve": score.curve,
                "skipped": metric.skipped,
            }
