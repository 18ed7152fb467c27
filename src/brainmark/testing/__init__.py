"""Conformance checks and simulated subjects, for this package and for yours."""
