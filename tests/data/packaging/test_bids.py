"""Derivatives of BIDS data sets: betas in NIfTI, betas and time series in tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainmark.data.packaging.bids import entities

nibabel = pytest.importorskip("nibabel")

BETAS: dict[str, Any] = {
    "format": "bids",
    "file": "derivatives/betas/sub-*/func/*_betas.nii.gz",
    "events": "sub-{sub}/func/*_events.tsv",
    "regions": {r: f"derivatives/masks/sub-{{sub}}/*label-{r}_mask.nii.gz" for r in ("V1", "V4")},
    "units": "percent",
}  # fmt: skip
SHAPE = (4, 3, 2)


def one(problems: tuple[str, ...], *words: str) -> str:
    """The one problem with all of these words."""
    hits = [p for p in problems if all(w in p for w in words)]
    assert len(hits) == 1, problems
    return hits[0]


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)


def events(lab: Any, sub: str, run: int, ids: list[str]) -> None:
    path = lab.folder / f"sub-{sub}/func/sub-{sub}_task-see_run-{run}_events.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = {"onset": [4.0 * k for k in range(len(ids))], "duration": 2, "trial_type": "image", "stim_file": ids}
    pd.DataFrame(table).to_csv(path, sep="\t", index=False)


@pytest.fixture
def betas(lab: Any) -> dict[tuple[str, int], np.ndarray]:
    """Two people, two runs of all images; six voxels are V1, two are V4, and one of V1 has no signal."""
    generator, made = np.random.default_rng(0), {}
    for sub in ("01", "02"):
        for run in (1, 2):
            order = lab.ids if run == 1 else lab.ids[::-1]
            events(lab, sub, run, [f"{i}.png" for i in order])
            values = generator.normal(size=(*SHAPE, 12)).astype(np.float32)
            values[0, 0, 0] = 0 if sub == "01" else np.nan
            save(lab.folder / f"derivatives/betas/sub-{sub}/func/sub-{sub}_task-see_run-{run}_betas.nii.gz", values)
            made[sub, run] = values
        masks = {"V1": (slice(0, 1), slice(None), slice(None)), "V4": (slice(3, 4), slice(0, 1), slice(None))}
        for region, where in masks.items():
            mask = np.zeros(SHAPE, np.uint8)
            mask[where] = 1
            save(lab.folder / f"derivatives/masks/sub-{sub}/sub-{sub}_label-{region}_mask.nii.gz", mask)
    (lab.folder / "dataset_description.json").write_text(
        json.dumps({"Name": "See", "BIDSVersion": "1.9", "License": "CC0"})
    )
    table = {"participant_id": ["sub-01", "sub-02"], "species": ["homo sapiens"] * 2}
    pd.DataFrame(table).to_csv(lab.folder / "participants.tsv", sep="\t", index=False)
    return made


def test_betas_of_two_people_in_two_regions(lab: Any, betas: dict[tuple[str, int], np.ndarray]) -> None:
    made = lab.prepared({**BETAS, "across_sessions": "same"}, species=None, licence=None)
    values = made.measurement
    assert dict(values.sizes) == {"presentation": 12, "neuroid": 14, "repetition": 2}
    assert made.card.species == ("human",) and made.card.licence == "CC0" and made.card.regions == ("V1", "V4")
    assert values.coords["subject"].values.tolist() == ["sub-01"] * 7 + ["sub-02"] * 7
    note = "1 of 8 voxels have no signal and were left out (likewise in 3 more files"  # said once for all files
    assert sum(note in one for one in made.notes) == 1
    for k, name in enumerate(values.coords["neuroid_id"].values.tolist()):
        *_, region, place = name.split("/")
        x, y, z = map(int, place.split("-"))
        sub = values.coords["subject"].values[k][4:]
        assert values.coords["region"].values[k] == region
        np.testing.assert_array_equal(values.values[:, k, 0], betas[sub, 1][x, y, z])
        np.testing.assert_array_equal(values.values[:, k, 1], betas[sub, 2][x, y, z, ::-1])


def test_runs_of_one_person_must_be_explained(lab: Any, betas: Any) -> None:
    one(lab.refused(BETAS, species=None), "across_sessions")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"regions": {}}, "which voxels belong to which region"),
        ({"regions": {"V2": "derivatives/masks/sub-{sub}/*V2*"}}, "0 masks of V2"),
        ({"events": "sub-{sub}/func/*_trials.tsv"}, "its events are not found"),
        ({"stimulus": "image"}, "no column 'image'"),
        ({"windows": [[4000, 8000]]}, "windows are for time series"),
        ({"units": None}, "units"),
    ],
)
def test_what_betas_lack_is_named(lab: Any, betas: Any, changes: dict[str, Any], words: str) -> None:
    source = {k: v for k, v in {**BETAS, "across_sessions": "same", **changes}.items() if v is not None}
    assert any(words in p for p in lab.refused(source, species=None))


def test_masks_and_betas_in_other_spaces(lab: Any, betas: Any) -> None:
    save(lab.folder / "derivatives/masks/sub-01/sub-01_label-V1_mask.nii.gz", np.ones((2, 2, 2), np.uint8))
    one(lab.refused(BETAS, species=None), "is on another grid", "not state where it lies", "shape (2, 2, 2)")


def test_another_number_of_betas_than_events(lab: Any, betas: Any) -> None:
    events(lab, "01", 1, [f"{i}.png" for i in lab.ids[:9]])
    assert any("12 values of each neuroid for 9 events" in p for p in lab.refused(BETAS, species=None))


def series(lab: Any, step: float = 1.0) -> np.ndarray:
    """A table of time series of two parcels, a row each second."""
    events(lab, "01", 1, [f"{i}.png" for i in lab.ids])
    values = np.random.default_rng(3).normal(size=(60, 2))
    folder = lab.folder / "derivatives/parcels/sub-01"
    folder.mkdir(parents=True)
    pd.DataFrame(values, columns=["V1_left", "MT_left"]).to_csv(
        folder / "sub-01_task-see_run-1_timeseries.tsv", sep="\t", index=False
    )
    (folder.parent / "task-see_timeseries.json").write_text(json.dumps({"RepetitionTime": step}))
    return values


PARCELS = {
    "format": "bids", "file": "derivatives/parcels/sub-01/*_timeseries.tsv", "events": "sub-{sub}/func/*_events.tsv",
    "regions": {"V1": "V1_*", "MT": "MT_*"}, "units": "percent", "windows": [[2000, 5000]],
}  # fmt: skip


def test_time_series_are_averaged_in_windows(lab: Any) -> None:
    values = series(lab)
    made = lab.prepared(PARCELS, species="human").measurement
    expected = [values[4 * k + 2 : 4 * k + 5].mean(axis=0) for k in range(12)]
    np.testing.assert_allclose(made.values, expected, rtol=1e-12)
    assert made.coords["region"].values.tolist() == ["V1", "MT"]
    assert made.attrs["time_bin_start"] == 2000


def test_windows_in_seconds_hold_no_sample(lab: Any) -> None:
    series(lab)
    assert any(
        "windows are in ms" in p or "look like seconds" in p
        for p in lab.refused({**PARCELS, "windows": [[2.2, 5]]}, species="human")
    )


def test_a_time_series_without_a_sampling_rate(lab: Any) -> None:
    series(lab)
    (lab.folder / "derivatives/parcels/task-see_timeseries.json").unlink()
    one(lab.refused(PARCELS, species="human"), "neither RepetitionTime nor SamplingFrequency")


def test_entities_of_a_name() -> None:
    assert entities(Path("sub-01_ses-2_task-see_run-3_betas.nii.gz")) == {
        "sub": "01",
        "ses": "2",
        "task": "see",
        "run": "3",
    }
