"""Tables of a run: gathered, summed up on the terminal, typeset for a paper."""
