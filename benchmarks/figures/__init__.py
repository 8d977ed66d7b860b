"""Figures of a run, from its tables alone: every file here with a NAME and a ``draw`` is one figure."""
