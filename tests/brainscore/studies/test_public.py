"""Brain-Score's benchmarks on files in its format that are made here; its own packages: bench/parity/brainio.py."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.brainscore import brainio
from brainmark.brainscore import files as brainscore
from brainmark.brainscore import metrics as published
from brainmark.core import Benchmark, Choose, Record, Score, Stimuli, benchmarks, datasets
from brainmark.core.experiment import Experiment
from brainmark.core.score import make_score
from brainmark.data.fetch.places import places
from brainmark.studies.geirhos2021 import OBJECTS

COUNT = 120
IDS = [f"im{k:03d}" for k in np.random.default_rng(9).permutation(COUNT)]
FEATURES = np.random.default_rng(0).normal(size=(COUNT, 30))
Serve = Callable[[str, dict[str, Any], dict[str, Any]], None]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Write a data set in Brain-Score's format into a mirror, and register its sha1 in the place of the published."""
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "mirror"))
    rows = dict(brainscore.read_rows())
    monkeypatch.setattr(brainscore, "read_rows", lambda: rows)

    def write(name: str, recording: dict[str, Any], columns: dict[str, Any]) -> None:
        media = tuple(np.full((8, 8, 3), k, np.uint8) for k in range(COUNT))
        shown = Stimuli("set", "image", pd.DataFrame(columns, index=pd.Index(IDS, name="stimulus_id")), media)
        found = rows["assembly", name]
        key = ("stimuli", found.stimuli)
        at = [tmp_path / "mirror" / places(s.url)[0] for s in found.sources + rows[key].sources]
        at[0].parent.mkdir(parents=True, exist_ok=True)
        rows["assembly", name] = found._replace(sha1=brainio.write_assembly(xr.DataArray(**recording), at[0]))
        csv_sha1, zip_sha1 = brainio.write_stimuli(shown, at[1], at[2])
        rows[key] = rows[key]._replace(sha1=csv_sha1, zip_sha1=zip_sha1)

    return write


def rates(regions: tuple[str, str], repetitions: int = 6, bins: int = 1, width: float = 100.0) -> dict[str, Any]:
    """Noisy readouts of the features: ten neuroids a region; the last repetition was made of half of the images."""
    generator = np.random.default_rng(1)
    clean = FEATURES @ generator.normal(size=(30, 20)) / 5
    rows = [(s, r) for r in range(repetitions) for s in range(COUNT) if r < repetitions - 1 or s % 2]
    rows = np.array([rows[k] for k in generator.permutation(len(rows))])
    gain = np.linspace(0.2, 1.0, bins)
    return {
        "data": clean[rows[:, 0], :, None] * gain + generator.normal(size=(len(rows), 20, bins)),
        "dims": ("presentation", "neuroid", "time_bin"),
        "coords": {
            "image_id": ("presentation", [IDS[s] for s, _ in rows]),
            "repetition": ("presentation", rows[:, 1]),
            "neuroid_id": ("neuroid", [f"n{k}" for k in range(20)]),
            "region": ("neuroid", np.repeat(regions, 10)),
            "time_bin_start": ("time_bin", width * np.arange(bins)),
            "time_bin_end": ("time_bin", width * np.arange(1, bins + 1)),
        },
    }


class Fixed:
    """Answers with fixed rows, whatever it is shown."""

    identifier = "fixed"

    def __init__(self, rows: np.ndarray, choices: tuple[str, ...] = ()) -> None:
        self.rows, self.choices = pd.DataFrame(rows, index=IDS), choices

    def perform(self, experiment: Experiment) -> xr.DataArray:
        values, ids = self.rows.loc[experiment.stimuli.ids.tolist()].to_numpy(), experiment.stimuli.ids
        coords: dict[str, Any] = {"stimulus_id": ("presentation", ids)}
        if isinstance(experiment.ask, Choose):
            coords["choice"] = ("choice", list(self.choices))
            return xr.DataArray(values, dims=("presentation", "choice"), coords=coords)
        assert isinstance(experiment.ask, Record)
        coords |= {"neuroid_id": ("neuroid", [f"u{k}" for k in range(values.shape[1])])}
        coords |= {"region": ("neuroid", [experiment.ask.region] * values.shape[1])}
        if not experiment.ask.time_bins:
            return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)
        start, end = zip(*experiment.ask.time_bins, strict=True)
        coords |= {"time_bin_start": ("time_bin", list(start)), "time_bin_end": ("time_bin", list(end))}
        stacked = np.repeat(values[..., None], len(start), axis=2)
        return xr.DataArray(stacked, dims=("presentation", "neuroid", "time_bin"), coords=coords)


