"""Recordings and stimuli: fetching, reading, packaging."""

from __future__ import annotations

from brainmark.data.files.fetch import Whereabouts, cached_path, fetch_all, where
from brainmark.data.files.git import GitFolder
from brainmark.data.files.settings import Mirror, home, mirrors
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
