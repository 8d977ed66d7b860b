"""The progress of a sweep: two lines on a terminal, one display in a notebook, else a line per block."""
