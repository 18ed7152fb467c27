"""From CSV tables to a measurement: layouts, trials of unequal number, animals, and what is refused with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainmark.core import check_measurement
from brainmark.data.packaging.description import parse_description
from brainmark.data.packaging.problems import CannotPackage, Problems
from brainmark.data.packaging.sessions import Session, join_sessions, name_neuroids


def one(problems: tuple[str, ...], *words: str) -> str:
    """The one problem with all of these words."""
    hits = [p for p in problems if all(w in p for w in words)]
    assert len(hits) == 1, problems
    return hits[0]


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_a_wide_table_keeps_every_value(lab: Any, wide: dict[str, Any]) -> None:
    table = lab.trials(repetitions=3)
    made = lab.prepared(wide).measurement
    assert dict(made.sizes) == {"presentation": 12, "neuroid": 4, "repetition": 3}
    expected = table[["u0", "u1", "u2", "u3"]].to_numpy().reshape(12, 3, 4).swapaxes(1, 2)
    np.testing.assert_array_equal(made.values, expected)
    assert made.coords["stimulus_id"].values.tolist() == lab.ids
    assert set(made.coords["region"].values.tolist()) == {"V4"} and made.attrs["units"] == "spikes/s"


def test_a_long_table_gives_the_same_as_a_wide_one(lab: Any, wide: dict[str, Any]) -> None:
    table = lab.trials().assign(trial=np.tile([1, 2, 3], 12))
    long = table.melt(["stimulus_id", "trial"], var_name="neuroid_id").sample(frac=1, random_state=0)
    lab.table("long.csv", long)
    source = {"file": "long.csv", "repetition": "trial", "region": "V4", "subject": "Ada", "units": "spikes/s"}
    one_way, other = lab.prepared(wide).measurement, lab.prepared(source).measurement
    np.testing.assert_array_equal(
        other.sel(neuroid=np.argsort(other.coords["neuroid_id"].values)).values, one_way.values
    )


def test_trials_of_unequal_number_are_kept_and_the_rest_is_nan(lab: Any, wide: dict[str, Any]) -> None:
    table = lab.trials(repetitions=3)
    kept = table.drop(index=[2, 4, 5]).reset_index(drop=True)  # im00 has two trials, im01 has one
    lab.table("rates.csv", kept)
    made = lab.prepared(wide).measurement
    assert made.notnull().any("neuroid").sum("repetition").values.tolist() == [2, 1] + [3] * 10
    assert int(made.notnull().sum()) == kept[["u0", "u1", "u2", "u3"]].size


def test_an_empty_field_is_not_measured(lab: Any, wide: dict[str, Any]) -> None:
    table = lab.trials(repetitions=2)
    table.loc[3, "u2"] = np.nan
    lab.table("rates.csv", table)
    made = lab.prepared(wide).measurement
    assert np.argwhere(made.isnull().values).tolist() == [[1, 2, 1]]


def test_time_bins_in_seconds_become_milliseconds(lab: Any) -> None:
    rows = [
        {
            "stimulus_id": s,
            "neuroid_id": n,
            "value": k + 10 * b,
            "time_bin_start": b / 100,
            "time_bin_end": (b + 1) / 100,
        }
        for k, s in enumerate(lab.ids)
        for n in ("a", "b")
        for b in (7, 8, 9)
    ]
    lab.table("bins.csv", rows)
    source = {"file": "bins.csv", "time_unit": "s", "region": "IT", "subject": "Ada", "units": "Hz"}
    made = lab.prepared(source).measurement
    assert made.dims == ("presentation", "neuroid", "time_bin")
    assert made.coords["time_bin_start"].values.tolist() == [70, 80, 90]
    assert made.sel(presentation=3, neuroid=0).values.tolist() == [73, 83, 93]


def test_a_table_of_neuroids_gives_regions_and_more(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    lab.table(
        "units.csv", {"neuroid_id": ["u3", "u2", "u1", "u0"], "region": ["IT", "IT", "V4", "V4"], "depth": [4, 3, 2, 1]}
    )
    del wide["region"]
    made = lab.prepared({**wide, "neuroid_table": "units.csv"})
    assert made.measurement.coords["region"].values.tolist() == ["V4", "V4", "IT", "IT"]
    assert made.measurement.coords["depth"].values.tolist() == [1, 2, 3, 4]
    assert made.card.regions == ("V4", "IT")


def test_columns_that_netcdf_cannot_hold_are_renamed_or_left_out(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    columns = {
        "spike width (us)": [1.0, 2, 3, 4],
        "presentation": [5, 6, 7, 8],
        "side": ["left", None, "left", "right"],
    }
    lab.table("units.csv", {"neuroid_id": ["u0", "u1", "u2", "u3"], **columns})
    coords = lab.prepared({**wide, "neuroid_table": "units.csv"}).measurement.coords
    assert coords["spike_width__us_"].values.tolist() == [1, 2, 3, 4]
    assert coords["side"].values.tolist() == ["left", "", "left", "right"] and "presentation" not in coords


def test_what_is_known_of_stimuli_lies_along_presentation(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    table = {
        "stimulus_id": lab.ids[::-1],
        "filename": [f"{i}.png" for i in lab.ids[::-1]],
        "label": list("abcabcabcabc"),
    }
    lab.table("stimuli.csv", table)
    made = lab.prepared(wide, stimuli={"table": "stimuli.csv", "folder": "images"}).measurement
    assert made.coords["stimulus_id"].values.tolist() == lab.ids[::-1], "the order is that of the table of stimuli"
    assert made.coords["label"].values.tolist() == list("abcabcabcabc")


# --- animals and sessions --------------------------------------------------------------------------------------------


def test_two_animals_are_joined_along_neuroid(lab: Any, wide: dict[str, Any]) -> None:
    first, second = (
        lab.trials("a.csv", repetitions=3, neuroids=4),
        lab.trials("b.csv", repetitions=2, neuroids=3, seed=1),
    )
    lab.table("b.csv", second[second["stimulus_id"] != "im05"])  # the second animal never saw it
    made = lab.prepared({**wide, "file": "a.csv"}, {**wide, "file": "b.csv", "subject": "Grace"}).measurement
    assert dict(made.sizes) == {"presentation": 12, "neuroid": 7, "repetition": 3}
    assert made.coords["subject"].values.tolist() == ["Ada"] * 4 + ["Grace"] * 3
    ids = made.coords["neuroid_id"].values.tolist()
    assert ids == ["Ada/u0", "Ada/u1", "Ada/u2", "u3", "Grace/u0", "Grace/u1", "Grace/u2"], "one name, two animals"
    missing = made.isnull().all("repetition").values
    assert np.flatnonzero(missing.any(axis=1)).tolist() == [5] and missing[5].tolist() == [False] * 4 + [True] * 3
    np.testing.assert_array_equal(made.values[0, :4, :].T, first[["u0", "u1", "u2", "u3"]].to_numpy()[:3])
    assert np.isnan(made.values[:, 4:, 2]).all(), "two trials, where the first animal has three"


def test_neuroids_of_one_name_in_two_files_must_be_explained(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials("a.csv", repetitions=2)
    lab.trials("b.csv", repetitions=2, seed=1)
    source = {**wide, "file": ["a.csv", "b.csv"]}
    assert "across_sessions" in one(lab.refused(source), "4 neuroids", "'u0' of 'Ada'")
    same = lab.prepared({**source, "across_sessions": "same"}).measurement
    assert dict(same.sizes) == {"presentation": 12, "neuroid": 4, "repetition": 4}
    assert not same.isnull().any()
    apart = lab.prepared({**source, "across_sessions": "different"}).measurement
    assert dict(apart.sizes) == {"presentation": 12, "neuroid": 8, "repetition": 2}
    assert apart.coords["neuroid_id"].values.tolist()[::4] == ["session1/u0", "session2/u0"]
    np.testing.assert_array_equal(same.values[..., :2], apart.values[:, :4])
    np.testing.assert_array_equal(same.values[..., 2:], apart.values[:, 4:])


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(1, 3)), min_size=1, max_size=3
    ),
    st.booleans(),
)
def test_no_value_is_lost_or_invented(drawn: list[tuple[list[int], int]], shared: bool) -> None:
    """Whatever the numbers of trials and neuroids, the values of the measurement are those of the sessions."""
    count, sessions = 0, []
    for k, (shown, neuroids) in enumerate(drawn):
        values = np.arange(count, count + len(shown) * neuroids, dtype=float).reshape(len(shown), neuroids)
        count += values.size
        table = pd.DataFrame({"neuroid_id": [f"n{i}" for i in range(neuroids)], "region": "V1"})
        table["subject"] = "one" if shared else f"animal{k}"
        sessions.append(Session(f"file{k}", np.array([f"s{i}" for i in shown]), values, table, units="Hz"))
    names = name_neuroids(sessions, "same", Problems("test"))
    order = sorted({f"s{i}" for shown, _ in drawn for i in shown})
    made = join_sessions(sessions, names, order)
    measured = made.values[np.isfinite(made.values)]
    assert sorted(measured.tolist()) == list(range(count))
    for session, own in zip(sessions, names, strict=True):  # each value stands at its stimulus and its neuron
        for row, stimulus in enumerate(session.stimulus_ids):
            cell = made.values[order.index(stimulus)]
            for column, name in enumerate(own):
                place = made.coords["neuroid_id"].values.tolist().index(name)
                assert session.values[row, column] in np.atleast_1d(cell[place])


# --- what is refused -------------------------------------------------------------------------------------------------


def test_level_zero_data_are_refused_with_the_whole_list(lab: Any) -> None:
    lab.trials()
    problems = lab.refused({"file": "rates.csv", "neuroids": "u*"}, **dict.fromkeys(lab.said))
    wanted = ["stimuli", "identifier", "summary", "licence", "cite", "species", "degrees", "duration"]
    wanted += ["region", "subject", "units"]
    for word in wanted:
        one(problems, word, {"region": "no region", "subject": "no subject", "units": "units"}.get(word, f"{word} "))
    assert len(problems) == len(wanted)


def test_what_a_file_lacks_and_what_is_not_said_are_heard_together(lab: Any) -> None:
    lab.table("rates.csv", {"image": lab.ids, "rate": range(12)})
    problems = lab.refused({"file": "rates.csv"}, licence=None)
    for words in (("no column 'stimulus_id'",), ("licence",), ("units",), ("no region",), ("no subject",)):
        one(problems, *words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"licens": "MIT"}, "unknown field 'licens'; did you mean 'licence'"),
        ({"degrees": -8}, "degrees is -8: give a number"),
        ({"degrees": "wide"}, "degrees is 'wide'"),
        ({"degrees": 400}, "degrees is 400: give a number from"),
        ({"cite": "Lovelace 2026"}, "not a BibTeX entry"),
        ({"identifier": "two words"}, "identifier is 'two words'"),
        ({"duration": 0.1}, "looks like seconds"),
        ({"modality": "smell"}, "modality is 'smell'"),
        ({"stimuli": {"folder": "images", "pixels_per_degree": 32}}, "leave one out"),
        ({"cite": None, "cite_file": "no.bib"}, "no.bib"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(lab: Any, wide: dict[str, Any], changes: Any, words: str) -> None:
    lab.trials()
    one(lab.refused(wide, **changes), words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stimulus": "stimulus"}, "no column 'stimulus'; did you mean 'stimulus_id'?"),
        ({"neuroids": "v*"}, "no column fits 'v*'"),
        ({"file": "gone.csv"}, "there is no file"),
        ({"regoin": "V4"}, "did you mean 'region'"),
        ({"format": "matlab5"}, "the format is 'matlab5'; use one of arrays, bids, brainio, nwb, table"),
        ({"units": None}, "units"),
    ],
)
def test_a_recording_that_cannot_be_read_is_named(lab: Any, wide: dict[str, Any], changes: Any, words: str) -> None:
    lab.trials()
    source = {k: v for k, v in {**wide, **changes}.items() if v is not None}
    one(lab.refused(source), words)


def test_text_among_numbers_is_named_by_column_and_line(lab: Any, wide: dict[str, Any]) -> None:
    table = lab.trials(repetitions=1).astype(object)
    table.loc[7, "u1"] = "12,5"
    lab.table("rates.csv", table)
    one(lab.refused(wide), "column 'u1'", "'12,5'", "in line 9", "decimal")


def test_trials_without_a_stimulus_are_refused_or_skipped(lab: Any, wide: dict[str, Any]) -> None:
    table = lab.trials()
    table.loc[5, "stimulus_id"] = None
    lab.table("rates.csv", table)
    one(lab.refused(wide), "1 trials name no stimulus", "skip")
    made = lab.prepared({**wide, "skip": [""]}).measurement
    assert int(made.notnull().sum()) == 35 * 4


def test_values_that_stand_for_one_trial_twice_are_refused(lab: Any) -> None:
    rows = [{"stimulus_id": s, "neuroid_id": "a", "trial": 1, "value": 1.0} for s in [*lab.ids, "im03"]]
    lab.table("long.csv", rows)
    source = {"file": "long.csv", "repetition": "trial", "region": "V4", "subject": "Ada", "units": "Hz"}
    one(lab.refused(source), "1 values stand for one neuroid in one trial", "'im03'")


@pytest.mark.parametrize(("unit", "scale"), [("ms", 0.001), ("s", 1000.0)])
def test_a_wrong_unit_of_time_is_seen(lab: Any, unit: str, scale: float) -> None:
    edges = [(b * 10 * scale, (b + 1) * 10 * scale) for b in range(7, 10)]
    rows = [
        {"stimulus_id": s, "neuroid_id": "a", "value": 1.0, "time_bin_start": a, "time_bin_end": b}
        for s in lab.ids
        for a, b in edges
    ]
    lab.table("bins.csv", rows)
    source = {"file": "bins.csv", "time_unit": unit, "region": "IT", "subject": "Ada", "units": "Hz"}
    assert "time_unit" in one(lab.refused(source), "time bins from")


def test_times_without_a_unit_are_refused(lab: Any) -> None:
    rows = {"stimulus_id": lab.ids, "neuroid_id": "a", "value": 1.0, "time_bin_start": 70, "time_bin_end": 170}
    lab.table("bins.csv", rows)
    source = {"file": "bins.csv", "region": "IT", "subject": "Ada", "units": "Hz"}
    one(lab.refused(source), 'time_unit = "ms" or "s"')


def test_files_with_other_units_or_bins_are_not_mixed(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials("a.csv")
    lab.trials("b.csv")
    one(lab.refused({**wide, "file": "a.csv"}, {**wide, "file": "b.csv", "subject": "G", "units": "z"}), "units differ")


@pytest.mark.parametrize(
    ("factor", "units", "noted"),
    [(100, "spikes/s", False), (100, "spikes/ms", True), (1e5, "Hz", True), (1e5, "z", False)],
)
def test_rates_that_no_cell_fires_at_are_noted(
    lab: Any, wide: dict[str, Any], factor: float, units: str, noted: bool
) -> None:
    table = lab.trials()
    rates = ["u0", "u1", "u2", "u3"]
    lab.table("rates.csv", table.assign(**{n: table[n].abs() * factor for n in rates}))
    made = lab.prepared({**wide, "units": units})
    assert any("more than neurons fire; state the right units" in note for note in made.notes) == noted


def test_a_neuroid_without_values_is_left_out_and_noted(lab: Any, wide: dict[str, Any]) -> None:
    lab.table("rates.csv", lab.trials().assign(u2=np.nan))
    made = lab.prepared(wide)
    assert made.measurement.coords["neuroid_id"].values.tolist() == ["u0", "u1", "u3"]
    assert any("'u2'" in note for note in made.notes)
    check_measurement(made.measurement)


def test_a_description_is_a_table_of_known_fields() -> None:
    with pytest.raises(CannotPackage, match=r"recording\.0\.file is missing"):
        parse_description({"recording": [{"format": "nwb"}]}, "lab.toml")


def test_identifiers_with_leading_zeros_stay_as_they_are_written(lab: Any, wide: dict[str, Any]) -> None:
    """In CSV 001 looks like a number; the file of the image is 001.png."""
    lab.trials(repetitions=2)
    for number, name in enumerate(lab.ids):
        (lab.folder / "images" / f"{name}.png").rename(lab.folder / "images" / f"{number:03d}.png")
    table = pd.read_csv(lab.folder / "rates.csv")
    lab.table("rates.csv", table.assign(stimulus_id=[f"{lab.ids.index(one):03d}" for one in table["stimulus_id"]]))
    lab.table("units.csv", {"neuroid_id": [f"u{k}" for k in range(4)], "depth": [10, 20, 30, 40]})
    made = lab.prepared({**wide, "neuroid_table": "units.csv"}).measurement
    assert made.coords["stimulus_id"].values.tolist() == [f"{k:03d}" for k in range(12)]
    assert made.coords["depth"].values.tolist() == [10, 20, 30, 40]
    np.testing.assert_array_equal(made.values[3], table[table["stimulus_id"] == "im03"].iloc[:, 1:].to_numpy().T)


def test_files_may_be_named_by_absolute_patterns(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    named = lab.prepared({**wide, "file": f"{lab.folder}/rat*.csv"}).measurement
    assert dict(named.sizes) == dict(lab.prepared(wide).measurement.sizes)
    assert "there is no file" in one(lab.refused({**wide, "file": "**.csv"}), "no file")


def test_a_column_may_say_in_which_order_trials_were_made(lab: Any, wide: dict[str, Any]) -> None:
    table = lab.trials(repetitions=3).assign(trial=np.tile([1, 2, 3], 12))
    expected = lab.prepared(wide).measurement
    lab.table("rates.csv", table.sample(frac=1, random_state=1))
    made = lab.prepared({**wide, "repetition": "trial"}).measurement
    np.testing.assert_array_equal(made.values, expected.values)


@pytest.mark.parametrize("column", ["region", "subject"])
def test_what_a_few_neuroids_lack_is_told(lab: Any, wide: dict[str, Any], column: str) -> None:
    lab.trials()
    table = {"neuroid_id": [f"u{k}" for k in range(4)], "region": ["V4"] * 4, "subject": ["Ada"] * 4}
    lab.table("units.csv", {**table, column: ["x", None, "x", " "]})
    source = {k: v for k, v in wide.items() if k not in ("region", "subject")}
    problems = lab.refused({**source, "neuroid_table": "units.csv"})
    one(problems, f"2 of 4 neuroids have no {column}")
