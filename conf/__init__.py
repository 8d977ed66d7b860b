"""Hydra configs, one file per option; found as pkg://heatmark.conf."""

if not __name__.startswith("heatmark."):
    raise ImportError(f"Heatmark's {__name__} is imported as heatmark.{__name__}")
