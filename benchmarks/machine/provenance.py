"""Provenance of a run's numbers: versions, commit, device and driver."""

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
    """Return versions, commit, device and driver as plain JSON values, ``""`` where unknown."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {package: _version(package) for package in PACKAGES},
        "commit": _commit(),
        "command": sys.argv,
        "device": device_name(device),
        "cuda": torch.version.cuda or "",
        "driver": _driver() if device.type == "cuda" else "",
        "threads": torch.get_num_threads(),
    }


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
