"""NumPy and MATLAB arrays: whatever the order of dimensions, every value stands at its stimulus and neuron."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from brainmark.core import DataError
from brainmark.data.readers.matlab import mat_variable

DIMS = ("presentation", "neuroid", "repetition")
SAID = {"units": "spikes/s", "region": "V4", "subject": "Ada"}


def one(problems: tuple[str, ...], *words: str) -> str:
    """The one problem with all of these words."""
    hits = [p for p in problems if all(w in p for w in words)]
    assert len(hits) == 1, problems
    return hits[0]


def rates(neuroids: int = 3, repetitions: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(12, neuroids, repetitions))


@pytest.mark.parametrize("dims", list(permutations(DIMS)))
def test_dimensions_may_stand_in_any_order(lab: Any, dims: tuple[str, ...]) -> None:
    values = rates()
    np.savez(lab.folder / "r.npz", rates=values.transpose([DIMS.index(d) for d in dims]), ids=np.array(lab.ids))
    source = {"file": "r.npz", "values": "rates", "dims": list(dims), "coords": {"stimulus_id": "ids"}, **SAID}
    made = lab.prepared(source).measurement
    np.testing.assert_array_equal(made.values, values)
    assert made.coords["stimulus_id"].values.tolist() == lab.ids


def test_a_file_for_each_array(lab: Any) -> None:
    values = rates().astype(np.float32)
    np.save(lab.folder / "rates.npy", values[::-1])
    (lab.folder / "ids.txt").write_text("\n".join(lab.ids[::-1]) + "\n")
    lab.table("units.csv", {"name": ["a", "b", "c"], "area": ["V4", "IT", "IT"], "snr": [1.5, 2.5, 3.5]})
    coords = {
        "stimulus_id": "ids.txt",
        "neuroid_id": "units.csv#name",
        "region": "units.csv#area",
        "snr": "units.csv#snr",
    }
    source = {
        "file": "rates.npy",
        "values": "rates.npy",
        "dims": list(DIMS),
        "coords": coords,
        "units": "z",
        "subject": "A",
    }
    made = lab.prepared(source).measurement
    np.testing.assert_array_equal(made.values, values)
    assert made.dtype == np.float32
    assert made.coords["region"].values.tolist() == ["V4", "IT", "IT"] and made.coords["snr"].values.tolist() == [
        1.5,
        2.5,
        3.5,
    ]


def test_trials_that_were_not_made_are_nan(lab: Any) -> None:
    values = rates(repetitions=3)
    values[4, :, 1] = np.nan
    values[2, 1, 0] = np.nan
    np.savez(lab.folder / "r.npz", values=values, ids=lab.ids)
    source = {"file": "r.npz", "dims": list(DIMS), "coords": {"stimulus_id": "ids"}, **SAID}
    made = lab.prepared(source).measurement
    assert int(made.isnull().sum()) == 4
    assert np.isnan(made.values[4, :, 2]).all(), "the two trials that were made stand first"
    np.testing.assert_array_equal(made.values[4, :, 1], values[4, :, 2])


def test_time_bins(lab: Any) -> None:
    values = np.random.default_rng(1).normal(size=(3, 4, 12))
    np.savez(lab.folder / "r.npz", values=values, ids=lab.ids)
    source = {
        "file": "r.npz",
        "dims": ["neuroid", "time_bin", "presentation"],
        "coords": {"stimulus_id": "ids"},
        **SAID,
    }
    one(lab.refused(source), "the times of 4 time bins are missing")
    one(lab.refused({**source, "time_bins": [[0, 10]]}), "1 time_bins are named, 4 are in the array")
    bins = [[0, 10], [10, 20], [20, 40], [40, 80]]
    made = lab.prepared({**source, "time_bins": bins}).measurement
    np.testing.assert_array_equal(made.values, values.transpose(2, 0, 1))
    assert made.coords["time_bin_end"].values.tolist() == [10, 20, 40, 80]
    seconds = [[a / 1000, b / 1000] for a, b in bins]
    one(lab.refused({**source, "time_bins": seconds}), "look like seconds")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": "rate"}, "has no array 'rate' among values, ids, few"),
        ({"dims": []}, "what lies along each dimension is missing"),
        ({"dims": ["presentation", "neuron", "repetition"]}, "dims has 'neuron'"),
        ({"dims": ["presentation", "neuroid"]}, "expected numbers along presentation, neuroid"),
        ({"coords": {}}, "the stimulus of each presentation is missing"),
        ({"coords": {"stimulus_id": "few"}}, "11 values of stimulus_id for 12 presentations"),
        ({"coords": {"stimulus_id": "ids", "region": "few"}}, "11 values of region for 3 neuroids"),
        ({"values": "ids"}, "expected numbers"),
        ({"file": "broken.npz"}, "cannot be read"),
    ],
)
def test_arrays_that_do_not_fit_are_named(lab: Any, changes: dict[str, Any], words: str) -> None:
    np.savez(lab.folder / "r.npz", values=rates(), ids=lab.ids, few=lab.ids[:11])
    (lab.folder / "broken.npz").write_bytes(b"PK broken")
    source = {"file": "r.npz", "dims": list(DIMS), "coords": {"stimulus_id": "ids"}, **SAID, **changes}
    assert any(words in p for p in lab.refused(source))


# --- MATLAB ----------------------------------------------------------------------------------------------------------


def write_old(path: Path, values: np.ndarray, names: list[str]) -> None:
    cells = np.empty((1, len(names)), object)
    cells[0] = names
    savemat(path, {"data": {"rates": values, "images": cells}, "areas": np.array(["V4", "IT", "V4"]), "k": 3.0})


def write_new(path: Path, values: np.ndarray, names: list[str]) -> None:
    """MATLAB 7.3 as MATLAB writes it: dimensions in reverse, texts as numbers behind references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        data = file.create_group("data")
        data.create_dataset("rates", data=values.T).attrs["MATLAB_class"] = np.bytes_("double")
        references = np.empty((len(names), 1), h5py.ref_dtype)
        for k, name in enumerate(names):
            text = file.create_dataset(f"#refs#/t{k}", data=np.array([[ord(c)] for c in name], np.uint16))
            text.attrs["MATLAB_class"] = np.bytes_("char")
            references[k, 0] = text.ref
        cells = data.create_dataset("images", data=references, dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
        areas = file.create_dataset(
            "areas", data=np.array([[ord(c) for c in a] for a in ("V4", "IT", "V4")], np.uint16).T
        )
        areas.attrs["MATLAB_class"] = np.bytes_("char")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


@pytest.mark.parametrize("write", [write_old, write_new])
def test_matlab_files_of_all_versions(lab: Any, write: Any) -> None:
    values = rates()
    write(lab.folder / "r.mat", values, lab.ids)
    coords = {"stimulus_id": "data.images", "region": "areas"}
    source = {
        "file": "r.mat",
        "values": "data.rates",
        "dims": list(DIMS),
        "coords": coords,
        "units": "z",
        "subject": "A",
    }
    made = lab.prepared(source).measurement
    np.testing.assert_array_equal(made.values, values)
    assert made.coords["stimulus_id"].values.tolist() == lab.ids
    assert made.coords["region"].values.tolist() == ["V4", "IT", "V4"]
    one(lab.refused({**source, "values": "data.rate"}), "rate")
    one(lab.refused({**source, "values": "nothing"}), "no variable 'nothing'")


@pytest.mark.parametrize("write", [write_old, write_new])
def test_a_struct_is_no_array(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "r.mat", rates(), ["a"] * 12)
    with pytest.raises(DataError, match=r"struct|neither numbers nor texts"):
        mat_variable(tmp_path / "r.mat", "data")


@pytest.mark.parametrize("content", [b"", b"MATLAB 7.3 MAT-file but nothing else", b"\x89HDF broken", b"x" * 300])
def test_damaged_matlab_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"r\.mat"):
        mat_variable(tmp_path / "r.mat", "x")


