"""From a registered file (URL, hash, size) to a path with exactly those bytes.

Order: a table shipped with the package, the cache, mirror folders (used in place, nothing is copied), mirror URLs,
the network. Every copy is checked before it is used. Downloads go to a folder of temporary files, are checked, flushed
to the disk, and renamed. An answer that is too long or too slow is given up, and the next place is asked. The cache is
``<home>/files`` and is laid out like a mirror (see `places`); ``<home>/locks`` holds a lock for each file or folder, so
that processes wait for each other instead of downloading twice. The next download removes what a killed process left.
"""

from __future__ import annotations

from brainmark.data.fetch.files import Checkpoint, Whereabouts, cache_place, fetch, fetch_all, file_digest, where
from brainmark.data.fetch.folders import GitFolder, NumberedFiles, read_list
from brainmark.data.fetch.places import Mirror, home, mirrors, short_name

__all__ = [
    "Checkpoint", "GitFolder", "Mirror", "NumberedFiles", "Whereabouts", "cache_place", "fetch", "fetch_all",
    "file_digest", "home", "mirrors", "read_list", "short_name", "where",
]  # fmt: skip
