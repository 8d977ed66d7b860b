"""The command ``heatmark time``: the timings of a sweep that ran without them, such as in shards."""

import sys

from heatmark.benchmarks.commands import sweep


def main() -> int:
    """Run the sweep that the command line names again, with its timings; what is stored already is not computed."""
    sys.argv = [sys.argv[0].replace("heatmark time", "heatmark sweep"), *sys.argv[1:], "timing.phase=true"]
    return sweep.main()
