"""Heatmark: a benchmark suite for attribution methods (heatmaps) on image classifiers."""

from pathlib import Path

__version__ = "0.1.0"

if not Path(__file__).with_name("benchmarks").is_dir():
    raise ImportError(
        f"{Path(__file__).with_name('benchmarks')} should be a link to ../benchmarks: this checkout has no symbolic "
        "links (git config core.symlinks true, then git checkout -- heatmark .editable); or pip install ."
    )
