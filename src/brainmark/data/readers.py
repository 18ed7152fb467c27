"""Reading published files; content that is not what the study expects is named by file and field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainmark.core import DataError


def array_of(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read a numeric ``.npy`` file of the given shape.

    Raises
    ------
    DataError : it cannot be read, or has another shape or type.
    """
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as .npy: {error}") from error
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise DataError(f"{path}: holds {array.dtype} {array.shape}; expected numbers of shape {shape}")
    return array


def mat_of(path: Path, variable: str) -> Any:
    """Read one variable of a MATLAB file (before version 7.3); structs have attributes, singletons are squeezed.

    Raises
    ------
    DataError : it cannot be read, or has no such variable.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path, squeeze_me=True, struct_as_record=False, variable_names=[variable])
    except (OSError, ValueError, TypeError, NotImplementedError, MatReadError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as a MATLAB file: {error}") from error
    if variable not in content:
        raise DataError(f"{path}: has no variable {variable!r}")
    return content[variable]


def fields_of(struct: Any, names: Sequence[str], path: Path, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return fields of a MATLAB struct as arrays of one shape.

    Raises
    ------
    DataError : a field is missing or has another shape.
    """
    found: dict[str, np.ndarray] = {}
    for name in names:
        values = np.asarray(field_of(struct, name, path))
        if values.shape != shape:
            raise DataError(f"{path}: field {name!r} has shape {values.shape}; expected {shape}")
        found[name] = values
    return found


def field_of(struct: Any, name: str, path: Path) -> Any:
    """Return one field of a MATLAB struct.

    Raises
    ------
    DataError : there is no such field.
    """
    if not hasattr(struct, name):
        has = getattr(struct, "_fieldnames", None)
        raise DataError(f"{path}: no field {name!r}" + (f" among {', '.join(has)}" if has else ""))
    return getattr(struct, name)
