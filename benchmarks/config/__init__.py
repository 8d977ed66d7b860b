"""Configurations composed, objects built from them, and their errors in words."""
