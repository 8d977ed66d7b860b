"""The jobs of a run as its tables name them: the setting of each, and its pictures."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from heatmark.benchmarks import requests
from heatmark.benchmarks.requests import Entry, Request
from heatmark.benchmarks.schema import SETTING
from heatmark.benchmarks.statistics.digests import own_label
from heatmark.benchmarks.tables.naming import Weights, weights_names


@dataclass(frozen=True, eq=False)
class Job:
    """A job of a run.

    Args:
        request: what it asks for.
        setting: its values of the columns :data:`heatmark.benchmarks.schema.SETTING`.
    """

    request: Request
    setting: Mapping[str, str]
    _rows: dict[tuple[str, ...], pa.Array] = field(default_factory=dict)

    @cached_property
    def usable(self) -> list[Entry]:
        """The pictures that can be explained."""
        return [entry for entry in self.request.entries if not entry.reason]

    @cached_property
    def entries(self) -> list[Entry]:
        """The pictures that can be explained, then the others."""
        return [*self.usable, *(entry for entry in self.request.entries if entry.reason)]

    @property
    def place(self) -> tuple[str, ...]:
        """The values of the setting: jobs with equal ones are of one table."""
        return tuple(self.setting.values())

    def rows(self, needs: Sequence[str] = ()) -> pa.Array:
        """Return the ids of the usable pictures' rows in an artefact whose metric needs these inputs."""
        wanted = tuple(needs)
        if wanted not in self._rows:
            self._rows[wanted] = pa.array([entry.row(wanted) for entry in self.usable], pa.string())
        return self._rows[wanted]

    def facts(self) -> dict[str, Any]:
        """Return the job's facts as provenance.json has them, with the names that the tables use, without
        the names of classes; paths that were given stand as they were given."""
        facts = {name: value for name, value in self.request.facts.items() if name != "classes"}
        if "given" in facts:
            facts["given"] = {name: {**place, **_as_given(facts, name)} for name, place in facts["given"].items()}
        return {**facts, **{name: self.setting[name] for name in ("weights", "images_digest") if self.setting[name]}}


def jobs(run: Path) -> list[Job]:
    """Return the jobs of a run, the newest first; no two sets of weights of one model share a name (:mod:`.naming`).

    Raises:
        ValueError: for a request that is damaged or of another version.
    """
    found = sorted(requests.current(run), key=lambda request: -request.written)
    names = weights_names(
        {_weights(r.facts): str(r.facts.get("checkpoint", "")) for r in found if "weights" in r.facts}
    )
    return [Job(request, _setting(request, names)) for request in found]


def of_setting(every: Iterable[Job], facts: Mapping[Any, Any]) -> list[Job]:
    """Return the jobs of a setting.

    Args:
        every: jobs, such as those of a run.
        facts: a row of the run's tables, or anything with the columns of a setting.
    """
    wanted = tuple(own_label(str(facts[name])) for name in SETTING)
    return [job for job in every if job.place == wanted]


def _setting(request: Request, names: Mapping[Weights, str]) -> dict[str, str]:
    facts = request.facts
    own = {name: str(facts.get(name, "")) for name in SETTING}
    return {
        **own,
        "weights": names.get(_weights(facts), own["weights"]),
        "images_digest": _images_digest(request.entries),
        "device": str(facts.get("device_kind", own["device"])),
    }


def _as_given(facts: Mapping[str, Any], option: str) -> dict[str, str]:
    """Return the value of an option in a job's configuration as ``given``; nothing where it is no text."""
    found: Any = facts.get("config")
    for name in option.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return {"given": found} if isinstance(found, str) and found else {}


def _images_digest(entries: Sequence[Entry]) -> str:
    digests = sorted(entry.digest for entry in entries if not entry.reason)
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:12] if digests else ""


def _weights(facts: Mapping[str, Any]) -> Weights:
    return Weights(str(facts.get("model", "")), str(facts.get("weights", "")), str(facts.get("weights_digest", "")))
