"""What is run: models, data, trials, timing, the result store, tables and the command line."""
