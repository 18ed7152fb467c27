"""NWB files written by pynwb: spikes come back as counts, and what a file lacks is named."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainmark.core import libraries
from brainmark.core.errors import MissingDependency
from brainmark.data.packaging import CannotPackage, load_package, package, parse_description
from brainmark.data.packaging.nwb import spike_counts
from brainmark.data.packaging.sessions import common_name

pynwb = pytest.importorskip("pynwb")

SOURCE: dict[str, Any] = {"file": "a.nwb", "windows": [[70, 170]]}
STEP = 0.4  # s between presentations


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Writing files that deviate from the schema is the point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def one(problems: tuple[str, ...], *words: str) -> str:
    """The one problem with all of these words."""
    hits = [p for p in problems if all(w in p for w in words)]
    assert len(hits) == 1, problems
    return hits[0]


class Recorded:
    """Trials and spikes of one session, and how they are written."""

    def __init__(self, ids: list[str], units: int = 3, repetitions: int = 2, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.shown = [ids[k] for _ in range(repetitions) for k in generator.permutation(len(ids))]
        self.onsets = 10 + STEP * np.arange(len(self.shown))
        self.spikes = [np.sort(generator.uniform(5, self.onsets[-1] + 5, 400 + 100 * u)) for u in range(units)]
        self.regions = ["V4"] * units
        self.subject: dict[str, Any] | None = {"subject_id": "Ada", "species": "Macaca mulatta"}
        self.session = "2026-01-01"
        self.column = "stimulus_id"
        self.obs: Any = None
        self.with_trials = self.with_units = True

    def counts(self, start: float, end: float) -> np.ndarray:
        """Spikes (trial, unit) by a loop."""
        return np.array(
            [[((t >= o + start) & (t < o + end)).sum() for t in self.spikes] for o in self.onsets], dtype=float
        )

    def write(self, path: Path) -> Path:
        """Write the session as a lab's pipeline does."""
        started = datetime(2026, 1, 1, tzinfo=UTC)
        file = pynwb.NWBFile("V4 and photographs", path.stem, started, session_id=self.session)
        if self.subject is not None:
            file.subject = pynwb.file.Subject(**self.subject)
        device = file.create_device("array")
        for region in dict.fromkeys(self.regions):
            group = file.create_electrode_group(f"group {region}", "96 electrodes", region, device)
            file.add_electrode(location=region, group=group)
        if self.with_trials:
            file.add_trial_column(self.column, "which image")
            for shown, onset in zip(self.shown, self.onsets, strict=True):
                file.add_trial(start_time=float(onset), stop_time=float(onset) + 0.1, **{self.column: shown})
        if self.with_units:
            file.add_unit_column("quality", "by hand")
            places = list(dict.fromkeys(self.regions))
            for k, times in enumerate(self.spikes):
                more = {} if self.obs is None else {"obs_intervals": self.obs[k]}
                where = [places.index(self.regions[k])]
                file.add_unit(spike_times=times, quality="good" if k else "noise", electrodes=where, **more)
        with pynwb.NWBHDF5IO(str(path), "w") as io:
            io.write(file)
        return path


@pytest.fixture
def session(lab: Any) -> Recorded:
    """Two trials of each image, three units."""
    return Recorded(lab.ids)


def told(lab: Any, *sources: dict[str, Any], **changes: Any) -> Any:
    return lab.prepared(*sources, **{"species": None, **changes})


def by_stimulus(session: Recorded, values: np.ndarray, ids: list[str]) -> np.ndarray:
    """Trials (trial, ...) in the order of stimuli, (stimulus, repetition, ...)."""
    return np.array([values[[k for k, s in enumerate(session.shown) if s == one]] for one in ids])


