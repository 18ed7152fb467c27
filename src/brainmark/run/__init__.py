"""Executing benchmarks: one line of the data flow, or many, with stamp and cache."""
