"""The format of Brain-Score's data: both directions, and everything that can be wrong with a file."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.brainscore import brainio
from brainmark.core import DataError, InvalidMeasurement, InvalidStimuli, Stimuli, check_measurement

NAMES = ["c.im", "a.im", "b.im", "d.im"]


def stimuli(rows: int = 4) -> Stimuli:
    generator = np.random.default_rng(0)
    media = tuple(generator.integers(0, 255, (6, 5, 3), dtype=np.uint8) for _ in range(rows))
    table = pd.DataFrame({"object_name": ["x", "y"] * (rows // 2), "size": np.arange(rows) / 7}, index=NAMES[:rows])
    return Stimuli("toy", "image", table.rename_axis("stimulus_id"), media)


def recording(repetitions: int = 3, bins: int = 2) -> xr.DataArray:
    """Rates in a random order of trials; the first stimulus lacks its last trial."""
    generator = np.random.default_rng(1)
    rows = [(s, r) for r in range(repetitions) for s in range(4) if (s, r) != (0, repetitions - 1)]
    rows = [rows[k] for k in generator.permutation(len(rows))]
    return xr.DataArray(
        generator.normal(size=(len(rows), 3, bins)),
        dims=("presentation", "neuroid", "time_bin"),
        coords={
            "image_id": ("presentation", [NAMES[s] for s, _ in rows]),
            "repetition": ("presentation", [r + 5 for _, r in rows]),
            "neuroid_id": ("neuroid", [1, 2, 1]),
            "region": ("neuroid", ["V4", "V4", "IT"]),
            "time_bin_start": ("time_bin", 10 * np.arange(bins)),
            "time_bin_end": ("time_bin", 10 * np.arange(bins) + 10),
        },
    )


def written(folder: Path) -> xr.DataArray:
    brainio.write_assembly(recording(), folder / "a.nc")
    return brainio.read_assembly(folder / "a.nc")


def test_an_assembly_survives_the_file_value_for_value(tmp_path: Path) -> None:
    read, given = written(tmp_path), recording()
    assert (read.values == given.values).all()
    for name, coordinate in given.coords.items():
        assert read.coords[name].dims == coordinate.dims
        assert (read.coords[name].values == coordinate.values).all()
    assert (read.coords["stimulus_id"].values == given.coords["image_id"].values).all(), "the old name is understood"


def test_trials_stand_along_repetition_in_sorted_order_of_stimuli(tmp_path: Path) -> None:
    measurement = check_measurement(brainio.measurement_of(brainio.merge(written(tmp_path), stimuli())))
    assert measurement.dims == ("presentation", "neuroid", "time_bin", "repetition")
    assert measurement.coords["stimulus_id"].values.tolist() == sorted(NAMES)
    assert measurement.coords["repetition"].values.tolist() == [5, 6, 7]
    assert measurement.coords["neuroid_id"].values.tolist() == ["V4/1", "V4/2", "IT/1"], "shared by two regions"
    assert measurement.coords["object_name"].values.tolist() == ["y", "x", "x", "y"], "merged from the table"
    given = recording()
    for row, (name, number) in enumerate(zip(given.image_id.values, given.repetition.values, strict=True)):
        cell = measurement.isel(presentation=sorted(NAMES).index(name), repetition=int(number) - 5)
        assert (cell.values == given.values[row]).all()
    assert int(measurement.isnull().sum()) == 6, "one trial of one stimulus was not made"


def test_a_measurement_comes_back_from_the_file(tmp_path: Path) -> None:
    measurement = brainio.measurement_of(brainio.merge(written(tmp_path), stimuli()))
    brainio.write_assembly(measurement, tmp_path / "b.nc")
    again = brainio.measurement_of(brainio.read_assembly(tmp_path / "b.nc"))
    xr.testing.assert_equal(again, measurement)


def test_a_single_time_bin_comes_back_from_the_file(tmp_path: Path) -> None:
    measurement = brainio.measurement_of(brainio.merge(_aliased(recording(bins=1)), stimuli()))
    assert measurement.dims == ("presentation", "neuroid", "repetition")
    assert measurement.attrs["time_bin_end"] == 10
    brainio.write_assembly(measurement, tmp_path / "b.nc")
    read = brainio.read_assembly(tmp_path / "b.nc")
    assert read.sizes["time_bin"] == 1
    xr.testing.assert_identical(brainio.measurement_of(read), measurement)


def _aliased(assembly: xr.DataArray) -> xr.DataArray:
    return assembly.assign_coords(stimulus_id=assembly.image_id)


def test_repetitions_that_repeat_are_numbered_anew() -> None:
    given = _aliased(recording())
    given.coords["repetition"].values[:] = 0
    measurement = brainio.measurement_of(given)
    assert measurement.sizes["repetition"] == 3
    assert int(measurement.notnull().sum()) == given.size, "no trial is lost"


def test_stimuli_survive_the_files_bit_by_bit(tmp_path: Path) -> None:
    given = stimuli()
    hashes = brainio.write_stimuli(given, tmp_path / "s.csv", tmp_path / "s.zip")
    read = brainio.read_stimuli(tmp_path / "s.csv", tmp_path / "s.zip", "toy")
    assert read.digest == given.digest
    assert read.table["size"].tolist() == given.table["size"].tolist()
    assert brainio.write_stimuli(given, tmp_path / "t.csv", tmp_path / "t.zip") == hashes, "equal bytes"
    assert hashes[1] == hashlib.sha1((tmp_path / "s.zip").read_bytes()).hexdigest()


@pytest.mark.parametrize("change", ["member missing", "member more", "no filename", "twice"])
def test_table_and_archive_agree_exactly(tmp_path: Path, change: str) -> None:
    brainio.write_stimuli(stimuli(), tmp_path / "s.csv", tmp_path / "s.zip")
    rows = pd.read_csv(tmp_path / "s.csv")
    expected = {
        "member missing": r"lacks 1 of its files, e\.g\. 'gone\.png'",
        "member more": r"holds 1 that are not in the table, e\.g\. 'more\.png'",
        "no filename": "no column 'filename'",
        "twice": "stands 2 times",
    }[change]
    if change == "member missing":
        rows = pd.concat([rows, rows.iloc[:1].assign(stimulus_id="z", filename="gone.png")])
    elif change == "member more":
        with zipfile.ZipFile(tmp_path / "s.zip", "a") as archive:
            archive.writestr("more.png", b"")
    elif change == "no filename":
        rows = rows.drop(columns="filename")
    else:
        rows = pd.concat([rows, rows.iloc[:1]])
    rows.to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(InvalidStimuli, match=expected):
        brainio.read_stimuli(tmp_path / "s.csv", tmp_path / "s.zip", "toy")


def test_choices_keep_who_chose_what_and_what_was_offered() -> None:
    rows = [("a.im", "dog", "cat", "dog"), ("b.im", "cat", "bear", "bear"), ("a.im", "dog", "bear", "dog")]
    coords = {
        name: ("presentation", [row[k] for row in rows])
        for k, name in enumerate(("stimulus_id", "sample_obj", "dist_obj"))
    }
    trials = xr.DataArray([row[3] for row in rows], dims="presentation", coords=coords)
    found = check_measurement(brainio.measurement_of(trials))
    assert found.dims == ("presentation", "choice", "repetition")
    assert found.coords["choice"].values.tolist() == ["bear", "cat", "dog"]
    nan = np.nan
    expected = [[[nan, 0, 1], [0, nan, 1]], [[1, 0, nan], [nan, nan, nan]]]
    np.testing.assert_array_equal(found.transpose("presentation", "repetition", "choice").values, expected)
    assert found.coords["trial"].values[0].tolist() == [0, 2], "where each trial stood"


def test_each_person_once_stands_along_subject() -> None:
    coords = {"stimulus_id": ["a", "b", "b", "a"], "subject": ["p2", "p1", "p2", "p1"], "truth": ["x", "y", "y", "x"]}
    trials = xr.DataArray(
        ["x", "x", "y", "z"], dims="presentation", coords={k: ("presentation", v) for k, v in coords.items()}
    )
    found = check_measurement(brainio.measurement_of(trials))
    assert found.dims == ("presentation", "choice", "subject")
    assert found.coords["subject"].values.tolist() == ["p1", "p2"]
    chosen = found.coords["choice"].values[found.argmax("choice").values]
    assert chosen.tolist() == [["z", "x"], ["x", "y"]]


def test_what_is_no_recording_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.nc").write_bytes(b"hello")
    with pytest.raises(DataError, match="is no netCDF file"):
        brainio.read_assembly(tmp_path / "x.nc")
    with pytest.raises(InvalidMeasurement, match="no coordinate 'region' along neuroid"):
        brainio.measurement_of(_aliased(recording()).drop_vars("region"))
    with pytest.raises(InvalidMeasurement, match="read it with read_assembly"):
        brainio.measurement_of(xr.DataArray(np.ones(3), dims="neuroid"))
    with pytest.raises(InvalidMeasurement, match=r"2 stimuli of the assembly are not in .*'b\.im'"):
        brainio.merge(_aliased(recording()), stimuli(2))


# --- from the bucket -------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; no mirror; no proxy between this machine and itself."""
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BRAINMARK_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path / "home"


