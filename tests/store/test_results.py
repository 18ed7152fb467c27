from __future__ import annotations

import errno
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from brainmark.core import ControlScore, DataError, Score
from brainmark.data.writing import write_whole
from brainmark.store.results import ResultStore

KEY = "ab" + "0" * 62
ON = {"model me": "1" * 64, "numpy": "2.1"}


@pytest.fixture
def score() -> Score:
    units = xr.Dataset({"raw": ("neuroid", [0.1, 0.2, np.nan])}, coords={"neuroid_id": ("neuroid", ["a", "b", "c"])})
    controls = {"shuffled": ControlScore(0.01, 0.008)}
    return Score("X.V4-m", "me", 0.5, 0.4, 0.8, (0.4, 0.6), units=units, controls=controls, notes=("careful",))


def test_a_score_comes_back_whole(tmp_path, score):
    store = ResultStore(tmp_path)
    assert store.get(KEY, ON) is None
    store.put(KEY, ON, score)
    again = store.get(KEY, ON)
    assert again is not None
    assert again.to_dict() == score.to_dict()
    xr.testing.assert_identical(again.units, score.units)


def test_draws_come_back_beside_the_units(tmp_path, score):
    drawn = replace(score, draws=np.array([0.4, np.nan, 0.6]))
    store = ResultStore(tmp_path)
    store.put(KEY, ON, drawn)
    again = store.get(KEY, ON)
    assert again is not None
    np.testing.assert_array_equal(again.draws, drawn.draws)
    xr.testing.assert_identical(again.units, score.units)


def test_a_damaged_record_counts_as_none_and_a_warning_says_so(tmp_path, score):
    store = ResultStore(tmp_path)
    record = store.put(KEY, ON, score)
    record.write_bytes(record.read_bytes()[:-20])
    with pytest.warns(UserWarning, match=f"left out: {record}: is damaged"):
        assert store.get(KEY, ON) is None
    assert store.find_changes(KEY, ON) == ()


def test_a_score_holds_as_long_as_what_it_depends_on_is_as_it_was(tmp_path, score):
    store = ResultStore(tmp_path)
    store.put(KEY, ON, score)
    assert store.get(KEY, {**ON, "torch": "2.9"}) is not None
    assert store.get(KEY, {**ON, "numpy": "2.2"}) is None
    assert store.find_changes(KEY, {**ON, "numpy": "2.2"}) == ("numpy was 2.1, now 2.2",)
    store.put(KEY, {**ON, "numpy": "2.2"}, replace(score, value=0.75))
    assert [store.get(KEY, {**ON, "numpy": v}).value for v in ("2.1", "2.2")] == [0.5, 0.75]


def test_a_number_that_is_not_finite_is_not_kept(tmp_path, score):
    with pytest.raises(DataError, match="a number of it is not finite"):
        ResultStore(tmp_path).put(KEY, ON, replace(score, interval=(0.4, np.inf)))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path, score):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(DataError, match=r"cannot store the score of me on X\.V4-m in .*BRAINMARK_HOME"):
        ResultStore(blocked).put(KEY, ON, score)


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
