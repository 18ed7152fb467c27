"""Recordings and stimuli: fetching, reading, packaging; one file per study under studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainmark.core.lazy import attach

if TYPE_CHECKING:
    from brainmark.data.archive import ZipImages
    from brainmark.data.fetch import Whereabouts, cached_path, fetch_all, where
    from brainmark.data.git import GitFolder
    from brainmark.data.netcdf import read_measurement, write_measurement
    from brainmark.data.settings import Mirror, home, mirrors
    from brainmark.data.study import Study

_HOMES = {
    "archive": "ZipImages",
    "fetch": "Whereabouts cached_path fetch_all where",
    "git": "GitFolder",
    "netcdf": "read_measurement write_measurement",
    "settings": "Mirror home mirrors",
    "study": "Study",
}
__getattr__, __dir__, __all__ = attach(__name__, _HOMES)
