"""Figures of a run, drawn from its tables and stored maps; every file here with a NAME and a ``draw`` is one figure."""
