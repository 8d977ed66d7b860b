"""Metrics of heatmaps: from a batch of explained images to one number per image."""

if not __name__.startswith("heatmark."):
    raise ImportError(f"Heatmark's {__name__} is imported as heatmark.{__name__}")
