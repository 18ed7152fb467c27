"""Reading published files; content that is not what the study expects is named by file and field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainmark.core import DataError

if TYPE_CHECKING:
    import pandas as pd


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


def matlab_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a MATLAB ``table`` from a file of version 7.3 (HDF5): numbers and texts, a row each.

    MATLAB keeps the columns of its objects in the undocumented group ``#subsystem#/MCOS``: one cell array of columns,
    another of their names.

    Raises
    ------
    DataError : it cannot be read, holds no table, or lacks a column.
    """
    import h5py
    import pandas as pd

    try:
        with h5py.File(path, "r") as file:
            objects: Any = file["#subsystem#/MCOS"]
            cells = [_cells(file, reference) for reference in np.ravel(objects[()])]
    except (OSError, KeyError) as error:
        raise DataError(f"{path}: cannot be read as a MATLAB 7.3 file with a table: {error}") from error
    names = next((c for c in cells if c and all(isinstance(x, str) for x in c)), None)
    values = next((c for c in cells if names and len(c) == len(names) and c is not names), None)
    if names is None or values is None:
        raise DataError(f"{path}: holds no table")
    missing = [c for c in columns if c not in names]
    if missing:
        raise DataError(f"{path}: its table has no column {missing[0]!r} among {', '.join(map(str, names))}")
    return pd.DataFrame({name: values[names.index(name)] for name in columns})


def _cells(file: Any, reference: Any) -> list[Any]:
    """Content of a MATLAB cell array: texts and columns; empty for what is no cell array."""
    import h5py

    found = file[reference]
    if not isinstance(found, h5py.Dataset) or found.attrs.get("MATLAB_class") != b"cell" or found.dtype != object:
        return []
    return _content(file, reference)


def _content(file: Any, reference: Any) -> Any:
    import h5py

    found = file[reference]
    if not isinstance(found, h5py.Dataset):
        return None
    if found.attrs.get("MATLAB_class") == b"char":
        return "".join(map(chr, np.ravel(found[()])))
    if found.attrs.get("MATLAB_class") == b"cell" and found.dtype == object:
        return [_content(file, inner) for inner in np.ravel(found[()])]
    return np.ravel(found[()])