# --- times, text and regions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "unit"), [(1000, "milliseconds"), (30_000, "samples")])
def test_spikes_in_another_unit_are_refused_or_converted(lab: Any, session: Recorded, factor: int, unit: str) -> None:
    seconds = session.spikes
    session.spikes = [np.round(t * factor) for t in seconds]
    session.write(lab.folder / "a.nwb")
    assert f"look like {unit}" in one(lab.refused(SOURCE, species=None), "spike_times", "spike_clock")
    made = told(lab, {**SOURCE, "spike_clock": factor}).measurement
    session.spikes = [np.round(t * factor) / factor for t in seconds]
    expected = by_stimulus(session, session.counts(0.070, 0.170), lab.ids).transpose(0, 2, 1)
    np.testing.assert_array_equal(made.values, expected)


def test_padding_among_spikes_is_left_out_and_noted(lab: Any, session: Recorded) -> None:
    expected = by_stimulus(session, session.counts(0.070, 0.170), lab.ids).transpose(0, 2, 1)
    session.spikes[1] = np.append(session.spikes[1], [np.nan, np.nan])
    session.write(lab.folder / "a.nwb")
    made = told(lab, SOURCE)
    np.testing.assert_array_equal(made.measurement.values, expected)
    assert any("2 of 502 of unit '1'" in note for note in made.notes)


def test_what_a_file_states_is_not_called_missing(lab: Any, session: Recorded) -> None:
    session.onsets[3] = np.nan
    session.write(lab.folder / "a.nwb")
    problems = lab.refused(SOURCE, species=None)
    one(problems, "1 presentations have no 'start_time'")
    assert not any("species" in p for p in problems)
    (lab.folder / "a.nwb").write_bytes(b"\x89HDF\r\n\x1a\n broken")
    assert not any("species" in p for p in lab.refused(SOURCE, species=None))


@pytest.mark.parametrize("kind", ["fixed", "ascii"])
def test_regions_in_bytes_are_text(lab: Any, session: Recorded, kind: str) -> None:
    session.regions = ["V4", "IT", "V4"]
    path = session.write(lab.folder / "a.nwb")
    with h5py.File(path, "r+") as file:
        name = "general/extracellular_ephys/electrodes/location"
        attributes = dict(file[name].attrs)
        del file[name]
        content: Any = np.array([b"V4", b"IT"]) if kind == "fixed" else ["V4", "IT"]
        held = file.create_dataset(name, data=content, dtype=None if kind == "fixed" else h5py.string_dtype("ascii"))
        held.attrs.update(attributes)
    assert told(lab, SOURCE).measurement.coords["region"].values.tolist() == ["V4", "IT", "V4"]


def test_a_column_of_regions_that_is_not_there(lab: Any, session: Recorded) -> None:
    session.write(lab.folder / "a.nwb")
    one(
        lab.refused({**SOURCE, "region_column": "qualty"}, species=None), "no column 'qualty'", "did you mean 'quality'"
    )
    made = told(lab, {**SOURCE, "region_column": "quality"}).measurement
    assert made.coords["region"].values.tolist() == ["noise", "good", "good"]


def test_regions_of_units_without_electrodes(lab: Any, session: Recorded) -> None:
    path = session.write(lab.folder / "a.nwb")
    with h5py.File(path, "r+") as file:
        del file["units/electrodes"], file["units/electrodes_index"]
        file["units"].attrs["colnames"] = [c for c in file["units"].attrs["colnames"] if c != "electrodes"]
    assert told(lab, SOURCE).measurement.coords["region"].values.tolist() == ["V4"] * 3


def test_touching_intervals_are_one(lab: Any, session: Recorded) -> None:
    borders = [0, *(session.onsets[5:8] + 0.1), session.onsets[-1] + 10]
    session.obs = [np.array(list(pairwise(borders)))] * 3
    session.write(lab.folder / "a.nwb")
    assert not told(lab, SOURCE).measurement.isnull().any()


# --- the round trip --------------------------------------------------------------------------------------------------


