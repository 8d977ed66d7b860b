"""Hydra configs, one option a file; found as pkg://conf."""
