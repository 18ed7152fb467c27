from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainmark.core import DataError, datasets
from brainmark.data import tables
from brainmark.data.fetch import places, where
from brainmark.studies import ringach2002b

SHIPPED = [
    "DeValois1982.preferred_orientation",
    "DeValois1982.preferred_spatial_frequency",
    "Ringach2002.summary.circular_variance",
    "Ringach2002.summary.modulation_ratio",
    "Ringach2002b.nx",
    "Ringach2002b.ny",
]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_histograms_need_no_download(name: str) -> None:
    study = datasets[name].load()
    assert study.identifier == name
    assert study.card == datasets[name].card
    assert [where(source).state for source in study.card.sources] == ["shipped"]
    bins = study.measurement
    start, end = bins.coords["bin_start"].values, bins.coords["bin_end"].values
    np.testing.assert_array_equal(start[1:], end[:-1])  # no gaps, no overlaps
    assert bins.dtype.kind == "i"
    assert study.setting.degrees is None


@pytest.mark.parametrize(("name", "cells"), list(zip(SHIPPED, [246, 139, 304, 304, 79, 79], strict=True)))
def test_the_number_of_cells_is_the_published_one(name: str, cells: int) -> None:
    assert int(datasets[name].load().measurement.sum()) == cells


def test_every_table_names_its_source() -> None:
    files = sorted(places.TABLES.glob("*.csv"))
    assert files
    for path in files:
        lines = path.read_text(encoding="utf-8").splitlines()
        head = "\n".join(line for line in lines if line.startswith("#"))
        assert "https://" in head, path.name


def test_a_changed_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = ringach2002b.FILE
    content = (places.TABLES / name).read_bytes()
    monkeypatch.setattr(tables, "TABLES", tmp_path)
    with pytest.raises(DataError, match=rf"{name}: no such file; reinstall"):
        tables.read_table(name, ringach2002b.SOURCE)
    (tmp_path / name).write_bytes(content.replace(b",8\n", b",9\n", 1))
    with pytest.raises(DataError, match=rf"{name}: wrong content: expected sha256 {ringach2002b.SOURCE.sha256}"):
        tables.read_table(name, ringach2002b.SOURCE)
