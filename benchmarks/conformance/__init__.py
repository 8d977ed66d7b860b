"""Checks of implementations: against reference libraries stage by stage, invariants, known answers, a linter."""
