"""Is an implementation right, and where does it first go wrong: peers stage by stage, oracles, a linter, a gate."""
