"""Image classifiers made ready to be explained, and where they come from."""
