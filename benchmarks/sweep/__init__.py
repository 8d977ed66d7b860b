"""A sweep: what it is asked for, and how it is computed."""