def test_spikes_come_back_as_counts(lab: Any, session: Recorded) -> None:
    session.write(lab.folder / "a.nwb")
    out = lab.folder / "out"
    package(parse_description(lab.describe(SOURCE, species=None), "lab.toml"), lab.folder, out)
    study = load_package(out)
    expected = by_stimulus(session, session.counts(0.070, 0.170), lab.ids)
    np.testing.assert_array_equal(study.measurement.transpose("presentation", "repetition", "neuroid").values, expected)
    assert study.card.species == ("macaque",) and study.card.regions == ("V4",)
    assert study.measurement.coords["subject"].values.tolist() == ["Ada"] * 3
    assert (study.measurement.attrs["time_bin_start"], study.measurement.attrs["time_bin_end"]) == (70, 170)
    assert study.measurement.attrs["units"] == "spikes"


def test_several_windows_are_time_bins(lab: Any, session: Recorded) -> None:
    session.write(lab.folder / "a.nwb")
    windows = [[0, 50], [50, 100], [100, 200]]
    made = told(lab, {**SOURCE, "windows": windows}).measurement
    assert made.dims == ("presentation", "neuroid", "time_bin", "repetition")
    for k, (start, end) in enumerate(windows):
        expected = by_stimulus(session, session.counts(start / 1000, end / 1000), lab.ids)
        np.testing.assert_array_equal(
            made.isel(time_bin=k).transpose("presentation", "repetition", "neuroid"), expected
        )
    assert made.coords["time_bin_end"].values.tolist() == [50, 100, 200]


def test_regions_come_from_electrodes_and_units_may_be_chosen(lab: Any, session: Recorded) -> None:
    session.regions = ["V4", "IT", "IT"]
    session.write(lab.folder / "a.nwb")
    made = told(lab, SOURCE)
    assert made.card.regions == ("V4", "IT")
    good = told(lab, {**SOURCE, "where": {"quality": "good"}})
    assert good.measurement.coords["neuroid_id"].values.tolist() == ["1", "2"] and good.card.regions == ("IT",)
    one(lab.refused({**SOURCE, "where": {"quality": "best"}}), "where leaves nothing", "'good'")
    one(lab.refused({**SOURCE, "where": {"grade": 1}}), "no column 'grade'")


def test_two_animals_with_other_units_and_images(lab: Any, session: Recorded) -> None:
    session.write(lab.folder / "a.nwb")
    other = Recorded(lab.ids[:9], units=2, repetitions=3, seed=5)
    other.subject = {"subject_id": "Grace", "species": "Macaca mulatta"}
    other.write(lab.folder / "b.nwb")
    made = told(lab, {**SOURCE, "file": "*.nwb"}).measurement
    assert dict(made.sizes) == {"presentation": 12, "neuroid": 5, "repetition": 3}
    assert made.coords["neuroid_id"].values.tolist() == ["Ada/0", "Ada/1", "2", "Grace/0", "Grace/1"]
    assert made.isel(neuroid=[3, 4], presentation=[9, 10, 11]).isnull().all()
    own = made.isel(neuroid=[3, 4], presentation=slice(0, 9)).transpose("presentation", "repetition", "neuroid")
    np.testing.assert_array_equal(own.values, by_stimulus(other, other.counts(0.07, 0.17), lab.ids[:9]))


def test_two_sessions_of_one_animal(lab: Any, session: Recorded) -> None:
    session.write(lab.folder / "a.nwb")
    second = Recorded(lab.ids, seed=7)
    second.session = "2026-01-02"
    second.write(lab.folder / "b.nwb")
    source = {**SOURCE, "file": ["a.nwb", "b.nwb"]}
    one(lab.refused(source), "across_sessions")
    apart = told(lab, {**source, "across_sessions": "different"}).measurement
    assert apart.coords["neuroid_id"].values[[0, 3]].tolist() == ["2026-01-01/0", "2026-01-02/0"]
    same = told(lab, {**source, "across_sessions": "same"}).measurement
    assert dict(same.sizes) == {"presentation": 12, "neuroid": 3, "repetition": 4}