def scored(name: str, subject: Fixed) -> tuple[Score, Benchmark]:
    benchmark = benchmarks[name].load()
    raw = benchmark.metric(benchmark.answer(subject), benchmark.mean_target)
    top = benchmark.ceiling_comparison
    return make_score(name, subject.identifier, raw, top, {}, 0, benchmark.convention), benchmark


LABELS = {"object_name": [f"o{k % 4}" for k in range(COUNT)], "texture_type": [f"t{k % 3}" for k in range(COUNT)]}


@pytest.mark.parametrize(
    ("name", "dataset", "regions", "stratify"),
    [
        ("MajajHong2015public.IT-pls", "MajajHong2015.public", ("V4", "IT"), "object_name"),
        ("FreemanZiemba2013public.V1-pls", "FreemanZiemba2013.public", ("V1", "V2"), "texture_type"),
    ],
)
def test_predictivity_is_r_squared_over_reliability_of_the_region(
    serve: Serve, name: str, dataset: str, regions: tuple[str, str], stratify: str
) -> None:
    bins = (1, 100.0) if "Majaj" in name else (6, 50.0)
    given = rates(regions, bins=bins[0], width=bins[1])
    serve(dataset, given, LABELS)
    units = FEATURES[:, :25] + 0.3
    score, benchmark = scored(name, Fixed(units))

    assert benchmark.experiment.setting.degrees == {"M": 8, "F": 4}[name[0]]
    region = name.partition(".")[2].removesuffix("-pls")
    flat = xr.DataArray(**given).isel(neuroid=given["coords"]["region"][1] == region)
    flat = flat.isel(time_bin=0) if bins[0] == 1 else flat.isel(time_bin=slice(1, 4)).mean("time_bin")  # 50 to 200 ms
    places_of = pd.Index(IDS).get_indexer(flat.image_id.values)
    columns = {key: ("presentation", np.array(value)[places_of]) for key, value in LABELS.items()}
    flat = flat.assign_coords(stimulus_id=flat.image_id, **columns)
    averaged = published.average_repetition(flat, ("image_id", *LABELS, "stimulus_id"))
    order = pd.Index(IDS).get_indexer(averaged.image_id.values)
    prediction = xr.DataArray(
        units[order], dims=("presentation", "neuroid"), coords={"stimulus_id": averaged.stimulus_id}
    )
    r = published.aggregate(published.pls(stratify=stratify)(prediction, averaged)).value
    top = published.aggregate(published.internal_consistency(flat)).value
    assert score.raw == pytest.approx(r, abs=1e-9)
    assert score.ceiling == pytest.approx(top, abs=1e-9)
    assert score.value == pytest.approx(r**2 / top, abs=1e-9)
    assert score.interval is None
    assert score.units is not None
    assert score.units.sizes == {"neuroid": 10}


def test_each_new_bin_of_a_temporal_recording_is_measured_for_itself(serve: Serve) -> None:
    serve("MajajHong2015.temporal.public", rates(("V4", "IT"), repetitions=4, bins=6, width=5.0), LABELS)
    score, benchmark = scored("MajajHong2015public.IT-temporal-pls", Fixed(FEATURES))
    assert benchmark.experiment.ask.time_bins == ((0.0, 10.0), (10.0, 20.0))
    measured = datasets["MajajHong2015.temporal.public"].load().measurement
    pairs = measured.isel(neuroid=slice(10, 20)).transpose("presentation", "neuroid", "repetition", "time_bin").values
    target = benchmark.target.transpose("presentation", "neuroid", "repetition", "time_bin").values
    np.testing.assert_allclose(target[..., 1], pairs[..., 2:4].mean(-1))
    assert score.units is not None
    r, top = score.units["raw"].values, score.units["ceiling"].values
    assert r.shape == (2,)
    assert r[1] > r[0] > 0, "the later bin has more signal"
    assert score.value == pytest.approx((r**2).mean() / top.mean())


