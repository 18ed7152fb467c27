"""Stimuli and brains that are made here."""
