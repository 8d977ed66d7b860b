"""The record of a job in a run's folder: the request that it writes, and the batch size that its run is tuned to."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from heatmark.benchmarks import requests
from heatmark.benchmarks.disk import create_file
from heatmark.benchmarks.requests import Entry, Request
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.shards import WHOLE, Shard
from heatmark.common.digests import digest_json

SPEED_ONLY = (
    "name", "results_dir", "batch_size", "block_size", "shard", "shards", "keep_maps", "retry", "timing", "hydra",
    "decode_workers", "reuse", "dry_run",
)  # fmt: skip
"""Options of a sweep that change no number: the same job given with others of these continues its earlier request."""
GROWN = ("replicates",)
"""Options of which another value is the same job with more or fewer rows."""
OF_THE_SUBJECT = ("model", "dataset", "target", "device", "precision", "seed")


class JobRecord:
    """The record that a run keeps of one job; the same job given again replaces its earlier request.

    Args:
        root: the run's folder.
        given: the job's whole configuration, as plain JSON values, with ``model`` and ``dataset``.
        model: the model's name, which is known before the model is built.
        shard: the part of the dataset that this process takes.
        command: the words of a command that runs this job again, empty where there is none; None takes this process's.
        started: when the call of which this job is one began, seconds since 1970; None for now. What failed in earlier
            calls is forgotten as soon as a job of the same model and dataset runs.
    """

    def __init__(
        self,
        root: Path,
        given: Mapping[str, Any],
        model: str = "",
        shard: Shard = WHOLE,
        command: Sequence[str] | None = None,
        started: float | None = None,
    ) -> None:
        self.root, self.store, self.shard = root, Store(root), shard
        plain = {name: value for name, value in given.items() if name not in (*SPEED_ONLY, *GROWN)}
        if isinstance(plain.get("dataset"), Mapping):  # more pictures of a dataset are the same job, grown
            plain["dataset"] = {name: value for name, value in plain["dataset"].items() if name != "limit"}
        self._job = digest_json(plain)
        self._subject = digest_json({name: plain.get(name) for name in OF_THE_SUBJECT})
        dataset = plain.get("dataset")
        kind = dataset.get("_target_") if isinstance(dataset, Mapping) else dataset
        attempt = digest_json({"attempt": [model, kind]})
        self._attempt = attempt[:16] + self._job
        self._started = time.time() if started is None else started
        self._facts: dict[str, Any] = {
            "command": None if command is None else [*command],
            "model": model,
            "dataset": "",
            "reason": "",
            "config": given,
        }
        self._request = self._named(self._job)
        self._before: dict[str, Entry] = {}

    @property
    def stem(self) -> str:
        """The name of this job's and shard's files."""
        return self._request.file.removesuffix(".json")

    def batch_size(self, model: str, device: str, tune: Callable[[], int]) -> int:
        """Return the batch size of a model on a kind of device; the first job of a run tunes it, for all after it."""
        if (known := self._known_size(path := self._size_file(model, device))) is not None:
            return known
        path.unlink(missing_ok=True)
        size = int(tune())
        path.parent.mkdir(parents=True, exist_ok=True)
        create_file(path, json.dumps(size).encode())
        return int(json.loads(path.read_text()))

    def batch_size_unwritten(self, model: str, device: str, tune: Callable[[], int]) -> int:
        """Return the batch size as :meth:`batch_size` does, and leave no file, for a job that is only estimated."""
        known = self._known_size(self._size_file(model, device))
        return int(tune()) if known is None else known

    def _size_file(self, model: str, device: str) -> Path:
        return self.root / "batch_sizes" / f"{model[:32]}.{device}.json"

    @staticmethod
    def _known_size(path: Path) -> int | None:
        with suppress(FileNotFoundError, ValueError):  # a file that is damaged is written anew
            return int(json.loads(path.read_text()))
        return None

    def running(self, request: Request) -> None:
        """Write that the job runs, with what it asks for; entries of its earlier request stay until it meets them."""
        earlier = requests.read_file(self.root, self._request.file)
        self._before = {} if earlier is None else {entry.image: entry for entry in earlier.entries}
        self._facts["reused"] = [] if earlier is None else earlier.facts.get("reused", [])
        own = self._facts["command"]
        self._facts |= {**request.facts, "command": request.facts["command"] if own is None else own}
        self._request = replace(
            self._request, predictions=request.predictions, cells=request.cells, metrics=request.metrics,
            scores=request.scores,
        )  # fmt: skip
        self._forget_failures()
        self._write("running")

    def _forget_failures(self) -> None:
        """Remove the failures of earlier calls with this model and dataset, which can run now."""
        for path in (self.root / "requests").glob(f"{self._attempt[:16]}*.json"):
            failed = requests.read_file(self.root, path.name)
            if failed is not None and failed.written < self._started:
                path.unlink(missing_ok=True)

    def reused(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Write which rows came from other runs, beside what came in earlier calls (:func:`.reuse.reuse`)."""
        total = {each["folder"]: dict(each) for each in self._facts["reused"]}
        for each in found:
            before = total.get(each["folder"], {"rows": 0, "parts": 0})
            total[each["folder"]] = {**each, **{name: before[name] + each[name] for name in ("rows", "parts")}}
        self._facts["reused"] = list(total.values())
        self._write("running")

    def entries(self, met: Iterable[Entry]) -> None:
        """Write the pictures of a block."""
        self._request = replace(self._request, entries=[*self._request.entries, *met])
        self._facts |= requests.counted(self._request.entries)
        self._write("running")

    def done(self) -> None:
        """Write that everything has run; pictures that the job did not meet are no part of it any more."""
        self._before = {}
        self._write("done")

    def failed(self, reason: str) -> None:
        """Write that the job could not run, and why."""
        if not self._request.cells:
            self._request = self._named(self._attempt)
        self._facts["reason"] = reason
        self._write("error")

    def _named(self, job: str) -> Request:
        return Request(job, self._subject, 0.0, shard=(self.shard.number, self.shard.of))

    def _write(self, status: str) -> None:
        met = {entry.image for entry in self._request.entries}
        rest = [entry for image, entry in self._before.items() if image not in met]
        request = replace(
            self._request,
            written=time.time(),
            facts={**self._facts, "status": status},
            entries=sorted([*self._request.entries, *rest], key=lambda entry: entry.position),
        )
        requests.write(self.root, request)
