"""Tuning of single units, and its distribution over a population."""
