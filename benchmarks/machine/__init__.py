"""Devices, batch sizes, timing and provenance: where and how fast a sweep ran."""
