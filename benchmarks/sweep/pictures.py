"""Pictures (stand-in)."""

from heatmark.benchmarks.store import empty


def pictures(block, classifier, key):
    return empty("pictures")


def pictures_key(classifier):
    return "p"
