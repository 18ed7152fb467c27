"""Recordings and stimuli: fetching, reading, packaging."""

from __future__ import annotations

from brainmark.data.fetch import GitFolder, Whereabouts, cached_path, fetch_all, where
from brainmark.data.fetch.places import Mirror, home, mirrors
from brainmark.data.readers.archive import ZipImages
from brainmark.data.readers.netcdf import read_measurement, write_measurement

__all__ = [
    "GitFolder",
    "Mirror",
    "Whereabouts",
    "ZipImages",
    "cached_path",
    "fetch_all",
    "home",
    "mirrors",
    "read_measurement",
    "where",
    "write_measurement",
]
