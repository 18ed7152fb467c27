"""NumPy files: bytes are text, and arrays of another shape or type than expected are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainmark.core.errors import DataError
from brainmark.data.readers.arrays import array_of, npy_of, npz_of


def test_bytes_in_numpy_files_are_text(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", ids=np.array([b"a", b"b"]))
    np.save(tmp_path / "a.npy", np.array([b"V4"]))
    assert npz_of(tmp_path / "a.npz", "ids").tolist() == ["a", "b"]
    assert npy_of(tmp_path / "a.npy").tolist() == ["V4"]


def test_arrays_that_are_not_as_expected(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", rates=np.zeros(3))
    with pytest.raises(DataError, match=r"a\.npz: has no array 'rate' among rates; did you mean 'rates'"):
        npz_of(tmp_path / "a.npz", "rate")
    np.save(tmp_path / "a.npy", np.zeros(3))
    assert array_of(tmp_path / "a.npy", (3,)).tolist() == [0, 0, 0]
    with pytest.raises(DataError, match=r"holds float64 \(3,\); expected numbers of shape \(2,\)"):
        array_of(tmp_path / "a.npy", (2,))
