"""Candidate models as subjects."""
