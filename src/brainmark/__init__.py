"""Scores computational models of natural intelligence against brains and behaviour."""
