"""The measurement contract: everything valid passes, everything else is named by dimension, coordinate and value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from brainmark.core import (
    Choose,
    Decide,
    Experiment,
    InvalidMeasurement,
    InvalidStimuli,
    Match,
    ModelError,
    Move,
    NextWord,
    OddOneOut,
    Rate,
    Read,
    Record,
    Setting,
    Stimuli,
    check_answer,
    check_measurement,
)
from brainmark.core.measurement import kind_of, with_stimulus_columns
from brainmark.testing import Noise, images

KINDS = {  # required and optional dimensions
    "recording": (("presentation", "neuroid"), ("time_bin", "repetition")),
    "behavior": (("presentation",), ("choice", "repetition")),
    "series": (("time_bin", "neuroid"), ("repetition",)),
    "movement": (("presentation", "effector", "time_bin"), ("repetition",)),
    "dissimilarity": (("presentation", "other"), ("subject", "repetition")),
    "property": (("neuroid",), ()),
    "histogram": (("bin",), ()),
}
COORDINATES = {
    "presentation": ("stimulus_id",),
    "neuroid": ("neuroid_id", "region"),
    "time_bin": ("time_bin_start", "time_bin_end"),
    "other": ("other_id",),
    "choice": ("choice",),
    "effector": ("effector",),
    "bin": ("bin_start", "bin_end"),
}
NAMED_UNIQUELY = {"presentation": "stimulus_id", "neuroid": "neuroid_id", "choice": "choice", "other": "other_id"}


def make(sizes: dict[str, int], values: np.ndarray | None = None) -> xr.DataArray:
    """A valid measurement with these dimensions, in this order."""
    shape = tuple(sizes.values())
    coords: dict[str, tuple[str, Any]] = {}
    for dim, size in sizes.items():
        for name in COORDINATES.get(dim, ()):
            numbers = np.arange(size)
            if name.endswith(("start", "end")):
                coords[name] = (dim, numbers * 10.0 + 10.0 * name.endswith("end"))
            else:
                coords[name] = (dim, np.array([f"{dim[0]}{i}" for i in numbers]))
    return xr.DataArray(np.ones(shape) if values is None else values, dims=tuple(sizes), coords=coords)


@st.composite
def measurements(draw: st.DrawFn) -> tuple[str, xr.DataArray]:
    kind = draw(st.sampled_from(sorted(KINDS)))
    required, optional = KINDS[kind]
    chosen = [*required, *(d for d in optional if draw(st.booleans()))]
    sizes = {dim: draw(st.integers(1, 4)) for dim in draw(st.permutations(chosen))}
    dtype = draw(st.sampled_from([np.float64, np.float32, np.int16, np.uint8, bool]))
    return kind, make(sizes, np.ones(tuple(sizes.values()), dtype))


@given(measurements())
def test_every_valid_measurement_passes_unchanged(drawn):
    kind, measurement = drawn
    before = measurement.copy(deep=True)
    assert kind_of(measurement) == kind
    assert check_measurement(measurement) is measurement
    assert measurement.identical(before)


@given(measurements(), st.data())
def test_every_missing_coordinate_is_named_with_its_dimension(drawn, data):
    _, measurement = drawn
    lost = data.draw(st.sampled_from(sorted(str(c) for c in measurement.coords)))
    dim = measurement.coords[lost].dims[0]
    broken = measurement.drop_vars(lost)
    with pytest.raises(InvalidMeasurement, match=f"data: dimension '{dim}' lacks coordinate '{lost}'; it has"):
        check_measurement(broken, "data")


@given(measurements(), st.data())
def test_every_empty_dimension_is_named(drawn, data):
    _, measurement = drawn
    dim = data.draw(st.sampled_from(sorted(str(d) for d in measurement.dims)))
    with pytest.raises(InvalidMeasurement, match=r"dimension '.*' is empty"):
        check_measurement(measurement.isel({dim: slice(0, 0)}))


@given(measurements(), st.data())
def test_every_repeated_name_is_named(drawn, data):
    _, measurement = drawn
    unique = [d for d in measurement.dims if d in NAMED_UNIQUELY]
    if not unique:
        return
    dim = data.draw(st.sampled_from(sorted(unique)))
    with pytest.raises(InvalidMeasurement, match=f"{NAMED_UNIQUELY[dim]} '{dim[0]}0' stands 2 times along '{dim}'"):
        check_measurement(measurement.isel({dim: [0, *range(measurement.sizes[dim])]}))


@given(measurements(), st.data())
def test_every_infinite_value_is_found(drawn, data):
    _, measurement = drawn
    at = tuple(data.draw(st.integers(0, size - 1)) for size in measurement.shape)
    broken = measurement.astype(float)
    broken[at] = data.draw(st.sampled_from([np.inf, -np.inf]))
    with pytest.raises(InvalidMeasurement, match="infinite value at ") as error:
        check_measurement(broken)
    for dim, i in zip(measurement.dims, at, strict=True):
        assert f"{dim} {i}" in str(error.value)


RECORDING = {"presentation": 3, "neuroid": 2}


def changed(**coords: Any) -> xr.DataArray:
    return make(RECORDING).assign_coords(coords)


def with_values(values: Any) -> xr.DataArray:
    return make(RECORDING, np.array(values))


NAN = np.nan
MESSAGES = [
    (np.zeros((3, 2)), "data: is a ndarray, not an xarray.DataArray"),
    (make(RECORDING).to_dataset(name="x"), "data: is a Dataset, not"),
    (make({"presentation": 2, "time_bin": 2}), r"data: dimensions \(presentation, time_bin\) are not those of"),
    (make({"presentation": 2, "voxel": 2}), r"\(recording: neuroid, presentation \[repetition\] \[time_bin\]; "),
    (changed(region=("neuroid", np.array(["V1", None], object))), "'region' has no value at neuroid 1, and 0 more"),
    (changed(stimulus_id=("presentation", [1.0, NAN, NAN])), "no value at presentation 1, and 1 more of 3"),
    (changed(region="V1"), r"coordinate 'region' lies along \(\), not along 'neuroid'"),
    (changed(region=("presentation", list("abc"))), r"'region' lies along \(presentation\), not along 'neuroid'"),
    (changed(stimulus_id=("presentation", [7, 7, 8])), "'7' stands 2 times along 'presentation'; keep trials"),
    (changed(neuroid_id=("neuroid", ["a", "a"])), "neuroid_id 'a' stands 2 times along 'neuroid'$"),
    (with_values([["a", "b"]] * 3), "values are <U1, not numbers"),
    (with_values([[1, 2], [NAN, NAN], [3, 4]]), "1 of 3 along 'presentation' hold only NaN, .* stimulus_id 'p1'"),
    (with_values([[1, NAN], [2, NAN], [3, NAN]]), "1 of 2 along 'neuroid' hold only NaN, .* neuroid_id 'n1'; leave"),
    (make({"presentation": 2}, np.array([NAN, NAN])), "all 2 values are NaN"),
    (make({"bin": 2}, np.array([NAN, 1.0])), "1 of 2 along 'bin' hold only NaN, the first is bin_start '0.0'"),
    (
        make({**RECORDING, "time_bin": 2}).assign_coords(time_bin_end=("time_bin", [10.0, 10.0])),
        "time_bin 1 ends at 10.0 ms, not after its start 10.0 ms",
    ),
    (
        make({**RECORDING, "time_bin": 2}).assign_coords(time_bin_end=("time_bin", [10.0, NAN])),
        "'time_bin_end' has no value at time_bin 1",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "message"), MESSAGES)
def test_messages(broken, message):
    with pytest.raises(InvalidMeasurement, match=message):
        check_measurement(broken, "data")


def test_a_word_may_be_read_and_not_be_measured():
    read = make({"presentation": 3}, np.array([NAN, 1.0, 2.0]))
    assert check_measurement(read) is read


def test_stacked_coordinates_are_refused():
    index = pd.MultiIndex.from_tuples([("s0", 0), ("s1", 0), ("s1", 1)], names=["stimulus_id", "trial"])
    stacked = xr.DataArray(
        np.ones((3, 2)),
        dims=("presentation", "neuroid"),
        coords={"neuroid_id": ("neuroid", ["a", "b"]), "region": ("neuroid", ["V1", "V1"])},
    ).assign_coords(xr.Coordinates.from_pandas_multiindex(index, "presentation"))
    with pytest.raises(InvalidMeasurement, match=r"is a MultiIndex; keep coordinates flat \(reset_index\)"):
        check_measurement(stacked)


def test_single_missing_values_and_missing_off_diagonals_are_allowed():
    check_measurement(with_values([[1, NAN], [NAN, 2], [3, 4]]))
    dissimilarity = make({"presentation": 3, "other": 3}, np.where(np.eye(3), NAN, 1.0))
    check_measurement(dissimilarity)


# ------------------------------------------------------------------------------------------------------- answers
STIMULI = images(6)
BINS = ((0.0, 50.0), (50.0, 100.0))


def answer(ask: Any) -> tuple[Experiment, xr.DataArray]:
    experiment = Experiment(STIMULI, ask)
    return experiment, Noise(units=4).perform(experiment)


@pytest.mark.parametrize(
    "ask",
    [
        Record("V4"), Record("V4", BINS), Choose(("a", "b")), OddOneOut(), Match(), Read("surprisal"), NextWord(),
        Rate("?", 1, 7), Move(("hand",), "mm"), Decide(("a", "b")),
    ],
    ids=lambda ask: type(ask).__name__,
)  # fmt: skip
def test_the_dimensions_must_be_those_that_are_asked_for(ask):
    experiment, right = answer(ask)
    assert check_answer(right, experiment, "m") is right
    if right.dtype.kind == "f":
        check_answer(right.expand_dims(repetition=2), experiment, "m")
    for wrong in (right.expand_dims(voxel=2), right.isel(presentation=0), right.rename(presentation="trial")):
        with pytest.raises(
            InvalidMeasurement, match=rf"answer of 'm' to .*has dimensions .*; {type(ask).__name__} asks for"
        ):
            check_answer(wrong, experiment, "m")


def test_features_are_no_answer_to_a_question_about_behaviour():
    _, features = answer(Record("V4"))
    with pytest.raises(
        InvalidMeasurement, match=r"has dimensions \(presentation, neuroid\); Read asks for \(presentation\)"
    ):
        check_answer(features, Experiment(STIMULI, Read("surprisal")), "m")
    _, in_time = answer(Record("V4", BINS))
    with pytest.raises(
        InvalidMeasurement, match=r"\(presentation, neuroid, time_bin\); Record asks for \(neuroid, pres"
    ):
        check_answer(in_time, Experiment(STIMULI, Record("V4")), "m")


EXPERIMENT, RIGHT = answer(Record("V4"))
IN_TIME, TIMED = answer(Record("V4", BINS))
WITH_GAPS = RIGHT.where(RIGHT.neuroid_id != "V4-2")


@pytest.mark.parametrize(
    ("wrong", "experiment", "error", "message"),
    [
        (RIGHT.values, EXPERIMENT, InvalidMeasurement, "answer of 'm' to '6 test images': is a ndarray, not an xarray"),
        (RIGHT[:4], EXPERIMENT, InvalidMeasurement, "'presentation' has 4 entries; 6 stimuli were presented"),
        (RIGHT.drop_vars("stimulus_id"), EXPERIMENT, InvalidMeasurement, "'presentation' lacks coordinate"),
        (
            RIGHT[::-1],
            EXPERIMENT,
            InvalidMeasurement,
            "coordinate 'stimulus_id' is 'image-5' at presentation 0, where 'image-0' was presented",
        ),
        (
            RIGHT.drop_vars("stimulus_id").assign_coords(stimulus_id=("neuroid", list("abcd"))),
            EXPERIMENT,
            InvalidMeasurement,
            r"coordinate 'stimulus_id' lies along \(neuroid\), not along 'presentation'",
        ),
        (RIGHT.drop_vars("region"), EXPERIMENT, InvalidMeasurement, "'neuroid' lacks coordinate 'region'"),
        (WITH_GAPS, EXPERIMENT, ModelError, "6 of 24 values are NaN or .* first at presentation 0 .*'V4-2'"),
        (RIGHT * np.inf, EXPERIMENT, ModelError, "24 of 24 values are NaN or infinite"),
        (TIMED[:, :, :1], IN_TIME, InvalidMeasurement, "has 1 bins, 2 were asked for; they first differ at time_bin 1"),
        (TIMED[:, :, ::-1], IN_TIME, InvalidMeasurement, "first differ at time_bin 0"),
    ],
)  # fmt: skip
def test_answers_that_break_the_contract(wrong, experiment, error, message):
    with pytest.raises(error, match=message):
        check_answer(wrong, experiment, "m")


def test_numeric_columns_of_the_stimuli_join_the_answer():
    table = STIMULI.table.assign(size=np.arange(6), label=list("abcdef"), region=1.0)
    from brainmark.core import Stimuli

    stimuli = Stimuli("labelled", "image", table, STIMULI.media)
    joined = with_stimulus_columns(RIGHT, Experiment(stimuli, Record("V4")))
    assert joined.coords["size"].values.tolist() == [0, 1, 2, 3, 4, 5]
    assert "label" not in joined.coords
    assert joined.coords["region"].dims == ("neuroid",)  # what the subject says stays
    assert "size" not in RIGHT.coords


def reading(values: list[float], context: str | None = "story") -> tuple[xr.DataArray, Experiment]:
    table = pd.DataFrame({"stimulus_id": list("abcd"), "text": list("wxyz"), "story": [1, 1, 2, 2]})
    experiment = Experiment(Stimuli("words", "text", table), Read("surprisal"), Setting(context=context))
    answer = xr.DataArray(values, dims="presentation", coords={"stimulus_id": ("presentation", list("abcd"))})
    return answer, experiment


def test_only_the_first_part_of_a_text_may_go_unanswered():
    answer, experiment = reading([np.nan, 2.0, np.nan, 3.0])
    assert check_answer(answer, experiment, "m") is answer
    answer, experiment = reading([1.0, np.nan, 2.0, 3.0])
    with pytest.raises(ModelError, match=r"1 of 4 .*stimulus_id 'b'"):
        check_answer(answer, experiment, "m")
    answer, experiment = reading([np.nan, 2.0, 2.0, 3.0], context=None)
    with pytest.raises(ModelError, match="stimulus_id 'a'"):
        check_answer(answer, experiment, "m")
    answer, experiment = reading([np.inf, 2.0, 2.0, 3.0])
    with pytest.raises(ModelError, match="stimulus_id 'a'"):
        check_answer(answer, experiment, "m")


def test_presentations_of_one_context_stay_together_and_count_in_the_digest():
    _, experiment = reading([0.0] * 4)
    assert experiment.contexts == [[0, 1], [2, 3]]
    _, alone = reading([0.0] * 4, context=None)
    assert alone.contexts == [[0], [1], [2], [3]]
    other = Experiment(
        Stimuli("words", "text", experiment.stimuli.table.assign(story=[1, 2, 1, 2])),
        Read("surprisal"),
        Setting(context="story"),
    )
    assert len({experiment.digest, alone.digest, other.digest}) == 3
    with pytest.raises(InvalidStimuli, match="'chapter'"):
        Experiment(experiment.stimuli, Read("surprisal"), Setting(context="chapter"))
