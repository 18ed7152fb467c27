"""Activations of networks: extraction, reductions, memory."""
