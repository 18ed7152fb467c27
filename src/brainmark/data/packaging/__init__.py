"""A lab's own recordings: from its files to one folder that is scored like any registered data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainmark.core.lazy import attach

if TYPE_CHECKING:
    from brainmark.data.packaging.build import Prepared, package, prepare
    from brainmark.data.packaging.folder import PackageCard, is_package, load_package, verified
    from brainmark.data.packaging.problems import CannotPackage
    from brainmark.data.packaging.spec import Description, description_of, read_description

_HOMES = {
    "build": "Prepared package prepare",
    "folder": "PackageCard is_package load_package verified",
    "problems": "CannotPackage",
    "spec": "Description description_of read_description",
}
__getattr__, __dir__, __all__ = attach(__name__, _HOMES)
