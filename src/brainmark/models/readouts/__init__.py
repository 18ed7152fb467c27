"""Readouts: behaviour from activations."""
