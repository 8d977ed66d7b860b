"""Code that methods and metrics share; it imports nothing else of Heatmark."""

if not __name__.startswith("heatmark."):
    raise ImportError(f"Heatmark's {__name__} is imported as heatmark.{__name__}")
