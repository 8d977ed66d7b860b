"""The report of a run: a single HTML file that opens in any browser and loads nothing else."""
