"""The comparison of metrics with other implementations, stage by stage."""