def test_where_a_unit_was_not_observed_nothing_was_measured(lab: Any, session: Recorded) -> None:
    middle, last = float(session.onsets[12]) - 0.1, float(session.onsets[-1]) + 5
    session.obs = [[[0.0, last]], [[0.0, middle]], [[0.0, last]]]
    session.write(lab.folder / "a.nwb")
    made = told(lab, SOURCE)
    assert made.measurement.isnull().sum(["presentation", "repetition"]).values.tolist() == [0, 12, 0]
    assert any("12 of 72 counts lie outside of obs_intervals" in note for note in made.notes)


def test_blanks_are_skipped(lab: Any, session: Recorded) -> None:
    session.shown[3] = "blank"
    session.write(lab.folder / "a.nwb")
    one(lab.refused(SOURCE), "'blank'", "skip")
    made = told(lab, {**SOURCE, "skip": "blank"}).measurement
    assert int(made.notnull().sum()) == 23 * 3


def test_images_inside_the_file(lab: Any, session: Recorded) -> None:
    path = session.write(lab.folder / "a.nwb")
    pixels = {
        name: np.random.default_rng(k).integers(0, 255, (6, 9, 3), dtype=np.uint8) for k, name in enumerate(lab.ids)
    }
    with pynwb.NWBHDF5IO(str(path), "a") as io:
        file = io.read()
        shown = [pynwb.image.RGBImage(name=n, data=p) for n, p in pixels.items()]
        file.add_stimulus_template(pynwb.base.Images(name="photographs", images=shown, description="all"))
        io.write(file)
    out = lab.folder / "out"
    described = lab.describe(SOURCE, stimuli={"images": "a.nwb#photographs"})
    package(parse_description(described, "lab.toml"), lab.folder, out)
    stimuli = load_package(out).stimuli
    assert stimuli is not None
    for k, name in enumerate(lab.ids):
        np.testing.assert_array_equal(stimuli.media[k], pixels[name])
    one(lab.refused(SOURCE, stimuli={"images": "a.nwb#films"}), "no container of images 'films'", "'photographs'")


# --- one field missing -----------------------------------------------------------------------------------------------


def lacks(name: str) -> Callable[[Recorded], None]:
    return lambda session: setattr(session, name, False if name.startswith("with") else None)


MISSING: dict[str, tuple[Callable[[Recorded], None], tuple[str, ...]]] = {
    "units": (lacks("with_units"), ("no units; spike times are needed",)),
    "trials": (lacks("with_trials"), ("no table of intervals 'trials'", "no tables of intervals at all")),
    "subject": (lacks("subject"), ("3 of 3 neuroids have no subject",)),
    "species": (lambda s: s.subject.pop("species"), ("species is missing",)),  # pyright: ignore[reportOptionalMemberAccess]
    "subject_id": (lambda s: s.subject.pop("subject_id"), ("3 of 3 neuroids have no subject",)),  # pyright: ignore[reportOptionalMemberAccess]
    "region": (lambda s: setattr(s, "regions", ["unknown"] * 3), ("3 of 3 neuroids have no region",)),
    "stimulus": (lambda s: setattr(s, "column", "stimulus"), ("no column 'stimulus_id'", "did you mean 'stimulus'")),
}


@pytest.mark.parametrize("field", MISSING)
def test_a_file_with_one_field_missing_is_refused_for_it(lab: Any, session: Recorded, field: str) -> None:
    change, words = MISSING[field]
    change(session)
    session.write(lab.folder / "a.nwb")
    problems = lab.refused(SOURCE, species=None)
    one(problems, *words)
    others = [p for p in problems if not all(w in p for w in words)]
    follow = {"units", "trials", "subject", "stimulus"}  # without them, species (of no animal) cannot be read either
    assert all("species" in p for p in others) and (not others or field in follow), problems


