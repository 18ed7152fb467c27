"""A package outside Brainmark that adds a model, a benchmark and a sense to it."""
