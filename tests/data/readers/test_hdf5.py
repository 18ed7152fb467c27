"""HDF5 files hold all of their values themselves; what lies in other files is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from brainmark.core.errors import DataError
from brainmark.data.readers.hdf5 import hdf5_of, is_hdf5, open_hdf5


def external(file: Any) -> None:
    file.create_dataset("values", (3,), "f4", external=[("raw.bin", 0, 12)])


def linked(file: Any) -> None:
    file["group/values"] = h5py.ExternalLink("other.h5", "/values")


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "values", (3,))
    file.create_virtual_dataset("values", layout)


@pytest.mark.parametrize("make", [external, linked, virtual])
@pytest.mark.parametrize("verified", [True, False])
def test_values_in_another_file_are_refused(tmp_path: Path, make: Any, verified: bool) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        make(file)
    words = r"a\.h5.*/values .*the file '(raw\.bin|other\.h5)'; values that lie in another"
    with pytest.raises(DataError, match=words), open_hdf5(tmp_path / "a.h5", verified=verified):
        pass


def test_links_inside_a_file_are_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["values"] = np.arange(3)
        file["again"] = h5py.SoftLink("/values")
        file["group/whole"] = file["/"]  # a circle
        file["nothing"] = h5py.SoftLink("/nowhere")
    with open_hdf5(tmp_path / "a.h5") as file:
        assert file["again"][:].tolist() == [0, 1, 2]
    assert is_hdf5(tmp_path / "a.h5")


def test_arrays_by_name_and_text_in_bytes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data/rates"] = np.arange(6.0).reshape(2, 3)
        file["data/ids"] = np.array([b"a", b"b"])
        file["data/names"] = ["Caf\u00e9", "b"]
        file["data/areas"] = np.array([1, 0], dtype=h5py.enum_dtype({"V4": 0, "IT": 1}))
        file["data/pairs"] = np.zeros(2, [("x", "f4"), ("y", "f4")])
    assert hdf5_of(tmp_path / "a.h5", "data/rates").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert hdf5_of(tmp_path / "a.h5", "data/ids").tolist() == ["a", "b"]
    assert hdf5_of(tmp_path / "a.h5", "data/areas").tolist() == ["IT", "V4"]
    assert hdf5_of(tmp_path / "a.h5", "data/names").tolist() == ["Caf\u00e9", "b"]
    for name, words in (
        ("data/rate", "did you mean 'data/rates'"),
        ("data", "no data set"),
        ("data/pairs", "expected numbers"),
    ):
        with pytest.raises(DataError, match=words):
            hdf5_of(tmp_path / "a.h5", name)
