"""Metrics of heatmaps: from a batch of explained images to one number per image.

A metric is at hand by the name of its class, imported when it is used: ``heatmark.metrics.Deletion(steps=28)``.
"""

from typing import Any

if not __name__.startswith("heatmark."):
    raise ImportError(f"Heatmark's {__name__} is imported as heatmark.{__name__}")


def __getattr__(name: str) -> Any:
    from heatmark.common.lazy import attribute

    return attribute(__name__, name)


def __dir__() -> list[str]:
    from heatmark.common.lazy import classes

    return sorted(classes(__name__))
