"""BIDS: copies of one run are no further trials, run-1 is run-01, and times come from what states them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainmark.data.packaging import Problems, Session, parse_description
from brainmark.data.packaging.sessions import check_session, check_together

nibabel = pytest.importorskip("nibabel")

IDS = list("abcdef")
STEP = 2.0
SERIES = {"format": "bids", "events": "sub-{sub}/func/*_events.tsv", "units": "z", "windows": [[4000, 8000]]}
BETAS = {"format": "bids", "events": "sub-{sub}/func/*_events.tsv", "units": "percent"}
VALUES = np.arange(40.0).reshape(20, 2)
EXPECTED = [VALUES[2 * k + 2 : 2 * k + 4].mean(axis=0).tolist() for k in range(6)]  # an event every 4 s


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def put_events(base: Path, name: str = "sub-01_task-x_run-01_events.tsv", scale: float = 1) -> None:
    rows = "".join(f"{4 * k * scale:g}\t1\t{one}.png\n" for k, one in enumerate(IDS))
    put(base / "sub-01/func" / name, "onset\tduration\tstim_file\n" + rows)


def put_series(base: Path, name: str = "sub-01_task-x_run-01_timeseries", sidecar: Any = None) -> None:
    folder = base / "derivatives/sub-01/func"
    put(folder / f"{name}.tsv", "V1_1\tV1_2\n" + "".join(f"{a:g}\t{b:g}\n" for a, b in VALUES))
    put(folder / f"{name}.json", json.dumps({"RepetitionTime": STEP} if sidecar is None else sidecar))


def read(base: Path, **source: Any) -> tuple[list[Session], list[str]]:
    """Read all files of a description; the sessions, and what is said of them."""
    told = parse_description({"recording": {"file": "derivatives/sub-*/func/*_timeseries.tsv*", **source}}, "lab.toml")
    problems = Problems("the data set")
    paths = told.recording[0].files(base, problems)
    sessions = [problems.attempt(told.recording[0].read, path, base, problems) for path in paths]
    return [s for s in sessions if s is not None], list(problems.found)


def refuse(base: Path, **source: Any) -> str:
    """Read; the only problem."""
    _, found = read(base, **source)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("run", ["1", "01", "001"])
@pytest.mark.parametrize("pattern", ["sub-{sub}/func/*_events.tsv", "sub-{sub}/func/*_run-{run}_events.tsv"])
def test_run_1_is_run_01(tmp_path: Path, run: str, pattern: str) -> None:
    put_events(tmp_path)
    put_series(tmp_path, f"sub-01_task-x_run-{run}_timeseries")
    ((made,), found) = read(tmp_path, **{**SERIES, "events": pattern})
    assert found == [] and made.values.tolist() == EXPECTED


COPIES = {
    "space": ("space-T1w", "space-MNI152"), "res": ("res-1", "res-2"), "desc": ("desc-raw", "desc-clean"),
    "echo": ("echo-1", "echo-2"), "part": ("part-mag", "part-phase"), "acq": ("acq-a", "acq-b"),
    "dir": ("dir-AP", "dir-PA"), "den": ("den-32k", "den-91k"), "rec": ("rec-1", "rec-2"),
}  # fmt: skip


@pytest.mark.parametrize("entity", COPIES)
def test_copies_of_a_run_are_no_trials(tmp_path: Path, entity: str) -> None:
    put_events(tmp_path)
    for said in COPIES[entity]:
        put_series(tmp_path, f"sub-01_task-x_run-01_{said}_timeseries")
    message = refuse(tmp_path, **SERIES)
    assert f"2 files hold the same run and differ in {entity}" in message and f"entities.{entity} = " in message
    value = COPIES[entity][0].partition("-")[2]
    sessions, found = read(tmp_path, **SERIES, entities={entity: value})
    assert found == [] and len(sessions) == 1
    assert "is in the name of no file" in refuse(tmp_path, **SERIES, entities={entity: "other"})
    assert "no part of the names" in read(tmp_path, **SERIES, entities={"spac": "x"})[1][0]


def test_acquisitions_with_events_of_their_own_are_two_runs(tmp_path: Path) -> None:
    for said in ("acq-a", "acq-b"):
        put_events(tmp_path, f"sub-01_task-x_{said}_events.tsv")
        put_series(tmp_path, f"sub-01_task-x_{said}_timeseries")
    sessions, found = read(tmp_path, **SERIES)
    assert found == [] and len(sessions) == 2


# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sidecar", "source"),
    [
        ({"RepetitionTime": 2, "StartTime": None}, {}),
        ({"SamplingFrequency": 0.5}, {}),
        ({}, {"repetition_time": 2.0}),
        ({"RepetitionTime": 2.0}, {"repetition_time": 2.0}),
        ({"VolumeTiming": [2.0 * k for k in range(20)]}, {}),
    ],
)
def test_what_states_the_times_of_samples(tmp_path: Path, sidecar: Any, source: Any) -> None:
    put_events(tmp_path)
    put_series(tmp_path, sidecar=sidecar)
    ((made,), found) = read(tmp_path, **SERIES, **source)
    assert found == [] and made.values.tolist() == EXPECTED


@pytest.mark.parametrize(
    ("sidecar", "source", "words"),
    [
        ({}, {}, "say repetition_time"),
        ({"RepetitionTime": [2.0]}, {}, r"RepetitionTime in its sidecar is [2.0]"),
        ({"RepetitionTime": "n/a"}, {}, "RepetitionTime in its sidecar is 'n/a'"),
        ({"RepetitionTime": True}, {}, "RepetitionTime in its sidecar is True"),
        ({"RepetitionTime": 2000}, {}, "looks like ms"),
        ({"SamplingFrequency": 0}, {}, "SamplingFrequency in its sidecar is 0"),
        ({"RepetitionTime": 2, "SamplingFrequency": 0.4}, {}, "times between samples differ"),
        ({"RepetitionTime": 2, "StartTime": "0"}, {}, "StartTime in its sidecar is '0'"),
        ({"RepetitionTime": 2}, {"repetition_time": 1.5}, "times between samples differ"),
        ({"VolumeTiming": [0, 2, 4]}, {}, "VolumeTiming"),
        ({"VolumeTiming": 2}, {}, "VolumeTiming"),
    ],
)
def test_times_that_are_not_stated_or_not_possible(tmp_path: Path, sidecar: Any, source: Any, words: str) -> None:
    put_events(tmp_path)
    put_series(tmp_path, sidecar=sidecar)
    assert words in refuse(tmp_path, **SERIES, **source)


def test_onsets_in_milliseconds(tmp_path: Path) -> None:
    put_events(tmp_path, scale=1000)
    put_series(tmp_path)
    assert 'look like ms: say time_unit = "ms"' in refuse(tmp_path, **SERIES)
    ((made,), found) = read(tmp_path, **SERIES, time_unit="ms")
    assert found == [] and made.values.tolist() == EXPECTED


def test_a_sidecar_with_a_mark_or_with_damage(tmp_path: Path) -> None:
    put_events(tmp_path)
    put_series(tmp_path)
    path = tmp_path / "derivatives/sub-01/func/sub-01_task-x_run-01_timeseries.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(tmp_path, **SERIES)[1] == []
    path.write_text('{"RepetitionTime": 2.0')
    assert "timeseries.json: cannot be read as JSON" in refuse(tmp_path, **SERIES)


def test_tables_without_a_header_take_their_columns_from_the_sidecar(tmp_path: Path) -> None:
    put_events(tmp_path)
    folder = tmp_path / "derivatives/sub-01/func"
    folder.mkdir(parents=True)
    text = "".join(f"{a:g}\t{b:g}\n" for a, b in VALUES)
    (folder / "sub-01_task-x_run-01_timeseries.tsv.gz").write_bytes(gzip.compress(text.encode()))
    sidecar = {"SamplingFrequency": 0.5, "Columns": ["V1", "V2"]}
    put(folder / "sub-01_task-x_run-01_timeseries.json", json.dumps(sidecar))
    ((made,), found) = read(tmp_path, **SERIES)
    assert found == [] and made.values.tolist() == EXPECTED
    assert made.neuroids["neuroid_id"].tolist() == ["V1", "V2"]


@pytest.mark.parametrize(
    "content", [b"", b"participant_id\tname\nsub-01\tJos\xe9\n", b"participant_id\nsub-01\ta\tb\n"]
)
def test_participants_that_are_not_needed_stop_nothing(tmp_path: Path, content: bytes) -> None:
    put_events(tmp_path)
    put_series(tmp_path)
    (tmp_path / "participants.tsv").write_bytes(content)
    assert read(tmp_path, **SERIES)[1] == []


# --- images ----------------------------------------------------------------------------------------------------------


def test_volumes_over_time_and_surfaces_of_both_hemispheres(tmp_path: Path) -> None:
    put_events(tmp_path)
    folder = tmp_path / "derivatives/sub-01/func"
    folder.mkdir(parents=True)
    affine = np.diag([2.0, 2, 2, 1])
    volumes = np.zeros((2, 1, 1, 20), np.float32)
    volumes[:, 0, 0] = VALUES.T
    nibabel.save(nibabel.Nifti1Image(volumes, affine), folder / "sub-01_task-x_run-01_bold.nii.gz")
    mask = nibabel.Nifti1Image(np.ones((2, 1, 1), np.uint8), affine)
    nibabel.save(mask, tmp_path / "derivatives/sub-01/sub-01_label-V1_mask.nii.gz")
    source = {**SERIES, "repetition_time": 2.0, "file": "derivatives/sub-*/func/*_bold.nii.gz"}
    ((made,), found) = read(tmp_path, **source, regions={"V1": "derivatives/sub-{sub}/*_label-V1_mask.nii.gz"})
    assert found == [] and made.values.tolist() == EXPECTED
    for hemisphere, column in (("L", 0), ("R", 1)):
        held = [nibabel.gifti.GiftiDataArray(np.full(3, v, np.float32)) for v in VALUES[:, column]]
        name = f"sub-01_task-x_run-01_hemi-{hemisphere}_bold.func.gii"
        nibabel.save(nibabel.gifti.GiftiImage(darrays=held), folder / name)
        chosen = [nibabel.gifti.GiftiDataArray(np.array([0, 1, 0], np.float32))]
        nibabel.save(nibabel.gifti.GiftiImage(darrays=chosen), tmp_path / f"derivatives/hemi-{hemisphere}_V1.shape.gii")
    source |= {"file": "derivatives/sub-*/func/*.func.gii", "regions": {"V1": "derivatives/hemi-{hemi}_V1.shape.gii"}}
    (left, right), found = read(tmp_path, **source)
    assert found == []
    assert left.values[:, 0].tolist() == [row[0] for row in EXPECTED]
    assert [s.neuroids["neuroid_id"].tolist() for s in (left, right)] == [["V1/L-1"], ["V1/R-1"]]


def test_a_mask_of_another_person_or_space(tmp_path: Path) -> None:
    put_events(tmp_path)
    folder = tmp_path / "derivatives/sub-01/func"
    folder.mkdir(parents=True)
    betas = nibabel.Nifti1Image(
        np.random.default_rng(0).normal(size=(2, 2, 2, 6)).astype(np.float32), np.diag([2, 2, 2, 1])
    )
    nibabel.save(betas, folder / "sub-01_task-x_run-01_space-T1w_betas.nii")
    mask = nibabel.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.diag([2, 2, 2, 1]))
    source = {**BETAS, "file": "derivatives/sub-*/func/*_betas.nii"}
    for name, words in (("sub-02_mask.nii", "is of sub '02'"), ("sub-01_space-MNI_mask.nii", "is of space 'MNI'")):
        nibabel.save(mask, tmp_path / name)
        assert words in refuse(tmp_path, **source, regions={"V1": name})


def test_labels_of_an_atlas_by_the_table_beside_it(tmp_path: Path) -> None:
    put_events(tmp_path)
    folder = tmp_path / "derivatives/sub-01/func"
    folder.mkdir(parents=True)
    values = np.random.default_rng(0).normal(size=(3, 1, 1, 6)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2, 2, 2, 1])), folder / "sub-01_task-x_run-01_betas.nii")
    atlas = nibabel.Nifti1Image(np.array([1, 2, 3], np.int16).reshape(3, 1, 1), np.diag([2, 2, 2, 1]))
    nibabel.save(atlas, tmp_path / "sub-01_dseg.nii")
    put(tmp_path / "sub-01_dseg.tsv", "index\tname\n1\tV1v\n2\tV1d\n3\tV4\n")
    source = {**BETAS, "file": "derivatives/sub-*/func/*_betas.nii"}
    assert "is an atlas of 3 labels" in refuse(tmp_path, **source, regions={"V1": "sub-01_dseg.nii"})
    ((made,), found) = read(tmp_path, **source, regions={"V1": "sub-01_dseg.nii#V1v,V1d", "V4": "sub-01_dseg.nii#3"})
    assert found == [] and made.neuroids["region"].tolist() == ["V1", "V1", "V4"]
    np.testing.assert_array_equal(made.values, values[:, 0, 0].T)


def test_an_image_that_is_none(tmp_path: Path) -> None:
    put_events(tmp_path)
    put(tmp_path / "derivatives/sub-01/func/sub-01_task-x_run-01_betas.nii", "no image")
    message = refuse(tmp_path, **BETAS, file="derivatives/sub-*/func/*_betas.nii", regions={"V1": "m.nii"})
    assert "cannot be read as an image of the brain" in message


def test_runs_on_grids_that_are_mirror_images(tmp_path: Path) -> None:
    folder = tmp_path / "derivatives/sub-01/func"
    folder.mkdir(parents=True)
    values = np.random.default_rng(0).normal(size=(4, 1, 1, 6)).astype(np.float32)
    here = np.diag([2.0, 2, 2, 1])
    here[0, 3] = -3
    mirror = here @ np.array([[-1.0, 0, 0, 3], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for run, affine in ((1, here), (2, mirror)):
        put_events(tmp_path, f"sub-01_task-x_run-{run}_events.tsv")
        nibabel.save(nibabel.Nifti1Image(values, affine), folder / f"sub-01_task-x_run-{run}_betas.nii")
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 1, 1), np.uint8), here), tmp_path / "mask.nii")
    source = {**BETAS, "file": "derivatives/sub-*/func/*_betas.nii", "regions": {"V1": "mask.nii"}}
    sessions, found = read(tmp_path, **source)
    assert found == [] and len(sessions) == 2
    problems = Problems("the data set")
    check_together(sessions, problems)
    (message,) = problems.found
    assert "run-2_betas.nii: neuroid 'V1/0-0-0' of 'sub-01' lies elsewhere than in" in message and "affine" in message


def test_images_without_any_signal(tmp_path: Path) -> None:
    folder = tmp_path / "derivatives/sub-01/func"
    folder.mkdir(parents=True)
    put_events(tmp_path)
    values = np.full((2, 1, 1, 6), np.nan, np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2, 2, 2, 1])), folder / "sub-01_task-x_run-01_betas.nii")
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 1, 1), np.uint8), np.diag([2, 2, 2, 1])), tmp_path / "mask.nii")
    ((made,), _) = read(tmp_path, **BETAS, file="derivatives/sub-*/func/*_betas.nii", regions={"V1": "mask.nii"})
    problems = Problems("the data set")
    check_session(made, problems)
    assert any("no neuroid is left" in problem for problem in problems.found)
