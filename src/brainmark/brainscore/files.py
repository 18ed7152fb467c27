"""The files in the bucket of Brain-Score, and how one of its data sets is loaded.

The table ``tables/brainscore_files.csv`` holds names, versions and sha1 as their registrations state them; sizes and
sha256 are not published. Some files are given to holders of credentials only: those come from a mirror.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from brainmark.brainscore.brainio import merge, read_assembly, read_stimuli
from brainmark.core.cards import Source
from brainmark.core.errors import UnknownName
from brainmark.core.libraries import xr
from brainmark.core.stimuli import Stimuli
from brainmark.data.fetch import fetch_all

BUCKET = "https://brainscore-storage.s3.amazonaws.com"
FOLDERS = {"li2026": "brainscore-vision/benchmarks/Li2026"}
USUAL_FOLDER = "brainio-brainscore"


class FileRow(NamedTuple):
    """One row of the table: an assembly, or a stimulus set (with a ZIP file)."""

    kind: Literal["assembly", "stimuli"]
    family: str
    name: str
    file: str
    sha1: str
    version: str
    zip_sha1: str
    zip_version: str
    stimuli: str

    @property
    def sources(self) -> tuple[Source, ...]:
        """The netCDF file; or the CSV table and the ZIP file."""
        if self.kind == "assembly":
            return (self.source("assy", "nc", self.sha1, self.version),)
        csv_file = self.source("stimulus", "csv", self.sha1, self.version)
        return csv_file, self.source("stimulus", "zip", self.zip_sha1, self.zip_version)

    def source(self, prefix: str, suffix: str, sha1: str, version: str) -> Source:
        """Return one file: its address in the bucket, and its sha1."""
        folder = FOLDERS.get(self.family, USUAL_FOLDER)
        file = f"{prefix}_{self.file.replace('.', '_')}.{suffix}"
        return Source(url=f"{BUCKET}/{folder}/{file}?versionId={version}", sha1=sha1)


@cache
def read_rows() -> dict[tuple[str, str], FileRow]:
    """Read all rows of the table by kind and name."""
    with (Path(__file__).parent / "files.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {(row["kind"], row["name"]): FileRow(**row) for row in rows}  # pyright: ignore[reportArgumentType]


def row(kind: Literal["assembly", "stimuli"], name: str) -> FileRow:
    """Return the row of an assembly or a stimulus set.

    Raises
    ------
    UnknownName : the table has none; names the nearest.
    """
    found = read_rows().get((kind, name))
    if found is None:
        raise UnknownName(f"{kind} of Brain-Score", name, [n for k, n in read_rows() if k == kind])
    return found


def stimulus_set(name: str) -> Stimuli:
    """Return a stimulus set of Brain-Score by its registered name; fetched if it is not at hand."""
    table, archive = fetch_all(row("stimuli", name).sources)
    return read_stimuli(table, archive, name)


def assembly(name: str) -> xr.DataArray:
    """Return an assembly of Brain-Score, trial by trial, with what its stimulus set knows of each presentation."""
    found = row("assembly", name)
    (path,) = fetch_all(found.sources)
    trials = read_assembly(path, verified=True)
    return merge(trials, stimulus_set(found.stimuli)) if found.stimuli else trials
