from .build import Prepared, package, prepare
from .description import (
    Description,
    Recordings,
    add_format,
    parse_description,
    read_description,
)  # fmt: skip
from .folder import PackageCard, load_package, verify_package
from .problems import CannotPackage, Problems
from .sessions import Session

__all__ = [
    "CannotPackage",
    "Description",
    "PackageCard",
    "Prepared",
    "Problems",
    "Recordings",
    "Session",
    "add_format",
    "load_package",
    "package",
    "parse_description",
    "prepare",
    "read_description",
    "verify_package",
]
