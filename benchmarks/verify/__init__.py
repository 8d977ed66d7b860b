"""A run's rows recomputed from the reader's own weights and pictures, and compared with what the run says."""
