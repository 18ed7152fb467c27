from __future__ import annotations

import errno
import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from brainmark.core import ControlScore, DataError, Score
from brainmark.data.writing import write_whole
from brainmark.store.results import ResultStore

KEY = "ab" + "0" * 62


@pytest.fixture
def score() -> Score:
    units = xr.Dataset({"raw": ("neuroid", [0.1, 0.2, np.nan])}, coords={"neuroid_id": ("neuroid", ["a", "b", "c"])})
    controls = {"shuffled": ControlScore(0.01, 0.008)}
    return Score("X.V4-m", "me", 0.5, 0.4, 0.8, (0.4, 0.6), units=units, controls=controls, notes=("careful",))


def test_a_score_comes_back_whole(tmp_path, score):
    store = ResultStore(tmp_path)
    assert store.get(KEY) is None
    store.put(KEY, score)
    again = store.get(KEY)
    assert again is not None
    assert again.to_dict() == score.to_dict()
    xr.testing.assert_identical(again.units, score.units)


def test_draws_come_back_beside_the_units(tmp_path, score):
    drawn = replace(score, draws=np.array([0.4, np.nan, 0.6]))
    store = ResultStore(tmp_path)
    store.put(KEY, drawn)
    again = store.get(KEY)
    assert again is not None
    np.testing.assert_array_equal(again.draws, drawn.draws)
    xr.testing.assert_identical(again.units, score.units)


def test_a_damaged_record_counts_as_none(tmp_path, score):
    store = ResultStore(tmp_path)
    record = store.put(KEY, score)
    record.write_text(record.read_text()[:-20])
    assert store.get(KEY) is None
    record.write_text(json.dumps({"value": 1}))
    assert store.get(KEY) is None
    record.write_text(json.dumps({**score.to_dict(), "controls": []}))
    assert store.get(KEY) is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # h5netcdf closes what it never opened
def test_damaged_units_count_as_none_wherever_the_damage_is(tmp_path, score):
    store = ResultStore(tmp_path)
    units = store.put(KEY, score).with_suffix(".nc")
    content, lost = units.read_bytes(), 0
    for place in range(0, len(content), 60):
        units.write_bytes(
            content[:place] + bytes(b ^ 0x55 for b in content[place : place + 12]) + content[place + 12 :]
        )
        lost += store.get(KEY) is None
    assert lost > 20
    units.write_bytes(content)
    assert store.get(KEY) is not None


def test_a_folder_that_cannot_be_written_is_named(tmp_path, score):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(DataError, match=r"cannot store the score of me on X\.V4-m in .*BRAINMARK_HOME"):
        ResultStore(blocked).put(KEY, score)


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_whole(path, b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_bytes() == b"old"
