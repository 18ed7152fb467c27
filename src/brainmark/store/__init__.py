"""Keeps finished scores."""
