"""Recordings and stimuli: fetching, reading, packaging, generating."""
