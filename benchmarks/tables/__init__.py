"""Tables of a run: results, timing and curves from the stored cells, the summary on the terminal, tables for a paper."""
