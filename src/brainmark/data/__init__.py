"""Recordings and stimuli: fetching, reading, packaging; one file per study under studies."""
