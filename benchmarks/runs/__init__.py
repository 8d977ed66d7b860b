"""Functions on a run's folder as a whole: its state, and its requests and rows removed, moved, copied, frozen."""
