"""Scores that earlier versions kept as files come into the store once, as history, and stay where they were."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainmark.core.score import Score, Stamp
from brainmark.store.old_files import take_old_files
from brainmark.store.queries import list_history, list_latest
from brainmark.store.results import ResultStore, key_of

STAMP = Stamp("2026-01-02T00:00:00+00:00", "0.0.9", None, "c" * 64, "3.11", {}, {}, "e", "t", "m", 0, 1.5, 10**6)


def make(value: float, model: str = "resnet") -> Score:
    units = xr.Dataset({"raw": ("neuroid", np.linspace(0, 1, 4))}, coords={"neuroid_id": ("neuroid", np.arange(4))})
    return Score("X.V4-m", model, value, value, 1.0, (value - 0.1, value + 0.1), units=units, stamp=STAMP,
                 draws=np.linspace(0, 1, 5))  # fmt: skip


def pack(score: Score) -> bytes:
    assert score.units is not None
    return bytes(score.units.assign({"draws": ("draws", score.draws)}).to_netcdf(engine="h5netcdf"))


def write_record(folder: Path, score: Score, name: str = "a" * 64) -> Path:
    head = json.dumps({"key": name, "depends_on": {"code of brainmark": "c" * 64, "numpy": "2.0"}})
    body = f"{head}\n{json.dumps(score.to_dict())}\n".encode() + pack(score)
    path = folder / name[:2] / name / "0123456789abcdef.score"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"brainmark-score-2 " + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    return path


def write_json(folder: Path, score: Score, name: str = "b" * 64) -> Path:
    path = folder / name[:2] / f"{name}.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(score.to_dict()))
    path.with_suffix(".nc").write_bytes(pack(score))
    return path


@pytest.mark.parametrize("called", ["results", "scores"])
def test_old_files_are_history_once_and_stay(store: ResultStore, tmp_path: Path, called: str) -> None:
    folder = tmp_path / called
    store.put({"metric m: version": "1"}, make(0.9))  # before the folder was found
    write_record(folder, make(0.3))
    write_json(folder, make(0.2, "alexnet"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.warns(UserWarning, match=rf"^2 scores of an earlier version, in .*{called}, taken into the store as"):
        take_old_files(store, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        take_old_files(store, tmp_path)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [(row.model, row.value) for row in list_latest(store)] == [("resnet", 0.9), ("alexnet", 0.2)]
    history = list_history(store, "resnet", "X.V4-m")
    assert [row.value for row in history] == [0.3, 0.9]
    assert history[0].created == STAMP.created
    assert store.get(key_of("alexnet", "X.V4-m", "committed"), {"metric m: version": "1"}) is None
    with xr.load_dataset(store.read_arrays(history[0].arrays), engine="h5netcdf") as held:
        assert held["raw"].values.tolist() == np.linspace(0, 1, 4).tolist()


def test_damaged_files_are_told_and_left_out(store: ResultStore, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    write_json(folder, make(0.2, "alexnet"))
    cut = write_record(folder, make(0.3))
    cut.write_bytes(cut.read_bytes()[:-1])
    (folder / "cc").mkdir()
    (folder / "cc" / "odd.json").write_text("[1, 2")
    (folder / "cc" / "list.json").write_text("[1, 2]")
    with pytest.warns(UserWarning, match=r"^1 score .*; 3 damaged files left out, such as aa/"):
        take_old_files(store, tmp_path)
    assert [row.model for row in list_latest(store)] == ["alexnet"]


def test_a_home_without_old_files_is_silent(store: ResultStore, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        take_old_files(store, tmp_path)
        (tmp_path / "results").mkdir()
        take_old_files(store, tmp_path)
    assert list_latest(store) == []
