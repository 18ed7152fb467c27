"""Models that see, one file per family."""
