"""Attribution methods: from a model, images, targets and a layer to raw relevance maps.

They know torch, but nothing of configs, tables or files.

A method is at hand by the name of its class, imported when it is used: ``heatmark.methods.GradCAM()``.
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
