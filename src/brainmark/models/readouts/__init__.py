"""From activations to answers."""
