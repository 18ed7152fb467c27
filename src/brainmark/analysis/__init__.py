"""Relates scores to one another, and shows them in reports and figures."""
