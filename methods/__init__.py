"""Attribution methods: from a model, images, targets and a layer to raw relevance maps.

They know torch, but nothing of configs, tables or files.
"""

if not __name__.startswith("heatmark."):
    raise ImportError(f"Heatmark's {__name__} is imported as heatmark.{__name__}")
