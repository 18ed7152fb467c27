"""Files that Brain-Score publishes: fetched by version, checked, mirrored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.brainscore import brainio
from brainmark.brainscore import files as brainscore
from brainmark.brainscore.files import FileRow
from brainmark.core import DataError, Stimuli, UnknownName
from brainmark.data.fetch import fetch
from brainmark.data.fetch.places import places

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


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; no mirror; no proxy between this machine and itself."""
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BRAINMARK_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path / "home"


@pytest.fixture
def bucket(server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The registered files of one data set on a server of this machine, under the addresses of the bucket."""
    made = tmp_path / "made"
    made.mkdir()
    sha1 = brainio.write_assembly(recording(), made / "a.nc")
    csv_sha1, zip_sha1 = brainio.write_stimuli(stimuli(), made / "s.csv", made / "s.zip")
    rows = (
        FileRow("assembly", "majajhong2015", "Toy.public", "lab.Toy.public", sha1, "aB1", "", "", "toy"),
        FileRow("stimuli", "majajhong2015", "toy", "toy", csv_sha1, "null", zip_sha1, "null", ""),
    )
    monkeypatch.setattr(brainscore, "read_rows", lambda: {(r.kind, r.name): r for r in rows})
    monkeypatch.setattr(brainscore, "BUCKET", server.base)
    sources = rows[0].sources + rows[1].sources
    for source, name in zip(sources, ("a.nc", "s.csv", "s.zip"), strict=True):
        server.add(source.url.removeprefix(server.base), (made / name).read_bytes())
    return sources


def test_a_data_set_is_fetched_by_version_and_checked_by_sha1(server, bucket) -> None:
    read = brainscore.assembly("Toy.public")
    assert (read.values == recording().values).all()
    assert "object_name" in read.coords
    assert server.gets == {
        "/brainio-brainscore/assy_lab_Toy_public.nc?versionId=aB1": 1,
        "/brainio-brainscore/stimulus_toy.csv?versionId=null": 1,
        "/brainio-brainscore/stimulus_toy.zip?versionId=null": 1,
    }
    server.files.clear()
    xr.testing.assert_identical(brainscore.assembly("Toy.public"), read)


@pytest.mark.parametrize("status", [403, 404])
def test_files_that_are_not_given_name_the_ways_out(server, bucket, status: int) -> None:
    server.how["/brainio-brainscore/assy_lab_Toy_public.nc?versionId=aB1"] = server.refuse(status)
    with pytest.raises(DataError) as error:
        brainscore.assembly("Toy.public")
    said = str(error.value)
    assert f"HTTP {status}" in said
    assert "BRAINMARK_MIRROR" in said
    assert ("credentials" in said) == (status == 403)


def test_a_transfer_that_is_cut_off_leaves_nothing(server, bucket, home: Path) -> None:
    server.how["/brainio-brainscore/stimulus_toy.zip?versionId=null"] = server.cut_off
    with pytest.raises(DataError, match="the answer was cut off"):
        brainscore.stimulus_set("toy")
    assert [p.name for p in (home / "files").rglob("*") if p.is_file()] == ["stimulus_toy.csv@versionId=null"]


def test_other_bytes_are_refused(server, bucket, home: Path) -> None:
    server.files["/brainio-brainscore/stimulus_toy.csv?versionId=null"] += b"\n"
    with pytest.raises(DataError, match=f"wrong content: expected sha1 {bucket[1].sha1}, found [0-9a-f]{{40}}"):
        fetch(bucket[1])
    assert not [p for p in (home / "files").rglob("*") if p.is_file()]


@pytest.mark.parametrize("with_version", [True, False])
def test_a_mirror_folder_serves_in_place(
    server,
    bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    with_version: bool,
) -> None:
    for source in bucket:
        found = [p for p in places(source.url) if ("versionId" in p.name) == with_version]
        place = tmp_path / "mirror" / found[0]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(server.files[source.url.removeprefix(server.base)])
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    server.files.clear()
    assert brainscore.assembly("Toy.public").shape == recording().shape
    assert not server.gets


def test_an_unknown_set_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'objectome\.public'"):
        brainscore.stimulus_set("objectom.public")
