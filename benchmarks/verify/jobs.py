"""The jobs of a run that a model can verify, and in what the two computers and the two networks differ."""

from importlib.metadata import version
from pathlib import Path

import torch

from heatmark.benchmarks.machine.devices import pick_device
from heatmark.benchmarks.machine.provenance import device_name
from heatmark.benchmarks.models.classifier import Classifier
from heatmark.benchmarks.tables.jobs import Job, jobs

TOLERANCE = 1e-6
"""Largest difference of two scores that counts as none on another device or with another PyTorch."""


def matching(run: Path, classifier: Classifier) -> list[Job]:
    """Return the jobs of a run whose model this is, the newest first: of its weights, else of its name.

    Raises:
        ValueError: where the run has no such job; it names the models of the run.
    """
    known = [job for job in jobs(run) if job.request.cells]
    digest = classifier.network_digest()[:12]
    exact = [job for job in known if job.request.facts.get("weights_digest") == digest]
    found = exact or [job for job in known if job.request.facts.get("model") == classifier.name]
    if not found:
        models = ", ".join(sorted({f"{job.setting['model']} ({job.setting['weights']})" for job in known}))
        raise ValueError(
            f"{run} has no job of {classifier.name}, nor of a network with its digest {digest}; it has "
            f"{models or 'none'}: give model="
        )
    return found


def device_of(job: Job, asked: str) -> torch.device:
    """Return the device to recompute a job on: the kind that it had, where this machine has it.

    Args:
        job: the job.
        asked: the name of a device; ``auto`` for the job's own.
    """
    if asked != "auto":
        return pick_device(asked)
    try:
        return pick_device(str(job.request.facts.get("device_kind") or "auto"))
    except ValueError:  # a device that this machine lacks
        return pick_device("auto")


def tolerance(job: Job, device: torch.device) -> float:
    """Return the largest difference that counts as none: 0 where the run's device and PyTorch are here."""
    reused = any(origin["rows"] for origin in job.request.facts.get("reused", []))  # they may be another machine's
    return 0.0 if _computer(job) == _here(device) and not reused else TOLERANCE


def circumstances(run: Path, classifier: Classifier, asked: str = "auto") -> list[str]:
    """Return what a reader should know before he reads the verdicts, in a sentence each.

    Args:
        run: the run's folder.
        classifier: the reader's model.
        asked: the device, as in :class:`.which.Which`.
    """
    found, digest = matching(run, classifier), classifier.network_digest()[:12]
    return list(dict.fromkeys(line for job in found for line in _of_job(job, digest, device_of(job, asked))))


def _of_job(job: Job, digest: str, device: torch.device) -> list[str]:
    names = job.setting
    said = [
        f"job: {names['model']} ({names['weights']}) on {names['dataset']}, target {names['target_rule']}, "
        f"{names['precision']}, {len(job.usable)} pictures"
    ]
    if (theirs := str(job.request.facts.get("weights_digest", ""))) != digest:
        said.append(f"weights: the digest is {digest} here, {theirs} in the run; rows deviate by what that changes")
    if tolerance(job, device):
        here, there = (f"{name} with torch {torch_version}" for name, torch_version in (_here(device), _computer(job)))
        said.append(f"computed here on {here}, the run on {there}: up to {TOLERANCE:g} counts as equal")
    return said


def _here(device: torch.device) -> tuple[str, str]:
    return device_name(device), version("torch")


def _computer(job: Job) -> tuple[str, str]:
    facts = job.request.facts
    return str(facts.get("device", "")), str(facts.get("versions", {}).get("torch", ""))
