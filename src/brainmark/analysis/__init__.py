"""Relating scores to one another: reports and figures."""
