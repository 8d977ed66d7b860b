"""Machinery that several methods share: captures, partial forwards, stages."""
