"""What methods and metrics both need; imports nothing else of the suite."""

if not __name__.startswith("heatmark."):
    raise ImportError(f"Heatmark's {__name__} is imported as heatmark.{__name__}")
