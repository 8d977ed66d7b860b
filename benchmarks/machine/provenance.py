"""Provenance of a run's numbers: what was given, versions, commit, command, device and driver."""

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("heatmark", "torch", "torchvision", "captum", "grad-cam", "numpy", "pandas", "scipy", "hydra-core")


def provenance(device: torch.device) -> dict[str, Any]:
    """Return versions, commit, command, working directory and device as plain JSON values, ``""`` where unknown."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {package: _version(package) for package in PACKAGES},
        "commit": _commit(),
        "command": sys.argv,
        "directory": str(Path.cwd()),
        "device": device_name(device),
        "cuda": torch.version.cuda or "",
        "driver": _driver() if device.type == "cuda" else "",
        "threads": torch.get_num_threads(),
    }


def located(path: str) -> dict[str, str]:
    """Return a path that was given, ``path`` made absolute, and the ``sha256`` of a file, ``""`` of anything else."""
    if not path:
        return {}
    place = Path(path).expanduser().resolve()
    return {"given": path, "path": str(place), "sha256": _sha256(place) if place.is_file() else ""}


def source_of(name: str) -> dict[str, str]:
    """Return where what a dotted name stands for is written: the file of its module, as :func:`located` does.

    Args:
        name: of a class or function whose module is imported; the file is ``""`` where none is known.
    """
    module = name
    while module and module not in sys.modules:
        module = module.rpartition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return {"path": "", "sha256": "", **located(file), "given": name}


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def device_name(device: torch.device) -> str:
    """Return the device's own name, such as ``NVIDIA H200``; for a CPU its model and the threads in use."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"Apple {platform.machine()} GPU"
    return f"{_cpu_model()} ({torch.get_num_threads()} threads)"


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    """Return the commit of Heatmark's checkout; ``""`` for an installed package, whose folder may lie in another's."""
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / ".git").exists():
        return ""
    return _output("git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40")


def _driver() -> str:
    return _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader").split(os.linesep)[0]


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
