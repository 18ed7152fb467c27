"""Subjects: models that take part in experiments."""
