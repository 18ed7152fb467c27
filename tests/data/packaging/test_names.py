"""Names in tables are texts: they do not become numbers, dates or truth values, and none is taken for another."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pytest

import brainmark
from brainmark.core.errors import DataError
from brainmark.data.packaging import package, parse_description
from brainmark.data.packaging.names import as_names, find_alike

NAMES = [
    "1.1", "1.10", "001", "1", "1e5", "100000", "12e1", "120", "TRUE", "True", "nan", "NA", "None", "null", "inf",
    "9007199254740993", "9007199254740992", "2024-01-02", "3/4", "-0", "0", "+1", "0x10", "1_000", "1L",
]  # fmt: skip
SAID = {"region": "V4", "subject": "Ada", "units": "spikes/s"}


def show(lab: Any, names: list[str]) -> dict[str, str]:
    """Write an image and a row of a table of stimuli for each name."""
    rows = [f"{name},f{k}.png" for k, name in enumerate(names)]
    for k in range(len(names)):
        lab.image(f"f{k}.png", seed=100 + k)
    (lab.folder / "s.csv").write_text("\n".join(["stimulus_id,filename", *rows]))
    return {"table": "s.csv", "folder": "images"}


def test_names_of_stimuli_that_look_like_numbers_stay_apart(lab: Any) -> None:
    stimuli = show(lab, NAMES)
    rows = [f"{name},{k},{-k}" for k, name in enumerate(NAMES)]
    (lab.folder / "r.csv").write_text("\n".join(["stimulus_id,u1,u2", *rows]))
    made = lab.prepared({"file": "r.csv", "neuroids": "u*", **SAID}, stimuli=stimuli).measurement
    assert made.coords["stimulus_id"].values.tolist() == NAMES, "1.10 became 1.1, or 001 became 1"
    assert made.values[:, 0].tolist() == list(range(len(NAMES))), "two stimuli were taken for trials of one"


def test_names_of_neurons_that_look_like_numbers_stay_apart(lab: Any) -> None:
    rows = [f"{one},{name},{k}" for one in lab.ids for k, name in enumerate(NAMES)]
    (lab.folder / "long.csv").write_text("\n".join(["stimulus_id,neuroid_id,value", *rows]))
    made = lab.prepared({"file": "long.csv", **SAID}).measurement
    assert made.dims == ("presentation", "neuroid"), "two neurons were taken for trials of one"
    assert made.coords["neuroid_id"].values.tolist() == NAMES


@pytest.mark.parametrize("column", ["region", "subject"])
def test_regions_and_subjects_are_texts(lab: Any, column: str) -> None:
    rows = [f"{one},{unit},{k},{name}" for k, one in enumerate(lab.ids) for unit, name in (("a", "010"), ("b", "1e1"))]
    (lab.folder / "long.csv").write_text("\n".join([f"stimulus_id,neuroid_id,value,{column}", *rows]))
    said = {key: value for key, value in SAID.items() if key != column}
    assert lab.prepared({"file": "long.csv", **said}).measurement.coords[column].values.tolist() == ["010", "1e1"]


def test_a_number_with_an_empty_field_in_its_column_loses_no_digit(lab: Any) -> None:
    stimuli = show(lab, ["9007199254740993", "9007199254740992"])
    (lab.folder / "r.csv").write_text("stimulus_id,u1\n9007199254740993,1\n,2\n9007199254740992,3\n")
    source = {"file": "r.csv", "neuroids": "u*", "skip": [""], **SAID}
    assert lab.prepared(source, stimuli=stimuli).measurement.values.ravel().tolist() == [1, 3]


@pytest.mark.parametrize("keys", [("1", "2", "3"), ("true", "false", "maybe"), ("01", "1", "1.0")])
@pytest.mark.parametrize("empty", [False, True])
def test_choices_that_are_numbers_are_scored(lab: Any, keys: tuple[str, ...], empty: bool) -> None:
    """Numeric keys were compared as numbers with labels that were texts, so that no answer was ever right."""
    rows = [f"{one},{one}.png,{keys[k % 3]}" for k, one in enumerate(lab.ids)]
    for name in ("s.csv", "f.csv"):
        (lab.folder / name).write_text("\n".join(["stimulus_id,filename,label", *rows]))
    answers = [
        f"{one},{who},{'' if empty and (k, who) == (5, 'Ben') else keys[k % 3]}"
        for who in ("Ann", "Ben", "Cleo")
        for k, one in enumerate(lab.ids)
    ]
    (lab.folder / "a.csv").write_text("\n".join(["stimulus_id,subject,choice", *answers]))
    stimuli = {"table": "s.csv", "fitting": "f.csv", "folder": "images"}
    told = lab.describe({"file": "a.csv", "kind": "choices"}, stimuli=stimuli, species=["human"])
    package(parse_description(told, "lab.toml"), lab.folder, lab.folder / "out")
    data = brainmark.load_dataset(str(lab.folder / "out"))
    assert data.measurement.coords["choice"].values.tolist() == sorted(keys)
    assert data.measurement.coords["label"].values.tolist() == [keys[k % 3] for k in range(12)]
    right = data.measurement.isel(subject=0).values.argmax(axis=1)
    assert [sorted(keys)[place] for place in right] == [keys[k % 3] for k in range(12)]


def test_what_is_known_of_stimuli_comes_back_as_it_was_written(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    rows = [f"{one},{one}.png,{k % 3:03d},{1 + k / 10:.2f},{k}" for k, one in enumerate(lab.ids)]
    (lab.folder / "s.csv").write_text("\n".join(["stimulus_id,filename,version,contrast,number", *rows]))
    told = parse_description(lab.describe(wide, stimuli={"table": "s.csv", "folder": "images"}), "lab.toml")
    package(told, lab.folder, lab.folder / "out")
    table = brainmark.load_dataset(str(lab.folder / "out")).stimuli.table
    assert table["version"].tolist() == [f"{k % 3:03d}" for k in range(12)]
    assert table["contrast"].tolist() == [round(1 + k / 10, 2) for k in range(12)]
    assert table["number"].tolist() == list(range(12))


def test_one_column_may_hold_different_texts_of_one_number(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    rows = [f"{one},{one}.png,{('1.1', '1.10')[k % 2]}" for k, one in enumerate(lab.ids)]
    (lab.folder / "s.csv").write_text("\n".join(["stimulus_id,filename,release", *rows]))
    made = lab.prepared(wide, stimuli={"table": "s.csv", "folder": "images"}).measurement
    assert made.coords["release"].values.tolist() == ["1.1", "1.10"] * 6


def test_trials_are_ordered_by_number_not_by_letter(lab: Any) -> None:
    rows = [f"im00,a,{trial},{trial}" for trial in range(12)] + [f"{one},a,0,0" for one in lab.ids[1:]]
    (lab.folder / "long.csv").write_text("\n".join(["stimulus_id,neuroid_id,trial,value", *rows]))
    made = lab.prepared({"file": "long.csv", "repetition": "trial", **SAID}).measurement
    assert made.values[0, 0].tolist() == list(range(12)), "trial 10 was put before trial 2"


@pytest.mark.parametrize("value", [1.1, np.float32(0.5), 2.0**53 + 2, 1e300])
def test_a_name_that_was_kept_as_a_fraction_is_refused(value: float) -> None:
    with pytest.raises(DataError, match="keep names as text"):
        as_names([value])


def test_names_of_every_type() -> None:
    values = [1.0, 7, None, float("nan"), b"V4", "é", "e\u0301", True, np.str_("001")]
    assert as_names(values).tolist() == ["1", "7", "", "", "V4", "é", "é", "True", "001"]


# --- Unicode ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_disk", "in_table"), [("NFD", "NFC"), ("NFC", "NFD")])
@pytest.mark.parametrize("listed", [False, True])
def test_one_name_in_two_forms_of_unicode_is_one(lab: Any, on_disk: str, in_table: str, listed: bool) -> None:
    names = ["café", "Żółw", "が"]
    for k, name in enumerate(names):
        lab.image(f"{unicodedata.normalize(on_disk, name)}.png", seed=50 + k)  # type: ignore[arg-type]
    written = [unicodedata.normalize(in_table, name) for name in names]  # type: ignore[arg-type]
    rows = [f"{name},{k}" for k, name in enumerate(written)]
    (lab.folder / "r.csv").write_text("\n".join(["stimulus_id,u1", *rows]), "utf-8")
    stimuli: dict[str, str] = {"folder": "images"}
    if listed:
        rows = [f"{name},{name}.png" for name in written]
        (lab.folder / "s.csv").write_text("\n".join(["stimulus_id,filename", *rows]), "utf-8")
        stimuli["table"] = "s.csv"
    made = lab.prepared({"file": "r.csv", "neuroids": "u*", **SAID}, stimuli=stimuli).measurement
    assert sorted(made.coords["stimulus_id"].values.tolist()) == sorted(names)


@pytest.mark.parametrize(
    ("name", "known", "reason"),
    [
        ("Im00", "im00", "capital and small letters"),
        ("im00 ", "im00", "blanks or characters that are not seen"),
        ("im\u200b00", "im00", "blanks or characters that are not seen"),
        ("im\u00a000", "im 00", "blanks or characters that are not seen"),
        ("ｉｍ００", "im00", "the width or the style of characters"),
        ("7", "007", "zeros before the number"),
        ("7.0", "7", "the decimals of a whole number"),
        ("im00.jpg", "im00.png", "the ending of the file"),
        ("set\\im00", "set/im00", "the sign between folders"),
        ("set\\im00", "im00", "the folder"),
        ("C:\\set\\im00.PNG", "im00", "the folder and the ending of the file"),
    ],
)
def test_names_that_only_look_alike_are_different_and_the_difference_is_told(
    lab: Any, name: str, known: str, reason: str
) -> None:
    assert find_alike(name, ["other", known]) == f"{name!r} and {known!r} differ in {reason}"
    stimuli = show(lab, ["other", known])
    (lab.folder / "r.csv").write_text(f"stimulus_id,u1\nother,1\n{name},2\n", "utf-8")
    (problem,) = lab.refused({"file": "r.csv", "neuroids": "u*", **SAID}, stimuli=stimuli)
    assert "1 of 2 stimuli" in problem and reason in problem


def test_two_files_whose_names_differ_only_in_form_are_not_one_stimulus(lab: Any) -> None:
    for k, form in enumerate(("NFC", "NFD")):
        lab.image(f"{unicodedata.normalize(form, 'é')}.png", seed=60 + k)  # type: ignore[arg-type]
    if len(list((lab.folder / "images").glob("*.png"))) < 14:
        pytest.skip("the file system keeps one form only")
    (lab.folder / "r.csv").write_text("stimulus_id,u1\né,1\nim00,2\n", "utf-8")
    (problem,) = lab.refused({"file": "r.csv", "neuroids": "u*", **SAID})
    assert "several different stimuli" in problem


def test_files_of_recordings_are_found_in_either_form(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials(unicodedata.normalize("NFD", "café.csv"))
    assert lab.prepared({**wide, "file": "café.csv"}).measurement.sizes["presentation"] == 12


@pytest.mark.parametrize("column", ["subject", "session", "region"])
def test_rows_of_several_subjects_are_not_trials_of_one(lab: Any, wide: dict[str, Any], column: str) -> None:
    """Trials of two animals in one wide table became repetitions of one, whatever their column said."""
    table = lab.trials(repetitions=2)
    lab.table("rates.csv", table.assign(**{column: ["one", "two"] * 12}))
    said = {key: value for key, value in wide.items() if key != column}
    assert any(f"rows are of 2 {column}s, 'one', 'two'" in p for p in lab.refused(said))
    chosen = lab.prepared({**said, "where": {column: "two"}}).measurement
    assert chosen.sizes["presentation"] == 12 and "repetition" not in chosen.dims
    assert set(chosen.coords[column].values.tolist()) == {"two"}


def test_what_a_file_says_of_its_session_is_not_overruled(lab: Any, wide: dict[str, Any]) -> None:
    lab.table("rates.csv", lab.trials().assign(session="monday"))
    (problem,) = lab.refused({**wide, "session": "tuesday"})
    assert "session = 'tuesday' in the description, but the file says ['monday']" in problem


def test_paths_of_windows_are_told_of(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    lab.table("s.csv", {"stimulus_id": lab.ids, "filename": [f"images\\{i}.png" for i in lab.ids]})
    (problem,) = lab.refused(wide, stimuli={"table": "s.csv"})
    assert "12 of 12 files of stimuli are not there" in problem and "write / for" in problem


def test_stimuli_without_a_label_are_told_of(lab: Any) -> None:
    rows = [f"{one},{one}.png,{'' if k == 3 else 'NA'}" for k, one in enumerate(lab.ids)]
    (lab.folder / "s.csv").write_text("\n".join(["stimulus_id,filename,label", *rows]))
    lab.table("a.csv", {"stimulus_id": lab.ids, "subject": "Ann", "choice": "NA"})
    stimuli = {"table": "s.csv", "folder": "images", "fitting": "s.csv"}
    assert any("'im03' have no label" in p for p in lab.refused({"file": "a.csv", "kind": "choices"}, stimuli=stimuli))
