"""A package outside Brainmark that adds a model and a benchmark to it."""
