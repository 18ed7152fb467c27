"""Stimuli: names, sizes, doubles, what is not on the disk."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brainmark.data.packaging import load_package, package
from brainmark.data.packaging.description import parse_description


def one(problems: tuple[str, ...], *words: str) -> str:
    """The one problem with all of these words."""
    hits = [p for p in problems if all(w in p for w in words)]
    assert len(hits) == 1, problems
    return hits[0]


def table_of(lab: Any, **columns: Any) -> dict[str, Any]:
    lab.table("stimuli.csv", {"stimulus_id": lab.ids, "filename": [f"{i}.png" for i in lab.ids], **columns})
    return {"table": "stimuli.csv", "folder": "images"}


def packaged(lab: Any, *recordings: dict[str, Any], **changes: Any) -> Any:
    """Package, and load what was written."""
    told = parse_description(lab.describe(*recordings, **changes), "lab.toml")
    package(told, lab.folder, lab.folder / "out")
    return load_package(lab.folder / "out")


def test_a_file_that_is_not_there_is_named_with_what_lies_beside_it(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    stimuli = table_of(lab, filename=["IM00.PNG", *[f"{i}.png" for i in lab.ids[1:]]])
    problem = one(lab.refused(wide, stimuli=stimuli), "1 of 12 files of stimuli are not there", "IM00.PNG")
    assert "beside it lies 'im00.png'" in problem


@pytest.mark.parametrize(
    ("stimuli", "words"),
    [
        ({}, "stimuli are missing"),
        ({"folder": "pictures"}, "there is no folder"),
        ({"folder": "empty"}, "holds no images"),
        ({"table": "gone.csv"}, "cannot be read as a table"),
        ({"table": "stimuli.csv", "id": "name"}, "no column 'name'"),
        ({"table": "stimuli.csv", "file": "file"}, "did you mean 'filename'"),
        ({"archive": "gone.zip"}, "gone.zip"),
        ({"images": "gone.nwb#images"}, "gone.nwb"),
    ],
)
def test_stimuli_that_cannot_be_found(lab: Any, wide: dict[str, Any], stimuli: Any, words: str) -> None:
    lab.trials()
    (lab.folder / "empty").mkdir()
    table_of(lab)
    one(lab.refused(wide, stimuli=stimuli), words)


def test_stimuli_of_recordings_that_nobody_describes(lab: Any, wide: dict[str, Any]) -> None:
    table = lab.trials()
    table.loc[:2, "stimulus_id"] = "im99"
    lab.table("rates.csv", table)
    one(lab.refused(wide), "1 of 12 stimuli of the recordings are not among those described: 'im99'")


def test_files_may_be_called_with_or_without_their_suffix(lab: Any, wide: dict[str, Any]) -> None:
    table = lab.trials()
    lab.table("rates.csv", table.assign(stimulus_id=table["stimulus_id"] + ".png"))
    made = lab.prepared(wide).measurement
    assert made.coords["stimulus_id"].values.tolist() == [f"{i}.png" for i in lab.ids]


def test_a_whole_number_with_decimals_is_another_name_and_the_difference_is_told(
    lab: Any, wide: dict[str, Any]
) -> None:
    table = lab.trials()
    lab.table("rates.csv", table.assign(stimulus_id=[float(i[2:]) for i in table["stimulus_id"]]))
    problems = lab.refused(wide, stimuli=table_of(lab, stimulus_id=range(12)))
    one(problems, "'0.0' and '0' differ in the decimals of a whole number")


def test_a_damaged_image_is_named(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    path = lab.folder / "images" / "im04.png"
    path.write_bytes(path.read_bytes()[:60])
    one(lab.refused(wide), "1 of 12 images cannot be decoded", "im04.png")


# --- identifiers that are not unique ---------------------------------------------------------------------------------


def test_an_identifier_with_two_files_is_refused(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    stimuli = table_of(lab, stimulus_id=["im00", "im00", *lab.ids[2:]])
    problem = one(lab.refused(wide, stimuli=stimuli), "1 stimulus_id stand for several different stimuli: 'im00'")
    assert "im00.png" in problem and "im01.png" in problem


def test_an_identifier_twice_with_one_file_is_merged(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    rows = {"stimulus_id": [*lab.ids, "im00"], "filename": [*[f"{i}.png" for i in lab.ids], "im00.png"]}
    lab.table("stimuli.csv", rows)
    made = lab.prepared(wide, stimuli={"table": "stimuli.csv", "folder": "images"})
    assert made.measurement.sizes["presentation"] == 12
    assert any("repeat a stimulus_id" in note for note in made.notes)


def test_one_file_under_two_names_is_kept_apart_or_merged_as_repetitions(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials(repetitions=2)
    lab.image("im01.png", seed=0)  # now the same as im00
    apart = lab.prepared(wide)
    assert apart.measurement.sizes["presentation"] == 12
    assert any("'im01' and 'im00'" in note for note in apart.notes)
    merged = lab.prepared(wide, stimuli={"folder": "images", "merge_same_files": True}).measurement
    assert dict(merged.sizes) == {"presentation": 11, "neuroid": 4, "repetition": 4}
    both = np.concatenate([apart.measurement.values[0], apart.measurement.values[1]], axis=1)
    np.testing.assert_array_equal(merged.values[0], both)


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_images_of_mixed_sizes_need_a_word(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    lab.image("im03.png", (32, 16), seed=3)
    problem = one(lab.refused(wide), "2 sizes in pixels (16 x 16, 32 x 16)")
    assert "same_width" in problem and "pixels_per_degree" in problem


def test_images_of_one_width_are_kept_as_they_are(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    original = lab.image("im03.png", (32, 16), seed=3).read_bytes()
    study = packaged(lab, wide, stimuli={"folder": "images", "same_width": True})
    assert study.setting.degrees == 8
    assert (lab.folder / "out" / "stimuli" / "im03.png").read_bytes() == original


def test_images_at_one_scale_share_a_screen(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    lab.image("im03.png", (32, 20), seed=3)
    stimuli = {"folder": "images", "pixels_per_degree": 4}
    study = packaged(lab, wide, stimuli=stimuli, degrees=None)
    assert study.setting.degrees == 32 / 4
    assert {study.stimuli.media[k].shape for k in range(12)} == {(20, 32, 3)}
    small = study.stimuli.media[0]
    original = np.asarray(Image.open(lab.folder / "images" / "im00.png"))
    np.testing.assert_array_equal(small[2:18, 8:24], original)
    outside = small.copy()
    outside[2:18, 8:24] = 128
    assert (outside == 128).all()


# --- other places ----------------------------------------------------------------------------------------------------


def test_stimuli_in_an_archive(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    with zipfile.ZipFile(lab.folder / "images.zip", "w") as packed:
        for name in lab.ids:
            packed.write(lab.folder / "images" / f"{name}.png", f"{name}.png")
    study = packaged(lab, wide, stimuli={"archive": "images.zip"})
    np.testing.assert_array_equal(study.stimuli.media[3], np.asarray(Image.open(lab.folder / "images" / "im03.png")))


def test_texts_are_stimuli_too(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    texts = [f"Sentence, number {k}." for k in range(11)] + ["NA"]
    lab.table("texts.csv", {"stimulus_id": lab.ids, "text": texts})
    changes = {"modality": "text", "domain": "language", "degrees": None, "duration": None}
    study = packaged(lab, wide, stimuli={"table": "texts.csv"}, **changes)
    assert list(study.stimuli.media) == texts
    assert study.card.modality == "text" and study.setting.degrees is None


def test_names_that_file_systems_confuse_become_files_of_their_own(lab: Any, wide: dict[str, Any]) -> None:
    table = lab.trials()
    names = {"im00": "a b/ü", "im01": "A b/Ü", "im02": "../up", "im03": "x" * 300, "im04": "ZZ", "im05": "zz"}
    table["stimulus_id"] = table["stimulus_id"].replace(names)
    lab.table("rates.csv", table)
    study = packaged(lab, wide, stimuli=table_of(lab, stimulus_id=[names.get(i, i) for i in lab.ids]))
    for k, name in enumerate(lab.ids):
        original = np.asarray(Image.open(lab.folder / "images" / f"{name}.png"))
        np.testing.assert_array_equal(study.stimuli.media[k], original)
    assert study.stimuli.ids[:3].tolist() == ["a b/ü", "A b/Ü", "../up"]
    files = [p for p in (lab.folder / "out").rglob("*") if p.is_file()]
    assert len({p.name.lower() for p in files}) == len(files)
