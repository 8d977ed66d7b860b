"""Tables of a run: results, timing and curves from its stored cells, a summary for the terminal, tables for a paper."""