def test_a_field_that_is_missing_may_be_said(lab: Any, session: Recorded) -> None:
    session.subject, session.regions = None, ["unknown"] * 3
    session.write(lab.folder / "a.nwb")
    made = lab.prepared({**SOURCE, "subject": "Ada", "region": "V4"}, species="macaque")
    assert made.card.regions == ("V4",)


def test_what_is_said_against_the_file_is_refused(lab: Any, session: Recorded) -> None:
    session.write(lab.folder / "a.nwb")
    one(lab.refused({**SOURCE, "region": "IT"}), "region = 'IT' in the description, but the file says ['V4']")


def test_windows_are_needed_and_in_ms(lab: Any, session: Recorded) -> None:
    session.write(lab.folder / "a.nwb")
    one(lab.refused({"file": "a.nwb"}), "windows = [[70, 170]]")
    assert any("they are in ms" in p for p in lab.refused({**SOURCE, "windows": [[0.07, 0.17]]}))
    one(lab.refused({**SOURCE, "windows": [[170, 70]]}), "ends after it starts")


def test_onsets_in_ms_are_seen_and_can_be_said(lab: Any, session: Recorded) -> None:
    expected = by_stimulus(session, session.counts(0.07, 0.17), lab.ids)
    session.onsets = session.onsets * 1000
    session.write(lab.folder / "a.nwb")
    assert 'time_unit = "ms"' in one(lab.refused(SOURCE), "presentations begin at", "looks like ms")
    made = told(lab, {**SOURCE, "time_unit": "ms"}).measurement
    np.testing.assert_array_equal(made.transpose("presentation", "repetition", "neuroid").values, expected)


def test_clocks_that_do_not_meet_are_refused(lab: Any, session: Recorded) -> None:
    session.onsets = session.onsets + 5e4
    session.write(lab.folder / "a.nwb")
    one(lab.refused(SOURCE), "they are on other clocks")


def test_a_file_that_is_no_nwb(lab: Any) -> None:
    (lab.folder / "a.nwb").write_bytes(b"nothing of the kind")
    one(lab.refused(SOURCE), "cannot be read as NWB")


def test_without_pynwb_the_extra_is_named(lab: Any, session: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    session.write(lab.folder / "a.nwb")
    monkeypatch.setitem(sys.modules, "pynwb", None)
    monkeypatch.setattr(libraries.pynwb, "_module", None)  # it may have been loaded before
    with pytest.raises(MissingDependency, match=r"brainmark\[data\]"):
        lab.prepared(SOURCE)


# --- arithmetic ------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0, 2), max_size=30),
    st.lists(st.floats(0, 1.5), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(-200, 400), st.integers(1, 300)), min_size=1, max_size=3),
)
def test_counts_are_those_of_a_loop(times: list[float], onsets: list[float], drawn: list[tuple[int, int]]) -> None:
    windows = [(float(start), float(start + width)) for start, width in drawn]
    counts = spike_counts([np.array(times), np.array([])], np.array(onsets), windows)
    expected = [
        [[sum(o + a / 1000 <= t < o + b / 1000 for t in unit) for a, b in windows] for unit in (times, [])]
        for o in onsets
    ]
    np.testing.assert_array_equal(counts, np.array(expected, dtype=float))


@pytest.mark.parametrize(
    ("given_", "name"),
    [
        ("Macaca mulatta", "macaque"),
        ("Mus musculus", "mouse"),
        ("Homo sapiens", "human"),
        ("Octopus vulgaris", "Octopus vulgaris"),
    ],
)
def test_species_are_called_as_in_the_field(given_: str, name: str) -> None:
    assert common_name(given_) == name


def test_all_problems_of_a_file_are_heard_at_once(lab: Any, session: Recorded) -> None:
    session.with_units, session.column = False, "picture"
    session.write(lab.folder / "a.nwb")
    with pytest.raises(CannotPackage) as refusal:
        lab.prepared({"file": "a.nwb"}, licence=None)
    for words in ("no units", "no column 'stimulus_id'", "windows", "licence"):
        one(refusal.value.problems, words)
