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


def test_orientations_cover_the_circle_once() -> None:
    bins = datasets["DeValois1982.preferred_orientation"].load().measurement
    assert float(bins.coords["bin_end"][-1] - bins.coords["bin_start"][0]) == 180


def test_spatial_frequencies_have_the_published_centre() -> None:
    bins = datasets["DeValois1982.preferred_spatial_frequency"].load().measurement
    cells, edges = bins.values, np.append(bins.coords["bin_start"].values, bins.coords["bin_end"].values[-1])
    median = 2 ** np.interp(0.5, np.append(0, cells.cumsum()) / cells.sum(), np.log2(edges))
    assert median == pytest.approx(2.69, abs=0.01)
    assert cells[edges[:-1] >= 2].sum() / cells.sum() == pytest.approx(0.705, abs=0.001)


def test_the_margins_of_receptive_field_shape_are_those_of_the_joint_table() -> None:
    counts, edges = ringach2002b.joint_counts()
    assert counts.shape == (5, 5)
    assert counts[1, 0] == 8  # short and narrow; (nx, ny), not the other way
    assert counts[2, 3] == 17
    np.testing.assert_allclose(edges, 10 ** np.linspace(-1, 0.2, 6), rtol=1e-5)
    shares = datasets["Ringach2002b.nx"].load().measurement.values / 79
    np.testing.assert_allclose(shares, [0.038, 0.278, 0.532, 0.152, 0], atol=0.0006)
    np.testing.assert_array_equal(datasets["Ringach2002b.ny"].load().measurement.values, counts.sum(axis=0))


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
