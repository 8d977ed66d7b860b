"""What a heatmap is: images, targets, layer -> raw relevance maps. Knows torch, nothing of configs, tables or files."""

if not __name__.startswith("heatmark."):
    raise ImportError(f"Heatmark's {__name__} is imported as heatmark.{__name__}")
