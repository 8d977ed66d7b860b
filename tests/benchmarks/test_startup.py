"""What is imported when a sweep's first forward pass begins: a start costs little more than torch and torchvision."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.first_forward import SWEEP

ROOT = Path(__file__).parents[2]
LATER = {
    "pandas", "scipy", "sklearn", "skimage", "cv2", "matplotlib", "captum", "pytorch_grad_cam", "rich", "IPython",
    "sympy", "torchcam",
}  # fmt: skip
"""Packages that take long to import and that no first forward pass waits for."""


def test_the_first_forward_waits_for_no_package_that_it_does_not_need(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.first_forward", *SWEEP],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    modules = {name.partition(".")[0] for name in json.loads(found.stdout)}
    assert "torch" in modules
    assert not modules & LATER


def test_importing_heatmark_imports_no_torch() -> None:
    code = "import heatmark, sys; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
