"""Trains small networks, which then are models: recipes, one training loop, and checkpoints."""
