"""Comparing arrays: arrays in, numbers out. Knows no model and no data set."""
