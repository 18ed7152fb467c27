"""A lab's own recordings: from its files to one folder that is scored like any registered data set."""

from __future__ import annotations

from brainmark.data.packaging.build import Prepared, package, prepare
from brainmark.data.packaging.folder import PackageCard, is_package, load_package, verified
from brainmark.data.packaging.problems import CannotPackage
from brainmark.data.packaging.spec import Description, description_of, read_description

__all__ = [
    "CannotPackage",
    "Description",
    "PackageCard",
    "Prepared",
    "description_of",
    "is_package",
    "load_package",
    "package",
    "prepare",
    "read_description",
    "verified",
]
