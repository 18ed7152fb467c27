"""Models that read: one file per family."""
