"""Marques2020_* on files in Brain-Score's format that are made here: cells, histograms and three sets of stimuli."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.brainscore import brainio
from brainmark.brainscore import files as brainscore
from brainmark.brainscore.metrics import tuning
from brainmark.brainscore.studies.marques2020 import OWN, PROPERTIES, stimuli_of
from brainmark.core import Experiment, InvalidMeasurement, InvalidStimuli, Stimuli, benchmarks, datasets
from brainmark.data.fetch.places import places

ORIENTATIONS, FREQUENCIES, PHASES = np.arange(0, 180, 30.0), (1.0, 2.0, 4.0, 8.0), np.arange(0, 360, 90.0)
PUBLISHED = 22


def rows_of(radii: tuple[float, ...], degrees: float = 8.0) -> pd.DataFrame:
    rows = list(itertools.product(radii, FREQUENCIES, ORIENTATIONS, PHASES))
    table = pd.DataFrame(rows, columns=["radius", "spatial_frequency", "orientation", "phase"])
    return table.assign(degrees=degrees)


class Bench:
    """A mirror that is filled file by file, whose sha1 stand in the place of the published ones."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, dict(brainscore.read_rows())

    def cells(self, name: str, columns: dict[str, np.ndarray], **attrs: Any) -> None:
        key = ("assembly", name)
        path = self.folder / places(self.rows[key].sources[0].url)[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        count = len(next(iter(columns.values())))
        assembly = xr.Dataset(
            {"data": (("neuroid", "neuronal_property"), np.column_stack(list(columns.values())))},
            coords={
                "neuronal_property": list(columns),
                "neuroid_id": ("neuroid", np.arange(count)),
                "region": ("neuroid", ["V1"] * count),
            },
            attrs={"number_of_trials": 20, **attrs},
        )
        path.write_bytes(bytes(assembly.to_netcdf(engine="h5netcdf")))
        sha1 = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
        self.rows[key] = self.rows[key]._replace(sha1=sha1)

    def stimuli(self, name: str, table: pd.DataFrame) -> None:
        key = ("stimuli", name)
        at = [self.folder / places(s.url)[0] for s in self.rows[key].sources]
        at[0].parent.mkdir(parents=True, exist_ok=True)
        table = table.set_axis(pd.Index([f"{name}-{i}" for i in range(len(table))], name="stimulus_id"))
        media = tuple(np.full((4, 4, 3), i % 256, np.uint8) for i in range(len(table)))
        csv_sha1, zip_sha1 = brainio.write_stimuli(Stimuli(name, "image", table, media), *at)
        self.rows[key] = self.rows[key]._replace(sha1=csv_sha1, zip_sha1=zip_sha1)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    made = Bench(tmp_path / "mirror")
    monkeypatch.setattr(brainscore, "read_rows", lambda: made.rows)
    made.stimuli("Marques2020_blank", rows_of((1.0,)).iloc[:1].assign(spatial_frequency=0.0))
    made.stimuli("Marques2020_orientation", rows_of((1.0,)))
    made.stimuli("Marques2020_size", rows_of((0.25, 0.5, 1.0, 2.0, 4.0)))
    made.stimuli("Marques2020_spatial_frequency", rows_of((1.0,)))
    values = np.random.default_rng(0).uniform(0, 1, (2, 300))
    made.cells(
        "Ringach2002",
        {"max_dc": 100 * values[0], "circular_variance": values[1]},
        max_dc_bins=np.linspace(0, 100, 11),
        circular_variance_bins=np.linspace(0, 1, 11),
    )
    made.cells(
        "Cavanaugh2002a",
        {"surround_suppression_index": values[0]},
        surround_suppression_index_bins=np.linspace(0, 1, 11),
    )
    return made


class Tuned:
    """Units with known tuning, which answer what the table of the stimuli says of each."""

    identifier = "tuned"

    def perform(self, experiment: Experiment) -> xr.DataArray:
        table, generator = experiment.stimuli.table, np.random.default_rng(1)
        assert experiment.ask.eccentricity == 0.15  # pyright: ignore[reportAttributeAccessIssue]
        preferred, sharp, gain = (
            generator.uniform(0, 180, 80),
            generator.uniform(0, 4, 80),
            generator.uniform(0.2, 2, 80),
        )
        suppressed = generator.uniform(0, 1, 80)
        angle = 2 * np.deg2rad(table["orientation"].to_numpy()[:, None] - preferred)
        size = np.where(table["radius"].to_numpy()[:, None] > 1, 1 - suppressed, 1)
        on = (table["spatial_frequency"].to_numpy() > 0)[:, None]
        values = np.where(on, gain * np.exp(sharp * (np.cos(angle) - 1)) * size, 0.0)
        return xr.DataArray(
            values,
            dims=("presentation", "neuroid"),
            coords={
                "stimulus_id": ("presentation", experiment.stimuli.ids),
                "neuroid_id": ("neuroid", [f"u{k}" for k in range(80)]),
                "region": ("neuroid", ["V1"] * 80),
            },
        )


def test_all_published_identifiers_are_registered_with_their_files() -> None:
    assert len(PROPERTIES) == PUBLISHED
    for identifier, (assembly, _) in PROPERTIES.items():
        card = benchmarks[f"Marques2020_{identifier}"].card
        assert (card.tree, card.region, card.parent) == ("brainscore", "V1", "V1")
        sources = datasets[card.datasets[0]].card.sources
        assert len(sources) == (5 if OWN[assembly] == "Marques2020_orientation" else 7)


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("Ringach2002-circular_variance", "circular_variance"),
        ("Ringach2002-max_dc", "max_dc"),
        ("Cavanaugh2002-surround_suppression_index", "surround_suppression_index"),
    ],
)
def test_the_score_is_the_similarity_over_that_of_the_cells_with_themselves(
    bench: Bench, identifier: str, name: str
) -> None:
    benchmark = benchmarks[f"Marques2020_{identifier}"].load()
    answer = benchmark.answer(Tuned())
    raw = benchmark.metric(answer, benchmark.mean_target)
    top = benchmark.ceiling_comparison
    assert top is not None
    assert benchmark.convention is not None
    assert benchmark.experiment.setting.degrees == 8
    assert benchmark.experiment.setting.trials == 20
    assert benchmark.convention.normalize(raw, top) == pytest.approx(raw.aggregate() / top.aggregate())
    assert 0.9 < top.aggregate() < 1
    known = {c: ("presentation", stimuli_of(PROPERTIES[identifier][0]).table[c].to_numpy()) for c in ("part", "radius")}
    units = tuning.properties(PROPERTIES[identifier][0], answer.assign_coords(known))[name]
    assert 20 < len(units) <= 80
    expected = tuning.property_similarity(units, benchmark.target.values, benchmark.target.attrs["bins"])
    assert raw.aggregate() == pytest.approx(expected.aggregate())
    assert 0.1 < raw.aggregate() < 1


def test_the_parts_of_the_experiment_stand_one_after_the_other(bench: Bench) -> None:
    stimuli = stimuli_of("Cavanaugh2002a")
    assert stimuli.table["part"].value_counts().to_dict() == {"blank": 1, "orientation": 96, "own": 480}
    assert stimuli.media[0].max() == 0
    assert stimuli.media[1 + 96 + 3].max() == 3  # the fourth of the third set
    with pytest.raises(IndexError):
        stimuli.media[len(stimuli)]


def test_sets_of_different_sizes_and_missing_histograms_are_refused(bench: Bench) -> None:
    bench.stimuli("Marques2020_orientation", rows_of((1.0,), degrees=4.0))
    with pytest.raises(InvalidStimuli, match="do not state one size"):
        stimuli_of("Ringach2002")
    with pytest.raises(InvalidMeasurement, match="'modulation_ratio'"):
        datasets["Marques2020.Ringach2002.modulation_ratio"].load()
