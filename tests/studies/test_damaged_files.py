"""Files whose bytes are the registered ones, but whose content is not what the study expects."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from brainmark.core import DataError, InvalidMeasurement, datasets
from brainmark.data.fetch import GitFolder
from brainmark.data.readers.arrays import array_of
from brainmark.data.readers.matlab import fields_of, mat_of, mat_variable
from brainmark.studies import cowley2023, kriegeskorte2008, ringach2002

Put = Callable[[ModuleType, str, bytes], Path]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Replace a registered file of a study, and its registration, by other content."""
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path))

    def replace(study: ModuleType, name: str, content: bytes) -> Path:
        files: GitFolder = study.FILES
        changed = {**files.files, name: (hashlib.sha256(content).hexdigest(), len(content))}
        monkeypatch.setattr(study, "FILES", dataclasses.replace(files, files=changed))
        path = tmp_path / study.FILES.source(name).url.removeprefix("https://")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return replace


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def mat(**variables: Any) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, variables)
    return buffer.getvalue()


def images(count: int) -> bytes:
    picture, buffer = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (4, 4)).save(picture, "JPEG")
    with zipfile.ZipFile(buffer, "w") as z:
        for i in range(count):
            z.writestr(f"image{i + 1}.jpg", picture.getvalue())
    return buffer.getvalue()


RESPONSES, IMAGES = "responses_repeat_averaged/responses_201025.npy", "images/images_201025.zip"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (npy(np.zeros((89, 1199))), "holds float64 (89, 1199); expected numbers of shape (89, 1200)"),
        (npy(np.zeros((89, 1200), dtype="U1")), "holds <U1 (89, 1200)"),
        (npy(np.zeros((89, 1200)))[:500], "cannot be read as .npy"),
        (b"", "cannot be read as .npy"),
        (b"PK\x03\x04", "cannot be read as .npy"),
    ],
)
def test_responses_of_another_shape(put: Put, content: bytes, found: str) -> None:
    path = put(cowley2023, RESPONSES, content)
    with pytest.raises(DataError) as error:
        datasets["Cowley2023.201025"].load()
    assert f"{path}: {found}" in str(error.value)


def test_more_images_than_responses(put: Put) -> None:
    put(cowley2023, RESPONSES, npy(np.ones((89, 1200))))
    path = put(cowley2023, IMAGES, images(1201))
    with pytest.raises(DataError, match=rf"{re.escape(str(path))}: holds 1201 images; expected 1200"):
        datasets["Cowley2023.201025"].load()


def test_a_neuron_that_was_never_recorded(put: Put) -> None:
    responses = np.ones((89, 1200))
    responses[7] = np.nan
    put(cowley2023, RESPONSES, npy(responses))
    put(cowley2023, IMAGES, images(1200))
    with pytest.raises(InvalidMeasurement, match=r"Cowley2023\.201025: 1 of 89 along 'neuroid' hold only NaN"):
        datasets["Cowley2023.201025"].load()


def test_no_archive_of_images(put: Put) -> None:
    put(cowley2023, RESPONSES, npy(np.ones((89, 1200))))
    path = put(cowley2023, IMAGES, b"no zip")
    with pytest.raises(DataError, match=rf"{re.escape(str(path))}: cannot be read as a zip file"):
        datasets["Cowley2023.201025"].load()


def cells(count: int = 308, **changes: Any) -> dict[str, Any]:
    table: dict[str, Any] = {name: np.linspace(10, 20, count) for name in ringach2002.FIELDS}
    table["spont"] = np.zeros(count)
    table["animal"] = np.array(["A1"] * count, dtype=object)
    return {k: v for k, v in {**table, **changes}.items() if v is not None}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (mat(other=1), "has no variable 'db'"),
        (mat(db=cells(bw=None)), "no field 'bw' among"),
        (mat(db=cells(po=np.zeros(307))), "field 'po' has shape (307,); expected (308,)"),
        (mat(db=3.0), "no field 'animal'"),
        (b"MATLAB 5.0 MAT-file" + b"\0" * 200, "cannot be read as a MATLAB file"),
        (b"", "cannot be read as a MATLAB file"),
    ],
)
def test_a_table_of_cells_without_a_field(put: Put, content: bytes, found: str) -> None:
    path = put(ringach2002, ringach2002.FILE, content)
    with pytest.raises(DataError) as error:
        ringach2002._cells()
    assert f"{path}: {found}" in str(error.value)


