"""Turns a lab's own recordings into one folder that is scored like any registered data set.

The formats are those of the modules `trials` (CSV), `arrays` (NumPy, MATLAB), `nwb` and `bids`; `add_format` adds one.
"""

from __future__ import annotations

from brainmark.data.packaging import arrays, bids, nwb, trials  # the formats register themselves
from brainmark.data.packaging.build import Prepared, package, prepare
from brainmark.data.packaging.description import (
    Description,
    Recordings,
    add_format,
    parse_description,
    read_description,
)
from brainmark.data.packaging.folder import PackageCard, load_package, verify_package
from brainmark.data.packaging.problems import CannotPackage, Problems
from brainmark.data.packaging.sessions import Session

__all__ = [
    "CannotPackage", "Description", "PackageCard", "Prepared", "Problems", "Recordings", "Session", "add_format",
    "load_package", "package", "parse_description", "prepare", "read_description", "verify_package",
]  # fmt: skip
