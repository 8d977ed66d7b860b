"""Record of a job in a run's folder: what was given, what it is, and whether it is done."""

import math
from collections.abc import Mapping
from typing import Any

from heatmark.benchmarks.machine.provenance import provenance
from heatmark.benchmarks.store import Store
from heatmark.benchmarks.sweep.prepare import Plan
from heatmark.common.identity import digest_json


class JobRecord:
    """What a run keeps of one job; the same job given again goes on with the record of before.

    Args:
        store: of the run.
        model: what the model is called, known before it is built.
        given: all that the job was given, as plain JSON values; its digest is the record's key.
    """

    def __init__(self, store: Store, model: str, given: Mapping[str, Any]) -> None:
        self.store = store
        self.key = digest_json(given)
        self._facts = {"dataset": "", **store.read_job(self.key), "model": model, "reason": "", "config": given}

    @property
    def tuned_batch_size(self) -> int | None:
        """The batch size that an earlier run of this job was tuned to, whatever went wrong with it; None at first."""
        size: int | None = self._facts.get("batch_size")
        return size

    def running(self, plan: Plan) -> None:
        """Write that the job runs, with what is known of it now."""
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
    """Return what a run's provenance says of a job: model, images, accuracy, batch size, versions, device."""
    labels = plan.job.image_set.labels
    return {
        "model": plan.job.classifier.name,
        "weights": plan.job.classifier.weights,
        "weights_digest": plan.job.classifier.network_digest()[:12],
        "checkpoint": plan.job.classifier.checkpoint,
        "dataset": plan.job.dataset,
        "images": len(labels),
        "labelled": int((labels >= 0).sum()),
        "accuracy": None if math.isnan(plan.accuracy) else plan.accuracy,
        "batch_size": plan.settings.batch_size,
        **provenance(plan.settings.device),
    }
