"""Statistics of a results table, paired by image: pure functions from tables to tables."""
