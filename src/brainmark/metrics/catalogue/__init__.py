"""Registered metrics. Imported by every listing: heavy libraries are imported inside the functions."""