def test_cells_without_a_value_are_left_out(put: Put) -> None:
    widths = np.linspace(10, 20, 308)
    widths[5] = np.nan
    put(ringach2002, ringach2002.FILE, mat(db=cells(bw=widths)))
    study = datasets["Ringach2002.orientation_bandwidth"].load()
    assert study.measurement.sizes["neuroid"] == 307
    assert "Ringach2002/006" not in study.measurement.coords["neuroid_id"].values


def structs(rows: list[dict[str, Any]], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array.reshape(shape)


def rdm(name: str, size: int = 92) -> dict[str, Any]:
    return {"RDM": 1 - np.eye(size), "name": name}


def humans(size: int = 92, last: str = "hIT | S3 | Session: 2") -> np.ndarray:
    rows = [rdm(f"hIT | S{i // 2} | Session: {i % 2 + 1}") for i in range(8)]
    rows[7] = rdm(last, size)
    return structs(rows, (4, 2))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (mat(RDMs=humans()[:3]), "'RDMs' has shape (3, 2); expected (4, 2)"),
        (mat(RDMs=humans(size=91)), "field 'RDM' has shape (91, 91); expected (92, 92)"),
        (mat(RDMs=humans(last="hIT | S9 | Session: 2")), "field 'name' mixes subjects ['S3', 'S9'] in one row"),
        (mat(RDMs=humans(last="hIT")), "field 'name' is 'hIT'; expected '... | subject ...'"),
        (mat(other=1), "has no variable 'RDMs'"),
    ],
)
def test_dissimilarities_of_another_form(put: Put, content: bytes, found: str) -> None:
    path = put(kriegeskorte2008, kriegeskorte2008.BRAINS, content)
    with pytest.raises(DataError) as error:
        datasets["Kriegeskorte2008.humanIT"].load()
    assert f"{path}: {found}" in str(error.value)


def test_pictures_of_another_form(put: Put) -> None:
    image = np.zeros((5, 5, 3), dtype=np.uint8)
    flags = dict.fromkeys(kriegeskorte2008.CATEGORIES, 1)
    rows = [{"image": image, "category": "face", **flags} for _ in range(92)]
    rows[3] = {**rows[3], "image": image[..., 0].astype(float)}
    supplement = {"stimuli_92objs": structs(rows, (92,))}
    path = put(kriegeskorte2008, kriegeskorte2008.SUPPLEMENT, mat(**supplement))
    with pytest.raises(DataError) as error:
        kriegeskorte2008._stimuli()
    assert f"{path}: field 'image' of stimulus 3 is float64 (5, 5), not an RGB image" in str(error.value)


def test_no_monkey_among_the_dissimilarities(put: Put) -> None:
    pairs = np.ones(92 * 91 // 2)
    rows = structs([{"name": "hIT", "RDM": pairs}, {"name": "other", "RDM": pairs}], (2,))
    put(kriegeskorte2008, kriegeskorte2008.SUPPLEMENT, mat(RDMs_mIT_hIT_fig1=rows))
    with pytest.raises(DataError, match="no field 'name' of 'RDMs_mIT_hIT_fig1' starts with 'mIT'"):
        datasets["Kriegeskorte2008.monkeyIT"].load()


def test_readers_return_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy(np.arange(6).reshape(2, 3)))
    assert array_of(tmp_path / "a.npy", (2, 3)).sum() == 15
    (tmp_path / "a.mat").write_bytes(mat(db={"x": np.arange(3.0), "y": np.ones(3)}))
    table = fields_of(mat_of(tmp_path / "a.mat", "db"), ("x", "y"), tmp_path / "a.mat", (3,))
    assert {k: v.tolist() for k, v in table.items()} == {"x": [0, 1, 2], "y": [1, 1, 1]}


@pytest.mark.parametrize("compressed", [True, False])
def test_damage_anywhere_in_a_matlab_file_is_named(tmp_path: Path, compressed: bool) -> None:
    from scipy.io import savemat

    path, generator = tmp_path / "a.mat", np.random.default_rng(0)
    savemat(path, {"rates": np.arange(400.0).reshape(20, 20), "names": ["a", "bb"]}, do_compression=compressed)
    content, refused = path.read_bytes(), 0
    for cut in generator.integers(130, len(content), 60):
        broken = bytearray(content[:cut])
        broken[int(generator.integers(128, cut))] ^= 0x55
        path.write_bytes(bytes(broken))
        for read in (mat_of, mat_variable):
            try:
                read(path, "rates")
            except DataError as error:
                assert str(path) in str(error)
                refused += 1
    assert refused > 100
    with pytest.raises(DataError, match=r"gone\.mat"):
        mat_variable(tmp_path / "gone.mat", "rates")