# --- dissimilarities -------------------------------------------------------------------------------------------------


def distances(subjects: int) -> np.ndarray:
    patterns = np.random.default_rng(2).normal(size=(subjects, 12, 5))
    return np.stack([1 - np.corrcoef(p) for p in patterns])


def test_dissimilarities_in_the_order_of_the_stimuli(lab: Any) -> None:
    cube = distances(4)
    order = np.random.default_rng(0).permutation(12)
    np.savez(lab.folder / "d.npz", values=cube[:, order][:, :, order], ids=np.array(lab.ids)[order], who=list("abcd"))
    coords = {"stimulus_id": "ids", "subject": "who"}
    source = {"file": "d.npz", "kind": "dissimilarity", "coords": coords, "region": "IT"}
    made = lab.prepared(source)
    np.testing.assert_allclose(made.measurement.transpose("subject", "presentation", "other").values, cube)
    assert made.card.kind == "dissimilarity" and made.card.regions == ("IT",)
    last = {**source, "file": "e.npz"}
    np.savez(lab.folder / "e.npz", values=np.moveaxis(cube, 0, 2), ids=lab.ids, who=list("abcd"))
    assert lab.prepared(last).measurement.identical(made.measurement)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d[0, 3].__setitem__(4, 9), "not symmetric"),
        (lambda d: d.resize((4, 12, 11), refcheck=False), "expected dissimilarities of 12 stimuli"),
    ],
)
def test_dissimilarities_that_are_none(lab: Any, change: Any, words: str) -> None:
    cube = distances(4).copy()
    change(cube)
    np.savez(lab.folder / "d.npz", values=cube, ids=lab.ids)
    source = {"file": "d.npz", "kind": "dissimilarity", "coords": {"stimulus_id": "ids"}, "region": "IT"}
    one(lab.refused(source), words)
