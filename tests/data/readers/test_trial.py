"""A file that makes its reader loop or crash is refused in one line; our process goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import pytest

from brainmark.core.errors import DataError
from brainmark.data.readers import trial
from brainmark.data.readers.hdf5 import open_hdf5


def loop_for_ever(_: str) -> None:
    """Do what HDF5 does with some damaged files."""
    while True:
        pass


def end_the_process(_: str) -> None:
    """Do what SciPy does with some damaged files."""
    os.abort()


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A helper process that finds the readers of this file."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr(loop_for_ever, "__module__", "test_trial")
    monkeypatch.setattr(end_the_process, "__module__", "test_trial")
    made = trial._Helper()
    monkeypatch.setattr(trial, "_helper", made)
    yield made
    made.stop()


def test_a_reader_that_never_ends_is_stopped(helper: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.h5").write_bytes(b"x")
    monkeypatch.setattr(trial, "SECONDS", 3.0)
    with pytest.raises(DataError, match=r"a\.h5: cannot be read as HDF5: it is not read within 3 s"):
        trial.try_reading(tmp_path / "a.h5", loop_for_ever, "HDF5")


def test_a_reader_that_ends_the_process_ends_not_ours(helper: Any, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a\.mat: cannot be read as MATLAB: it ends the process that reads it"):
        trial.try_reading(tmp_path / "a.mat", end_the_process, "MATLAB")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["a"] = 1
    with open_hdf5(tmp_path / "b.h5") as file:  # the helper is there again
        assert file["a"][()] == 1
