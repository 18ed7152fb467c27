"""Reads arrays from published files; unexpected content is reported with the file and the field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainmark.core import DataError
from brainmark.core.libraries import h5py, np, pd, scipy
from brainmark.data.readers.damage import explain_damage


def array_of(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read a numeric ``.npy`` file of the given shape.

    Raises
    ------
    DataError : it cannot be read, or has another shape or type.
    """
    with explain_damage(path, "cannot be read as .npy"), path.open("rb") as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise DataError(f"{path}: holds {array.dtype} {array.shape}; expected numbers of shape {shape}")
    return array


def mat_of(path: Path, variable: str) -> Any:
    """Read one variable of a MATLAB file (before version 7.3); structs have attributes, singletons are squeezed.

    Raises
    ------
    DataError : it cannot be read, or has no such variable.
    """
    content = _load_mat(path, squeeze_me=True, variable_names=[variable])
    if variable not in content:
        raise DataError(f"{path}: has no variable {variable!r}")
    return content[variable]


def _load_mat(path: Path, *, squeeze_me: bool, variable_names: Sequence[str] | None = None) -> dict[str, Any]:
    with explain_damage(path, "cannot be read as a MATLAB file"):
        return scipy.io.loadmat(path, squeeze_me=squeeze_me, struct_as_record=False, variable_names=variable_names)


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
    with explain_damage(path, "cannot be read as a MATLAB 7.3 file with a table"), h5py.File(path, "r") as file:
        objects: Any = file["#subsystem#/MCOS"]
        cells = [_read_cells(file, reference) for reference in np.ravel(objects[()])]
    names = next((c for c in cells if c and all(isinstance(x, str) for x in c)), None)
    values = next((c for c in cells if names and len(c) == len(names) and c is not names), None)
    if names is None or values is None:
        raise DataError(f"{path}: holds no table")
    missing = [c for c in columns if c not in names]
    if missing:
        raise DataError(f"{path}: its table has no column {missing[0]!r} among {', '.join(map(str, names))}")
    return pd.DataFrame({name: values[names.index(name)] for name in columns})


def _read_cells(file: Any, reference: Any) -> list[Any]:
    """Read the content of a MATLAB cell array: texts and columns; empty for what is no cell array."""
    found = file[reference]
    if not isinstance(found, h5py.Dataset) or found.attrs.get("MATLAB_class") != b"cell" or found.dtype != object:
        return []
    return _read_content(file, reference)


def _read_content(file: Any, reference: Any) -> Any:
    found = file[reference]
    if not isinstance(found, h5py.Dataset):
        return None
    if found.attrs.get("MATLAB_class") == b"char":
        return "".join(map(chr, np.ravel(found[()])))
    if found.attrs.get("MATLAB_class") == b"cell" and found.dtype == object:
        return [_read_content(file, inner) for inner in np.ravel(found[()])]
    return np.ravel(found[()])


def mat_variable(path: Path, name: str) -> np.ndarray:
    """Read a variable, or a field ``struct.field``, of a MATLAB file of any version; shapes as MATLAB shows them.

    Numbers come as they are, texts and cell arrays of texts as arrays of text.

    Raises
    ------
    DataError : it cannot be read, has no such variable or field, or it is something else.
    """
    with explain_damage(path, "cannot be read"), path.open("rb") as file:
        first = file.read(128)
    if first[:4] == b"\x89HDF" or b"MATLAB 7.3" in first:
        return _read_hdf5(path, name)
    top, *fields = name.split(".")
    content = _load_mat(path, squeeze_me=False)
    if top not in content:
        known = ", ".join(k for k in content if not k.startswith("__"))
        raise DataError(f"{path}: has no variable {top!r} among {known}")
    found: Any = content[top]
    for field in fields:
        found = field_of(found.item() if isinstance(found, np.ndarray) and found.size == 1 else found, field, path)
    return _unwrap(np.asarray(found), f"{path}: {name}")


def _unwrap(found: np.ndarray, what: str) -> np.ndarray:
    """Unwrap cells of text; refuse what is neither numbers nor text."""
    if found.dtype.kind in "fiubU":
        return found
    cells = [np.asarray(cell) for cell in found.ravel()]
    if all(cell.size == 1 and cell.dtype.kind in "fiubU" for cell in cells):
        return np.array([cell.item() for cell in cells]).reshape(found.shape)
    if all(cell.dtype.kind == "U" and cell.size == 0 for cell in cells):
        return np.array(["" for _ in cells]).reshape(found.shape)
    raise DataError(f"{what} is a {type(found.ravel()[0]).__name__} array, neither numbers nor texts")


def _read_hdf5(path: Path, name: str) -> np.ndarray:
    """Read a variable of a MATLAB 7.3 file: HDF5, where dimensions stand in reverse and text is stored as numbers."""
    with explain_damage(path, "cannot be read as a MATLAB 7.3 file"), h5py.File(path, "r") as file:
        if name.replace(".", "/") not in file:
            known = ", ".join(k for k in map(str, file) if not k.startswith("#"))
            raise DataError(f"{path}: has no variable {name!r} among {known}")
        found: Any = file[name.replace(".", "/")]
        if not isinstance(found, h5py.Dataset):
            raise DataError(f"{path}: {name!r} is a struct; name a field of it: {name}.{next(iter(found), 'field')}")
        if found.dtype == object:
            cells = [_read_content(file, inner) for inner in np.ravel(found[()].T)]
            return np.array(cells).reshape(found.shape[::-1])
        values = np.asarray(found[()]).T
        is_text = found.attrs.get("MATLAB_class") == b"char"
        return np.array(["".join(map(chr, row)) for row in values]) if is_text else values
