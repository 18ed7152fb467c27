"""Training of small networks that then become models: recipes, one loop, checkpoints after each epoch."""
