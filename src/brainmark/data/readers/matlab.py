"""Reads variables of MATLAB files of all versions, with the shapes that MATLAB shows.

Both kinds of files, up to version 7 (`matlab_old`) and 7.3 (HDF5), become the same arrays first: numbers, texts, cell
arrays (arrays of objects) and structs (arrays with named fields). What is taken from them is said once, for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError, suggest
from brainmark.core.libraries import h5py, np, pd, scipy
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.hdf5 import is_hdf5, open_hdf5
from brainmark.data.readers.matlab_objects import MatlabObject, decode_object
from brainmark.data.readers.matlab_old import names_of, read_old, strip_rows, take_variable
from brainmark.data.readers.text import decode
from brainmark.data.readers.trial import try_reading

_NUMBERS = "fiubc"


def mat_of(path: Path, variable: str) -> Any:
    """Read one variable of a file whose checksum was compared; structs have attributes, singletons are squeezed.

    Raises
    ------
    DataError : it cannot be read, is of version 7.3, or has no such variable.
    """
    with explain_damage(path, "cannot be read as a MATLAB file"):
        content = scipy.io.loadmat(path, squeeze_me=True, struct_as_record=False, variable_names=[variable])
    if variable not in content:
        raise DataError(f"{path}: has no variable {variable!r}")
    return content[variable]


def fields_of(struct: Any, names: Sequence[str], path: Path, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return fields of a struct from `mat_of` as arrays of one shape.

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
    """Return one field of a struct from `mat_of`.

    Raises
    ------
    DataError : there is no such field.
    """
    if not hasattr(struct, name):
        has = getattr(struct, "_fieldnames", None)
        raise DataError(f"{path}: no field {name!r}" + (f" among {', '.join(has)}" if has else ""))
    return getattr(struct, name)


def matlab_table(path: Path, variable: str, columns: Sequence[str]) -> pd.DataFrame:
    """Read columns of a MATLAB ``table`` from a file of version 7.3 whose checksum was compared.

    Raises
    ------
    DataError : it cannot be read, holds no such table, or lacks a column.
    """
    table = _find(path, variable, verified=True)  # once for all columns
    found = {column: _unwrap(_follow(table, column, path), f"{path}: {variable}.{column}") for column in columns}
    return pd.DataFrame({column: np.ravel(values) for column, values in found.items()})


def mat_variable(path: Path, name: str, *, verified: bool = False) -> np.ndarray:
    """Read a variable, or a field ``struct.field``, of a MATLAB file of any version; shapes as MATLAB shows them.

    Numbers come as they are, texts and cell arrays of texts as arrays of text, sparse matrices as full ones. A field
    of an array of structs is a column with one entry for each of them; rows of equal length are put together.
    Strings, categoricals and datetimes (as text, in ISO 8601) and columns of tables are read from files of both kinds.

    Parameters
    ----------
    verified : the checksum of the file was compared; other files are first read in a process of their own.

    Raises
    ------
    DataError : it cannot be read, has no such variable or field, or it is something else.
    """
    return _unwrap(_find(path, name, verified=verified), f"{path}: {name}")


def _find(path: Path, name: str, *, verified: bool) -> Any:
    """Return a variable or a field in the form of both kinds of files."""
    top, *fields = name.split(".")
    if is_hdf5(path):
        with open_hdf5(path, "a MATLAB 7.3 file", verified=verified) as file:
            return _take_hdf5(file, top, fields, path)
    if not verified:
        try_reading(path, read_old, "a MATLAB file")
    with explain_damage(path, "cannot be read as a MATLAB file"):
        return _take_old(read_old(str(path)), top, fields, path)


# --- files up to version 7 -------------------------------------------------------------------------------------------


def _take_old(content: dict[str, Any], top: str, fields: list[str], path: Path) -> Any:
    known = names_of(content)
    if top not in known:
        raise DataError(f"{path}: has no variable {top!r}{_offer(top, known)}")
    found: Any = take_variable(content, top)
    for field in fields:
        found = _follow(found, field, path)
    return found


# --- files of version 7.3 --------------------------------------------------------------------------------------------


def _take_hdf5(file: Any, top: str, fields: list[str], path: Path) -> Any:
    known = [k for k in map(str, file) if not k.startswith("#")]
    if top not in known:
        raise DataError(f"{path}: has no variable {top!r}{_offer(top, known)}")
    item: Any = file[top]
    while fields and isinstance(item, h5py.Group) and "MATLAB_sparse" not in item.attrs:  # without reading the rest
        if fields[0] not in item:
            raise DataError(f"{path}: {_name_of(item)} has no field {fields[0]!r}{_offer(fields[0], list(item))}")
        item = item[fields.pop(0)]
    found = _read_item(file, item)
    for field in fields:
        found = _follow(found, field, path)
    return found


def _name_of(item: Any) -> str:
    return str(item.name).lstrip("/").replace("/", ".")


def _read_item(file: Any, item: Any) -> Any:
    """Return a variable, a field or the content of a cell, in the form of both kinds of files."""
    attributes = dict(item.attrs)
    kind = decode(attributes.get("MATLAB_class", b""), "its MATLAB_class")  # the name of each item is slow to find
    if "MATLAB_sparse" in attributes:
        return _read_sparse(item)
    if isinstance(item, h5py.Group):
        return _read_struct(file, item, kind)
    if "MATLAB_object_decode" in attributes:
        if kind in ("function_handle", "") or "#subsystem#/MCOS" not in file:
            return MatlabObject(kind or "object")
        cells = np.ravel(file["#subsystem#/MCOS"][()])
        return decode_object(kind, np.ravel(item[()]), len(cells), lambda k: _read_item(file, file[cells[k]]))
    if attributes.get("MATLAB_empty"):
        shape = tuple(int(n) for n in np.ravel(item[()])) if item.shape else (0, 0)
        return np.array([""]) if kind == "char" else np.empty(shape, object if kind in ("cell", "struct") else float)
    values = np.asarray(item[()]).T
    if kind == "char":
        return _read_char(values, item)
    if values.dtype == object:
        cells = np.empty(values.shape, object)
        for place in np.ndindex(values.shape):
            cells[place] = _read_item(file, file[values[place]])
        return cells
    return values.astype(bool) if kind == "logical" else _complex(values)


def _complex(values: np.ndarray) -> np.ndarray:
    """Return complex numbers, which HDF5 has as pairs; others as they are."""
    return values["real"] + 1j * values["imag"] if values.dtype.names == ("real", "imag") else values


def _read_struct(file: Any, group: Any, kind: str) -> Any:
    """Return a struct as an array with named fields; those of an array of structs are references to their contents."""
    if kind not in ("struct", ""):
        return MatlabObject(kind)
    fields = {str(name): item for name, item in group.items()}
    several = [i for i in fields.values() if _is_field_of_several(i)]
    shape = several[0].shape[::-1] if several else (1, 1)
    made = np.empty(shape, [(name, object) for name in fields] or object)
    for name, item in fields.items():
        content = _read_item(file, item)
        for place in np.ndindex(shape):
            made[name][place] = content[place] if _is_field_of_several(item) else content
    return made


def _is_field_of_several(item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and item.dtype == object and "MATLAB_class" not in item.attrs


def _read_char(values: np.ndarray, item: Any) -> np.ndarray:
    if values.ndim > 2:
        raise ValueError(
            f"{_name_of(item)} is a text of {values.ndim} dimensions {values.shape}; in MATLAB, save cellstr(x)"
        )
    rows = np.atleast_2d(values).astype("<u2")
    return strip_rows(np.array([row.tobytes().decode("utf-16-le").rstrip("\0") for row in rows] or [""]))


def _read_sparse(group: Any) -> np.ndarray:
    """Return a sparse matrix (compressed columns) as a full one."""
    rows, starts = int(group.attrs["MATLAB_sparse"]), np.ravel(group["jc"][()]).astype(np.int64)
    values = _complex(group["data"][()]) if "data" in group else np.empty(0)
    places = group["ir"][()].astype(np.int64) if "ir" in group else np.empty(0, np.int64)
    shape = (rows, len(starts) - 1)
    return scipy.sparse.csc_matrix((np.ravel(values), np.ravel(places), starts), shape).toarray()


# --- both ------------------------------------------------------------------------------------------------------------


def _offer(name: str, known: Sequence[str]) -> str:
    near = suggest(name, known)
    return f"; did you mean {near[0]!r}?" if near else f" among {', '.join(known) or 'none'}"


def _follow(found: Any, field: str, path: Path) -> Any:
    """Return a field of a struct, or of each struct of an array, or a column of a table."""
    if isinstance(found, MatlabObject) and found.columns:
        known: Sequence[str] = list(found.columns)
        if field in found.columns:
            return found.columns[field]
    elif isinstance(found, MatlabObject):
        raise DataError(f"{path}: {found.explain(f'what holds {field!r}')}")
    else:
        known = found.dtype.names or ()
        if field in known:
            return found[field].item() if found.size == 1 else found[field].reshape(-1, 1, order="F")
    raise DataError(
        f"{path}: no field {field!r}{_offer(field, known)}"
        if known
        else f"{path}: what {field!r} is a field of is no struct"
    )


def _unwrap(found: Any, what: str) -> np.ndarray:
    """Return numbers or texts; refuse what is neither, with the way out."""
    if isinstance(found, MatlabObject):
        raise DataError(found.explain(what))
    if found.dtype.names:
        example = found.dtype.names[0]
        raise DataError(f"{what} is a struct; name a field of it: {what.rpartition(': ')[2]}.{example}")
    if found.dtype.kind in _NUMBERS + "U":
        return found
    cells = [_unwrap_cell(cell, k, what) for k, cell in enumerate(found.ravel(order="F"))]
    return _put_together(cells, found.shape, what)


def _unwrap_cell(cell: Any, number: int, what: str) -> np.ndarray:
    if isinstance(cell, MatlabObject):
        raise DataError(cell.explain(f"{what}{{{number + 1}}}"))
    array = np.asarray(cell)
    if array.dtype.names or array.dtype.kind not in _NUMBERS + "U":
        inside = "a struct" if array.dtype.names else "a cell array"
        raise DataError(f"{what}{{{number + 1}}} is {inside}; expected numbers or texts")
    return array


def _put_together(cells: list[np.ndarray], shape: tuple[int, ...], what: str) -> np.ndarray:
    """Return an array of what stands in the cells; an empty cell among texts is no text, among numbers NaN."""
    texts = [cell.dtype.kind == "U" for cell in cells if cell.size and cell.tolist() != [""]]
    if any(texts) and not all(texts):
        odd = next(k for k, cell in enumerate(cells) if cell.size and cell.dtype.kind != "U")
        raise DataError(
            f"{what} holds texts and numbers: {what.rpartition(': ')[2]}{{{odd + 1}}} is {cells[odd].ravel()[0]}"
        )
    if any(texts) or not cells or all(cell.dtype.kind == "U" for cell in cells):
        cells = [cell if cell.size else np.array([""]) for cell in cells]
    else:
        cells = [cell if cell.size and cell.dtype.kind != "U" else np.array([np.nan]) for cell in cells]
    if all(cell.size == 1 for cell in cells):
        return np.array([cell.item() for cell in cells]).reshape(shape, order="F")
    sizes = sorted({cell.size for cell in cells})
    if len(sizes) > 1 or any(cell.size != max(cell.shape) for cell in cells):
        shapes = ", ".join(sorted({str(cell.shape) for cell in cells})[:3])
        raise DataError(f"{what}: its cells hold arrays of shapes {shapes}; expected a number, a text or a row each")
    return np.stack([cell.ravel() for cell in cells])
