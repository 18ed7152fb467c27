"""How networks take part in experiments."""
