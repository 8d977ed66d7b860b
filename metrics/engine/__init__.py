"""Machinery that several metrics share: perturbations, and what pixels are replaced with."""
