"""Metric cards: whether a metric is sound on a model and its data, by maps of which the answer is known."""
