"""Heatmark: a benchmark suite for attribution methods (heatmaps) on image classifiers."""
