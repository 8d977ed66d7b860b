"""Code that several metrics share: perturbation curves, baselines and the order of equal pixels."""
