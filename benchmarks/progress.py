"""Stand-in."""

from contextlib import nullcontext

from heatmark.benchmarks.sweep.run import Observer


def shown(record):
    """Show."""
    return nullcontext(Observer())
