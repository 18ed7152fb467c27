"""Data sets and benchmarks of Brain-Score under their own identifiers."""
