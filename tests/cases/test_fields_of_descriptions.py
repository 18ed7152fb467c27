"""Every field of a description is used or refused: none is accepted and then ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from brainmark.data.packaging import Problems, Recordings, Session
from brainmark.data.packaging.description import refuse_unused

ARRAYS: dict[str, Any] = {
    "file": "r.npy", "values": "r.npy", "dims": ["presentation", "neuroid"], "coords": {"stimulus_id": "i.npy"},
    "units": "z", "region": "V4", "subject": "Ada",
}  # fmt: skip


def arrays(lab: Any, *shape: int) -> None:
    np.save(lab.folder / "r.npy", np.arange(12.0 * np.prod(shape)).reshape(12, *shape))
    np.save(lab.folder / "i.npy", np.array(lab.ids))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("value", "rate"),
        ("neuroid", "unit"),
        ("start", "t0"),
        ("end", "t1"),
        ("choice", "key"),
        ("time_unit", "s"),
    ],
)
def test_a_field_of_long_tables_is_refused_for_a_wide_one(
    lab: Any, wide: dict[str, Any], field: str, value: str
) -> None:
    lab.trials()
    (problem,) = lab.refused({**wide, field: value})
    assert problem.startswith(f"recording.0.{field} is given, but has no meaning here; remove it")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("question", "how pleasant is it?"),
        ("scale", [1, 7]),
        ("stimuli.id", "name"),
        ("stimuli.file", "name"),
        ("stimuli.text", "sentence"),
        ("stimuli.fitting", "fit.csv"),
        ("stimuli.separator", ";"),
        ("stimuli.missing", ["NA"]),
    ],
)
def test_a_field_that_says_nothing_of_a_recording_is_refused(
    lab: Any, wide: dict[str, Any], part: str, value: Any
) -> None:
    lab.trials()
    lab.table("fit.csv", {"stimulus_id": lab.ids, "filename": [f"{i}.png" for i in lab.ids]})
    stimuli: dict[str, Any] = {"folder": "images"}
    changes: dict[str, Any] = {"stimuli": stimuli}
    if part.startswith("stimuli."):
        stimuli[part.removeprefix("stimuli.")] = value
    else:
        changes[part] = value
    (problem,) = lab.refused(wide, **changes)
    assert problem.startswith(f"{part} is given, but has no meaning here")


def test_two_fields_that_say_the_same_are_refused(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    (lab.folder / "cite.bib").write_text(lab.said["cite"])
    (problem,) = lab.refused(wide, cite_file="cite.bib")
    assert problem.startswith("cite_file is given")
    (problem,) = lab.refused(wide, stimuli={"folder": "images", "archive": "images.zip"})
    assert "stimuli.folder and stimuli.archive both say where the files are" in problem


def test_recordings_that_contradict_each_other_are_refused(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials("a.csv")
    lab.trials("b.csv")
    one, two = {**wide, "file": "a.csv"}, {**wide, "file": "b.csv"}
    problems = lab.refused({**one, "across_sessions": "same"}, {**two, "across_sessions": "different"})
    assert any("across_sessions is 'different', 'same'; say one" in problem for problem in problems)


def test_choices_have_no_units_and_no_columns_of_neuroids(lab: Any) -> None:
    lab.table("s.csv", {"stimulus_id": lab.ids, "filename": [f"{i}.png" for i in lab.ids], "label": list("abc" * 4)})
    lab.table("a.csv", {"stimulus_id": lab.ids, "subject": "Ann", "choice": list("abc" * 4)})
    source = {"file": "a.csv", "kind": "choices", "units": "Hz", "neuroids": "u*"}
    problems = lab.refused(source, stimuli={"table": "s.csv", "folder": "images", "fitting": "s.csv"})
    assert [p.partition(" ")[0] for p in problems] == ["recording.0.units", "recording.0.neuroids"]


def test_a_default_that_is_stated_is_no_fault(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    lab.prepared({**wide, "kind": "recording", "format": "table", "value": "value"}, domain="vision")


@pytest.mark.parametrize(("unit", "end"), [("s", 2000.0), ("ms", 2.0)])
def test_the_unit_of_time_holds_for_the_bins_of_arrays(lab: Any, unit: str, end: float) -> None:
    """Bins of 2 s were kept as bins of 2 ms."""
    arrays(lab, 3, 2)
    source = {**ARRAYS, "dims": ["presentation", "neuroid", "time_bin"], "time_bins": [[0, 2], [2, 4]]}
    made = lab.prepared({**source, "time_unit": unit}).measurement
    assert made.coords["time_bin_end"].values.tolist() == [end, 2 * end]


def test_the_unit_of_time_holds_for_assemblies(lab: Any) -> None:
    coords: dict[str, Any] = {
        "stimulus_id": ("presentation", lab.ids), "neuroid_id": ("neuroid", ["a", "b"]),
        "time_bin_start": ("time_bin", [0.0, 2.0]), "time_bin_end": ("time_bin", [2.0, 4.0]),
    }  # fmt: skip
    array = xr.DataArray(np.ones((12, 2, 2)), dims=("presentation", "neuroid", "time_bin"), coords=coords, name="d")
    array.to_netcdf(lab.folder / "a.nc", engine="h5netcdf")
    source = {"file": "a.nc", "units": "z", "region": "V4", "subject": "Ada", "time_unit": "s"}
    assert lab.prepared(source).measurement.coords["time_bin_end"].values.tolist() == [2000, 4000]


def test_a_field_of_another_packages_format_that_is_not_read_is_refused() -> None:
    class Careless(Recordings):
        gain: float = 1.0
        offset: float = 0.0

        def read(self, path: Path, base: Path, problems: Problems) -> Session:
            raise NotImplementedError

    source, problems = Careless(file=("a.mine",), gain=2.0, offset=3.0), Problems("test")
    assert source.gain * 1.0 == 2.0 and source.file
    refuse_unused(source, "recording.0.", "such recordings", problems)
    assert [p.partition(" ")[0] for p in problems.found] == ["recording.0.offset"]
