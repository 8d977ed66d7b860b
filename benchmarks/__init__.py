"""What is run: models, data, cells, timing, the result store, tables and the command line."""

if not __name__.startswith("heatmark."):
    raise ImportError(f"Heatmark's {__name__} is imported as heatmark.{__name__}")
