"""Known answers: checks of metrics, the runner, statistics and models against results that are known."""