def test_identifiers_are_names_whatever_they_look_like(tmp_path: Path) -> None:
    ids = ["NA", "01", "null", "nan"]
    named = stimuli().table.set_axis(pd.Index(ids, name="stimulus_id"))
    shown = Stimuli("toy", "image", named, stimuli().media)
    brainio.write_stimuli(shown, tmp_path / "s.csv", tmp_path / "s.zip")
    read = brainio.read_stimuli(tmp_path / "s.csv", tmp_path / "s.zip", "toy")
    assert read.ids.tolist() == ids
    assert read.digest == shown.digest
    assert read.table["size"].dtype.kind == "f"


def test_an_assembly_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = brainio.write_assembly(recording(), tmp_path / "a.nc")

    def half(dataset: xr.Dataset, path: Path, **_: object) -> None:
        Path(path).write_bytes(b"\x89HDF")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", half)
    with pytest.raises(DataError, match=r"cannot write .*a\.nc: No space left"):
        brainio.write_assembly(recording() + 1, tmp_path / "a.nc")
    assert hashlib.sha1((tmp_path / "a.nc").read_bytes()).hexdigest() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_a_trial_in_which_some_neuroids_were_not_measured_is_kept() -> None:
    measured = brainio.measurement_of(recording().assign_coords(stimulus_id=recording().coords["image_id"]))
    measured[1, 2, :, 0] = np.nan  # one neuroid of one trial
    trials = brainio.assembly_of(measured)
    assert trials.sizes["presentation"] == recording().sizes["presentation"]
    again = brainio.measurement_of(trials)
    np.testing.assert_array_equal(again.values, measured.transpose(*again.dims).values)
