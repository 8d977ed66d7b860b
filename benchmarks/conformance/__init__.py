"""Conformance checks of implementations: reference libraries stage by stage, invariants, known answers, a linter."""
