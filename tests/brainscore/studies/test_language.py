"""Brain-Score's language benchmarks on files in its format that are made here and served over HTTP."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import brainio
from brainmark.brainscore import metrics as published
from brainmark.brainscore.metrics.language import linear_pearsonr, pearsonr, reading_ceiling, ridge_pearsonr
from brainmark.brainscore.studies import language as module
from brainmark.core import Benchmark, Experiment, InvalidMeasurement, Read, Record, Score, benchmarks, datasets
from brainmark.core.score import make_score
from brainmark.data.fetch.places import places

COUNT, VOXELS, PEOPLE = 96, 4, 5
GENERATOR = np.random.default_rng(0)
FEATURES = GENERATOR.normal(size=(COUNT, 6))
ORDER = np.random.default_rng(3).permutation(COUNT)  # presentations do not lie in the order of their names
Publish = Callable[..., str]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Write an assembly as Brain-Score does, serve it over HTTP, register its sha1 in the place of the published."""
    root = tmp_path / "bucket"
    root.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BRAINMARK_MIRROR", f"http://127.0.0.1:{server.server_address[1]}")

    def write(name: str, recording: xr.DataArray, prefix: str = "assy") -> str:
        source = module.source_of(name, prefix, "0" * 40)
        path = root / places(source.url)[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        sha1 = brainio.write_assembly(recording, path)
        if name in module.FILES:
            about = module.FILES[name]
            monkeypatch.setitem(
                module.FILES, name, module.LanguageFile(sha1, about.what, about.cite, about.context, about.text)
            )
        return sha1

    yield write
    server.shutdown()
    server.server_close()


def sentences(**columns: list[Any]) -> dict[str, Any]:
    return {
        "stimulus_id": ("presentation", [f"s{k}" for k in ORDER]),
        "stimulus": ("presentation", [f"Sentence number {k}." for k in ORDER]),
        **{name: ("presentation", values) for name, values in columns.items()},
    }


def voxels(subjects: str, noise: float = 0.5) -> tuple[np.ndarray, dict[str, Any]]:
    """Noisy readouts of the features, rows in the order of the file, some voxels for each person."""
    generator = np.random.default_rng(1)
    clean = FEATURES[ORDER] @ generator.normal(size=(6, VOXELS * PEOPLE))
    coords = {
        "neuroid_id": ("neuroid", np.arange(VOXELS * PEOPLE)),
        subjects: ("neuroid", np.repeat([f"p{k}" for k in range(PEOPLE)], VOXELS)),
    }
    return clean + noise * clean.std(axis=0) * generator.normal(size=clean.shape), coords


class Fixed:
    """Answers with the features of the sentences, and remembers what it was asked."""

    identifier = "fixed"

    def __init__(self) -> None:
        self.asked: list[Experiment] = []

    def perform(self, experiment: Experiment) -> xr.DataArray:
        self.asked.append(experiment)
        ids = experiment.stimuli.ids
        rows = np.array([int(i.removeprefix("s")) for i in ids.tolist()])
        coords: dict[str, Any] = {"stimulus_id": ("presentation", ids)}
        if isinstance(experiment.ask, Read):
            return xr.DataArray(100 + FEATURES[rows, 0], dims="presentation", coords=coords)
        assert isinstance(experiment.ask, Record)
        coords |= {
            "neuroid_id": ("neuroid", [f"u{k}" for k in range(6)]),
            "region": ("neuroid", [experiment.ask.region] * 6),
        }
        return xr.DataArray(FEATURES[rows], dims=("presentation", "neuroid"), coords=coords)


def scored(name: str) -> tuple[Score, Benchmark, Experiment]:
    benchmark, subject = benchmarks[name].load(), Fixed()
    raw = benchmark.metric(benchmark.answer(subject), benchmark.mean_target)
    score = make_score(name, "fixed", raw, benchmark.ceiling_comparison, {}, 0, benchmark.convention)
    return score, benchmark, subject.asked[0]


def reference(recording: xr.DataArray, kind: str, group: str, folds: int = 10) -> float:
    metric = ridge_pearsonr(group, folds) if kind == "ridge" else linear_pearsonr()
    columns = {k: v for k, v in recording.coords.items() if v.dims == ("presentation",)}
    units = xr.DataArray(FEATURES[ORDER], dims=("presentation", "neuroid"), coords=columns)
    return published.aggregate(metric(units, recording)).value


@pytest.mark.parametrize(
    ("study", "subjects", "group", "folds", "kind"),
    [
        ("Blank2014", "subject_id", "story", 8, "ridge"),
        ("Fedorenko2016", "subject_UID", "sentence_id", 10, "ridge"),
        ("Fedorenko2016", "subject_UID", "sentence_id", 10, "linear"),
    ],
)
def test_recordings_are_predicted_and_divided_by_an_extrapolated_ceiling(
    publish: Publish, study: str, subjects: str, group: str, folds: int, kind: str
) -> None:
    values, coords = voxels(subjects)
    texts = [f"t{k % 12}" for k in ORDER]
    recording = xr.DataArray(values, dims=("presentation", "neuroid"), coords={**sentences(**{group: texts}), **coords})
    recording = recording.isel(neuroid=slice(0, 3 * VOXELS, 4))  # three people, a voxel each: the ceiling is quick
    publish(module.EXTRAPOLATED[study][0], recording)
    score, benchmark, asked = scored(f"{study}-{kind}{'' if kind == 'ridge' else '-shuffle'}")

    metric = ridge_pearsonr(group, folds) if kind == "ridge" else linear_pearsonr()
    top = published.ExtrapolationCeiling(metric, subjects)(recording).aggregate()
    raw = reference(recording, kind, group, folds)
    assert score.raw == pytest.approx(raw, abs=1e-9)
    assert score.ceiling == pytest.approx(top, abs=1e-9)
    assert score.value == pytest.approx(min(max(raw / top, 0), 1), abs=1e-9)
    assert score.interval is None
    assert asked.ask == Record("language_system")
    assert [asked.stimuli.table[group].iloc[c].nunique() for c in asked.contexts] == [1] * 12
    assert asked.stimuli.media[0] == f"Sentence number {ORDER[0]}."
    assert benchmark.card.tree == "brainscore"


@pytest.mark.parametrize("kind", ["ridge", "linear"])
def test_pereira_has_two_experiments_with_published_ceilings(
    publish: Publish, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    values, coords = voxels("subject")
    experiment = np.where(ORDER < 60, "384sentences", "243sentences")
    values[experiment == "243sentences", :VOXELS] = np.nan  # the first person took part in one experiment
    columns = sentences(
        experiment=experiment.tolist(), passage_label=[f"p{k % 24}" for k in ORDER], story=[f"t{k % 12}" for k in ORDER]
    )
    recording = xr.DataArray(values, dims=("presentation", "neuroid"), coords={**columns, **coords})
    publish("Pereira2018.language", recording)
    center = xr.DataArray([0.4, 0.02], dims="aggregation", coords={"aggregation": ["center", "error"]})
    sha1 = publish(f"Pereira2018.243sentences-{kind}", center, prefix="ceiling")
    version = module.CEILINGS[f"243sentences-{kind}"][1]
    monkeypatch.setitem(module.CEILINGS, f"243sentences-{kind}", (sha1, version))
    score, _, asked = scored(f"Pereira2018.243sentences-{kind}{'' if kind == 'ridge' else '-shuffle'}")
    part = recording.isel(presentation=experiment == "243sentences", neuroid=slice(VOXELS, None))
    order = ORDER[experiment == "243sentences"]
    metric = ridge_pearsonr("story") if kind == "ridge" else linear_pearsonr()
    columns = {k: v for k, v in part.coords.items() if v.dims == ("presentation",)}
    units = xr.DataArray(FEATURES[order], dims=("presentation", "neuroid"), coords=columns)
    assert score.raw == pytest.approx(published.aggregate(metric(units, part)).value, abs=1e-9)
    assert score.ceiling == 0.4
    assert score.value == pytest.approx(min(score.raw / 0.4, 1.0))
    assert asked.setting.context == "passage_label"
    assert score.units is not None
    assert score.units.sizes["neuroid"] == VOXELS * (PEOPLE - 1)


def test_the_mean_of_people_has_no_ceiling(publish: Publish) -> None:
    values, _ = voxels("subject")
    recording = xr.DataArray(
        values[:, :1], dims=("presentation", "neuroid"), coords={**sentences(), "neuroid_id": ("neuroid", [0])}
    )
    publish("Tuckute2024.language", recording)
    for kind in ("ridge", "linear"):
        score, _, asked = scored(f"Tuckute2024-{kind}")
        metric = ridge_pearsonr() if kind == "ridge" else linear_pearsonr()
        columns = {k: v for k, v in recording.coords.items() if v.dims == ("presentation",)}
        units = xr.DataArray(FEATURES[ORDER], dims=("presentation", "neuroid"), coords=columns)
        assert score.value == score.raw == pytest.approx(published.aggregate(metric(units, recording)).value, abs=1e-9)
        assert score.ceiling is None
        assert asked.setting.context is None
    similar = scored("Tuckute2024-cka")[0]
    assert 0 < similar.value < 1


def test_reading_times_are_compared_with_the_mean_reader(publish: Publish) -> None:
    generator = np.random.default_rng(5)
    times = 300 + 20 * FEATURES[ORDER, :1] + generator.normal(0, 30, (COUNT, 12))
    times[generator.random(times.shape) < 0.2] = np.nan
    columns = sentences(word_within_sentence_id=[k % 8 + 1 for k in range(COUNT)])
    columns["word"] = columns.pop("stimulus")
    people = {"subject_id": ("subject", [f"r{k}" for k in range(12)])}
    publish("Futrell2018", xr.DataArray(times, dims=("presentation", "subject"), coords={**columns, **people}))
    score, benchmark, asked = scored("Futrell2018-pearsonr")
    later = np.arange(COUNT) % 8 != 0
    r = np.corrcoef(FEATURES[ORDER[later], 0], np.nanmean(times[later], axis=1))[0, 1]
    assert score.raw == pytest.approx(abs(r), abs=1e-12)
    assert score.value == pytest.approx(min(abs(r) / reading_ceiling(benchmark.target).aggregate(), 1))
    assert asked.ask == Read("reading_time")
    assert len(asked.contexts) == 1  # all stories in one go
    assert datasets["Futrell2018"].load().measurement.sizes == {"presentation": COUNT, "subject": 12}


def test_the_ceiling_of_reading_times_is_drawn_as_published() -> None:
    generator = np.random.default_rng(8)
    times = generator.normal(size=(200, 1)) + 2 * generator.normal(size=(200, 9))
    found = reading_ceiling(xr.DataArray(times, dims=("presentation", "subject"))).aggregate()
    state, values = np.random.RandomState(0), []
    names = np.array([f"r{k}" for k in range(9)])
    for _ in range(10):
        half = state.choice(names, size=4, replace=False)
        inside = np.isin(names, half)
        r = abs(np.corrcoef(times[:, inside].mean(1), times[:, ~inside].mean(1))[0, 1])
        values.append(2 * r / (1 + r))
    assert found == pytest.approx(np.median(values), abs=1e-12)


def test_signs_are_lost_as_published() -> None:
    x = np.arange(5.0)
    assert pearsonr(x, -x).aggregate() == pytest.approx(1.0)
    assert pearsonr(x, -x).details["r"] == pytest.approx(-1.0)
    with pytest.raises(InvalidMeasurement, match="two vectors of one length"):
        pearsonr(x, x[:3])


def test_an_assembly_without_its_texts_is_refused(publish: Publish) -> None:
    values, coords = voxels("subject_id")
    recording = xr.DataArray(values, dims=("presentation", "neuroid"), coords={**sentences(), **coords})
    publish("Blank2014.fROI", recording)
    with pytest.raises(InvalidMeasurement, match="no coordinate 'story'"):
        datasets["Blank2014.fROI"].load()


def test_all_published_identifiers_are_there() -> None:
    cards = {name: benchmarks[name].card for name in benchmarks}
    found = [n for n, card in cards.items() if card.domain == "language" and card.tree == "brainscore"]
    assert len(found) == 45
    assert sum(n.startswith("syntaxgym-") for n in found) == 31
    for source in (module.source_of("Pereira2018.language"), module.source_of("X.y-z", "ceiling", "a" * 40, "v1")):
        assert source.url.startswith("https://brainscore-storage.s3.amazonaws.com/brainscore-language/")
    assert source.url.endswith("/ceiling_X_y-z.nc?versionId=v1")
