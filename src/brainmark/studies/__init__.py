"""One file per study: what was shown, what was measured, where the files are."""
