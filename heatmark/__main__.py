"""The command line without an installed command: python -m heatmark COMMAND."""

from heatmark.benchmarks.cli import main

if __name__ == "__main__":
    main()