def choices(labels: tuple[str, ...], people: int, conditions: tuple[str, ...] = ("all",)) -> tuple[dict, dict]:
    generator = np.random.default_rng(4)
    truth = np.array([labels[k % len(labels)] for k in range(COUNT)])
    condition = np.array([conditions[k % len(conditions)] for k in range(COUNT)])
    rows = generator.permutation(COUNT * people)
    image, person = rows % COUNT, rows // COUNT
    other = np.array([generator.choice([one for one in labels if one != t]) for t in truth[image]])
    chosen = np.where(generator.random(len(rows)) < 0.15 + 0.4 * (image % 5 == 0), other, truth[image])
    coords = {"stimulus_id": np.array(IDS)[image], "subject": [f"p{p}" for p in person], "truth": truth[image]}
    coords |= {"sample_obj": truth[image], "dist_obj": other, "condition": condition[image]}
    trials = {"data": chosen, "dims": ("presentation",), "coords": {k: ("presentation", v) for k, v in coords.items()}}
    return trials, {"truth": truth, "image_label": truth, "condition": condition}


def guesses(columns: dict, labels: tuple[str, ...]) -> np.ndarray:
    noise = np.random.default_rng(5).dirichlet(np.ones(len(labels)), COUNT)
    return noise + 0.4 * np.equal.outer(columns["truth"], np.array(labels))


def test_image_level_choices_are_divided_by_the_root_of_the_ceiling_each_halving(serve: Serve) -> None:
    labels = ("bear", "car", "dog")
    trials, columns = choices(labels, 30)
    serve("Rajalingham2018.public", trials, columns)
    score, benchmark = scored("Rajalingham2018public-i2n", Fixed(guesses(columns, labels), labels))
    assert isinstance(benchmark.experiment.ask, Choose)
    assert benchmark.experiment.ask.fitting is not None
    assert benchmark.experiment.ask.fitting.table["label"].tolist() == columns["image_label"].tolist()
    metric, flat = published.image_level("i2n"), xr.DataArray(**trials)
    rows = xr.DataArray(
        guesses(columns, labels),
        dims=("presentation", "choice"),
        coords={"stimulus_id": ("presentation", IDS), "choice": list(labels)},
    )
    r, top = metric(rows, flat).splits, metric.ceiling(flat).splits
    assert r is not None
    assert top is not None
    assert score.raw == pytest.approx(r.values.mean())
    assert score.value == pytest.approx(float((r.values / np.sqrt(top.values)).mean()))


def test_conditions_that_people_fail_are_left_out(serve: Serve) -> None:
    trials, columns = choices(OBJECTS, 4, ("cr", "bw", "sp"))
    columns["condition"][columns["condition"] == "sp"] = "bw"
    trials["coords"]["condition"][1][trials["coords"]["condition"][1] == "sp"] = "bw"
    serve("Geirhos2021_colour", trials, columns)
    subject = Fixed(guesses(columns, OBJECTS), OBJECTS)
    score, benchmark = scored("Geirhos2021colour-error_consistency", subject)
    assert set(benchmark.target.coords["condition"].values) == {"bw"}
    assert benchmark.target.dims == ("presentation", "choice", "subject")
    assert score.ceiling is not None
    assert score.value == pytest.approx(min(score.raw / score.ceiling, 1.0))

    accuracy, _ = scored("Geirhos2021colour-top1", subject)
    named = np.array(OBJECTS)[guesses(columns, OBJECTS).argmax(1)]
    kept = columns["condition"] == "bw"
    assert accuracy.value == pytest.approx((named == columns["truth"])[kept].mean())
    assert accuracy.ceiling is None


def test_all_are_registered_in_the_published_convention() -> None:
    names = [e.name for e in benchmarks.entries() if "brainscore" in e.card.tags]
    studies = Counter(re.split(r"[.\-_]|(?<=Geirhos2021)", name)[0] for name in names)
    assert studies == {
        "MajajHong2015public": 4, "FreemanZiemba2013public": 2, "Rajalingham2018public": 1, "Geirhos2021": 34,
        "Marques2020": 22, "Kar2019": 1, "Pereira2018": 4, "Blank2014": 2, "Fedorenko2016": 2, "Tuckute2024": 4,
        "Futrell2018": 1, "syntaxgym": 31, "Wikitext": 1,
    }  # fmt: skip
    assert all(benchmarks[name].card.tree == "brainscore" for name in names)
    sources = [s for n in names for d in benchmarks[n].card.datasets for s in datasets[d].card.sources]
    assert not [s.url for s in sources if s.url and "amazonaws" in s.url and s.sha1 is None]
