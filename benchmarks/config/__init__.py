"""Hydra configurations: how they are composed, how objects are built from them, and messages for their errors."""
