"""The record of a job in a run's folder: its configuration, the facts known of it, and its status."""

import math
from collections.abc import Mapping
from typing import Any

from heatmark.benchmarks.machine.provenance import provenance
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.common.identity import digest_json


class JobRecord:
    """The record that a run keeps of one job; the same job given again continues its earlier record.

    Args:
        store: the run's store.
        model: the model's name, which is known before the model is built.
        given: the job's whole configuration, as plain JSON values; its digest is the record's key.
    """

    def __init__(self, store: Store, model: str, given: Mapping[str, Any]) -> None:
        self.store = store
        self.key = digest_json(given)
        self._facts = {"dataset": "", **store.read_job(self.key), "model": model, "reason": "", "config": given}

    @property
    def tuned_batch_size(self) -> int | None:
        """The batch size to which an earlier run of this job was tuned, even one that failed; None if there is none."""
        size: int | None = self._facts.get("batch_size")
        return size

    def running(self, plan: Plan) -> None:
        """Write that the job runs, with the facts of its plan."""
        self._facts |= facts(plan)
        self._write("running")

    def done(self) -> None:
        """Write that every cell of the job has run."""
        self._write("done")

    def failed(self, reason: str) -> None:
        """Write that the job could not run, and why."""
        self._facts["reason"] = reason
        self._write("error")

    def _write(self, status: str) -> None:
        self.store.write_job(self.key, {**self._facts, "status": status})


def facts(plan: Plan) -> dict[str, Any]:
    """Return a job's facts for the run's provenance: model, images, accuracy, batch size, versions, device."""
    labels = plan.job.image_set.labels
    return {
        "model": plan.job.classifier.name,
        "weights": plan.job.classifier.weights,
        "weights_digest": plan.weights_digest,
        "checkpoint": plan.job.classifier.checkpoint,
        "dataset": plan.job.dataset,
        "images": len(labels),
        "labelled": int((labels >= 0).sum()),
        "accuracy": None if math.isnan(plan.accuracy) else plan.accuracy,
        "batch_size": plan.settings.batch_size,
        **provenance(plan.settings.device),
    }
