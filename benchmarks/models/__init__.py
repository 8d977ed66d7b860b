"""Image classifiers made ready to be explained, and their sources."""
