"""Kar2019-ost on files in Brain-Score's format that are made here: one image twice, two decoders, times and NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.brainscore import brainio
from brainmark.brainscore import files as brainscore
from brainmark.brainscore.studies import kar2019
from brainmark.brainscore.studies.kar2019 import BINS, CEILING
from brainmark.core import Experiment, InvalidMeasurement, NotApplicable, Stimuli, benchmarks, datasets
from brainmark.data.fetch.places import places

COUNT, OBJECTS, NEUROIDS = 250, 10, 400
IDS = [f"im{k:03d}" for k in np.random.default_rng(3).permutation(COUNT)]
LABELS = np.array([f"object{k % OBJECTS}" for k in range(COUNT)])
LATENCY = np.random.default_rng(4).uniform(80, 220, COUNT)  # ms, of each image


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    rows = dict(brainscore.read_rows())
    monkeypatch.setattr(brainscore, "read_rows", lambda: rows)
    assembly, stimuli = ("assembly", "Kar2019"), ("stimuli", "Kar2019")
    at = [tmp_path / "mirror" / places(s.url)[0] for s in rows[assembly].sources + rows[stimuli].sources]
    at[0].parent.mkdir(parents=True)
    order = [*range(COUNT), 7]  # one stands twice
    times = np.where(np.arange(COUNT) % 25 == 0, np.nan, LATENCY)
    recording = xr.DataArray(
        np.stack([np.zeros(len(order)), times[order]]),
        dims=("decoder", "presentation"),
        coords={
            "decoder": ["logistic", "svm"],
            "image_id": ("presentation", [IDS[k] for k in order]),
            "i1": ("presentation", np.full(len(order), 1.2)),
            "image_label": ("presentation", LABELS[order]),
        },
    )
    rows[assembly] = rows[assembly]._replace(sha1=brainio.write_assembly(recording, at[0]))
    media = tuple(np.full((8, 8, 3), k, np.uint8) for k in range(COUNT))
    table = pd.DataFrame({"image_label": LABELS}, index=pd.Index(IDS, name="stimulus_id"))
    _, zip_sha1 = brainio.write_stimuli(Stimuli("set", "image", table, media), at[1], at[2])
    lines = at[1].read_text().splitlines()
    at[1].write_text("\n".join([*lines, lines[8]]) + "\n")  # and once more in the table
    rows[stimuli] = rows[stimuli]._replace(sha1=brainscore_sha1(at[1]), zip_sha1=zip_sha1)


def brainscore_sha1(path: Path) -> str:
    import hashlib

    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


class Ramping:
    """Neuroids that carry the object more clearly from the latency of each image on, or at once and for ever."""

    identifier = "ramping"

    def __init__(self, static: bool = False) -> None:
        self.static = static

    def perform(self, experiment: Experiment) -> xr.DataArray:
        ids, generator = experiment.stimuli.ids, np.random.default_rng(5)
        place = [IDS.index(i) for i in ids]
        codes = generator.normal(size=(OBJECTS, NEUROIDS))
        noise = generator.normal(size=(len(ids), NEUROIDS))
        bins = experiment.ask.time_bins  # pyright: ignore[reportAttributeAccessIssue]
        after = np.array([[(start + end) / 2 - LATENCY[k] for start, end in bins] for k in place])
        gain = np.ones_like(after) if self.static else 1 / (1 + np.exp(-after / 3))
        signal = codes[[int(LABELS[k].removeprefix("object")) for k in place]]
        values = gain[:, None, :] * signal[:, :, None] + noise[:, :, None]
        return xr.DataArray(
            values,
            dims=("presentation", "neuroid", "time_bin"),
            coords={
                "stimulus_id": ("presentation", ids),
                "neuroid_id": ("neuroid", [f"n{k}" for k in range(NEUROIDS)]),
                "region": ("neuroid", ["IT"] * NEUROIDS),
                "time_bin_start": ("time_bin", [b[0] for b in bins]),
                "time_bin_end": ("time_bin", [b[1] for b in bins]),
            },
        )


@pytest.mark.usefixtures("served")
def test_the_decoder_is_chosen_images_stand_once_and_never_solved_is_nan() -> None:
    study = datasets["Kar2019"].load()
    assert study.measurement.dims == ("presentation",)
    assert study.measurement.coords["stimulus_id"].values.tolist() == sorted(IDS)
    order = [IDS.index(i) for i in sorted(IDS)]
    expected = np.where(np.array(order) % 25 == 0, np.nan, LATENCY[order])
    np.testing.assert_array_equal(study.measurement.values, expected)
    np.testing.assert_array_equal(study.measurement.coords["image_label"].values, LABELS[order])
    assert study.stimuli is not None
    np.testing.assert_array_equal(np.asarray(study.stimuli.media[0])[0, 0], [order[0]] * 3)


@pytest.mark.usefixtures("served")
@pytest.mark.slow
def test_a_model_whose_latencies_are_those_of_the_brain_is_recovered() -> None:
    benchmark = benchmarks["Kar2019-ost"].load()
    score = benchmark(Ramping())
    assert len(BINS) == 18
    assert score.ceiling == CEILING
    assert score.value == pytest.approx(score.raw / CEILING)
    assert score.raw > 0.6
    assert score.interval is None
    assert 0.5 < score.details["share of images solved"] <= 1


@pytest.mark.usefixtures("served")
def test_a_static_model_does_not_apply() -> None:
    with pytest.raises(NotApplicable, match="without dynamics"):
        benchmarks["Kar2019-ost"].load()(Ramping(static=True))


@pytest.mark.usefixtures("served")
def test_an_assembly_without_thresholds_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    read = brainio.read_assembly
    monkeypatch.setattr(kar2019, "read_assembly", lambda path: read(path).drop_vars("i1"))
    with pytest.raises(InvalidMeasurement, match="no coordinate 'i1'"):
        datasets["Kar2019"].load()
