"""Known answers: what metrics, the runner, statistics and models must give where the right number is known."""
