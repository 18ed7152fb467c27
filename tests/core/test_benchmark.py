"""Benchmarks: from a subject to a score, and every way in which that can fail."""

from __future__ import annotations

import signal
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from brainmark.core import (
    Benchmark,
    Comparison,
    Control,
    DataError,
    Experiment,
    InvalidMeasurement,
    MissingDependency,
    ModelError,
    NotApplicable,
    Record,
    ResourceError,
    UnknownName,
    control_model,
    shuffled,
)
from brainmark.testing import Constant, Echo, Failing, Misnamed, Noise, Refusing, Truncated, Undefined, images

STIMULI = images(12)
EXPERIMENT = Experiment(STIMULI, Record("V4"))


def recording(seed: int = 0, repetitions: int = 0, units: int = 3) -> xr.DataArray:
    truth = Noise(units=units).perform(EXPERIMENT)
    if not repetitions:
        return truth
    noise = np.random.default_rng(seed).standard_normal((repetitions, *truth.shape))
    return truth.expand_dims(repetition=repetitions).copy(data=truth.values + 0.3 * noise)


def pearson(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
    """Unit by unit."""
    x, y = (a.transpose("presentation", "neuroid").values for a in (prediction, target))
    x, y = x[:, : y.shape[1]] - x[:, : y.shape[1]].mean(0), y - y.mean(0)
    with np.errstate(invalid="ignore"):
        values = (x * y).sum(0) / np.sqrt((x**2).sum(0) * (y**2).sum(0))
    return Comparison(
        xr.DataArray(values, dims="neuroid", coords={"neuroid_id": ("neuroid", target.neuroid_id.values)})
    )


@pytest.fixture
def build(make_card) -> Callable[..., Benchmark]:
    def make(**changes) -> Benchmark:
        fields = {
            "identifier": "Toy.V4-r",
            "card": make_card("benchmark"),
            "experiment": EXPERIMENT,
            "target": recording(),
            "metric": pearson,
        }
        return Benchmark(**{**fields, **changes})

    return make


# ----------------------------------------------------------------------------------------------------- the target
def test_the_target_is_a_valid_measurement(build):
    with pytest.raises(
        InvalidMeasurement, match=r"target of 'Toy.V4-r': dimension 'neuroid' lacks coordinate 'region'"
    ):
        build(target=recording().drop_vars("region"))


def test_the_target_lines_up_with_the_stimuli(build):
    swapped = recording()[[0, 2, 1, *range(3, 12)]]
    with pytest.raises(InvalidMeasurement, match=r"12 presentations do not match 12 stimuli; .* presentation 1"):
        build(target=swapped)
    with pytest.raises(InvalidMeasurement, match=r"8 presentations do not match 12 stimuli; .* presentation 8"):
        build(target=recording()[:8])


def test_statistics_of_cells_need_not_line_up(build):
    cells = xr.DataArray(
        [1.0, 2.0], dims="neuroid", coords={"neuroid_id": ("neuroid", ["a", "b"]), "region": ("neuroid", ["V4"] * 2)}
    )
    assert build(target=cells).mean_target is cells


def test_repetitions_that_were_not_made_do_not_count_in_the_mean(build):
    target = recording(repetitions=3)
    target[1:, 0] = np.nan
    mean = build(target=target).mean_target
    np.testing.assert_allclose(mean[0], target[0, 0])
    np.testing.assert_allclose(mean[1:], target[:, 1:].mean("repetition"))


# ------------------------------------------------------------------------------------------------------- the flow
def test_the_metric_gets_the_answer_and_the_mean_the_ceiling_gets_the_trials(build):
    seen = {}

    def metric(prediction, target):
        seen.update(prediction=prediction, target=target)
        return pearson(prediction, target)

    def ceiling(target):
        seen.update(trials=target)
        return Comparison(xr.full_like(target[0, 0], 0.9, dtype=float))

    target = recording(repetitions=4)
    score = build(target=target, metric=metric, ceiling=ceiling)(Echo(target, "me"))
    assert seen["prediction"].dims == ("presentation", "neuroid")
    assert seen["target"].identical(target.mean("repetition", keep_attrs=True))
    assert seen["trials"] is target
    assert (score.benchmark, score.subject) == ("Toy.V4-r", "me")
    assert score.value == pytest.approx(1 / 0.9)


def test_the_subject_gets_the_experiment_once_and_a_score_is_repeatable(build):
    class Asked:
        identifier = "asked"
        got: list = []  # noqa: RUF012

        def perform(self, experiment):
            self.got.append(experiment)
            return Noise().perform(experiment)

    first, second = build()(Asked()), build()(Asked())
    assert [experiment.key for experiment in Asked.got] == [EXPERIMENT.key, EXPERIMENT.key]
    assert first.to_dict() == second.to_dict()


def test_the_ceiling_is_computed_once(build):
    calls = []

    def ceiling(target):
        calls.append(1)
        return Comparison(xr.full_like(target[0], 0.9, dtype=float))

    benchmark = build(ceiling=ceiling)
    assert benchmark(Noise()).ceiling == benchmark(Noise(seed=1)).ceiling == pytest.approx(0.9)
    assert calls == [1]


def test_numeric_columns_of_the_stimuli_reach_the_metric(build):
    from brainmark.core import Stimuli

    stimuli = Stimuli("angles", "image", STIMULI.table.assign(orientation=np.arange(12.0)), STIMULI.media)
    found = []

    def metric(prediction, target):
        found.extend(prediction.coords["orientation"].values.tolist())
        return pearson(prediction, target)

    build(experiment=Experiment(stimuli, Record("V4")), metric=metric)(Noise())
    assert found == list(range(12))


# --------------------------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("subject", "error", "message"),
    [
        (Truncated(), InvalidMeasurement, "answer of 'truncated' to '12 test images': .* 11 entries; 12 stimuli were"),
        (Misnamed(), InvalidMeasurement, "'image-11' at presentation 0, where 'image-0' was presented"),
        (Undefined(), ModelError, "answer of 'undefined' .* 1 of 240 values are NaN or infinite"),
        (Failing(), ModelError, "^failing on Toy.V4-r: ValueError: this subject always fails$"),
        (Failing(RuntimeError()), ModelError, "^failing on Toy.V4-r: RuntimeError$"),
        (Failing(RuntimeError("a\n  b")), ModelError, "RuntimeError: a b$"),
        (Failing(MemoryError("tried to allocate 3 GB")), ResourceError, "MemoryError: tried to allocate 3 GB"),
        (Failing(OSError(28, "No space left on device")), ResourceError, "OSError: .*No space left on device"),
        (Failing(MissingDependency("torch", "vision", "failing")), MissingDependency, "install it with"),
        (Failing(DataError("weights are not at hand")), DataError, "^weights are not at hand$"),
        (Refusing("asleep"), NotApplicable, "^refusing: asleep$"),
        (Constant(), ModelError, "constant on Toy.V4-r: the metric is undefined for all 3 units"),
    ],
    ids=lambda value: getattr(value, "identifier", ""),
)
def test_a_failure_is_typed_and_says_who_where_and_why(subject, error, message, build):
    with pytest.raises(error, match=message):
        build()(subject)


def test_the_user_who_stops_is_not_a_failure_of_the_model(build):
    class Interrupted(Failing):
        def perform(self, experiment):
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            build()(Interrupted(None))
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_was_raised_stays_as_the_cause(build):
    with pytest.raises(ModelError) as error:
        build()(Failing(KeyError("layer4")))
    assert isinstance(error.value.__cause__, KeyError)


def test_a_torch_module_like_thing_that_returns_a_list_is_refused(build):
    class Lists:
        identifier = "lists"

        def perform(self, experiment):
            return [[0.0]] * 12

    with pytest.raises(InvalidMeasurement, match=r"is a list, not an xarray\.DataArray"):
        build()(Lists())


# ------------------------------------------------------------------------------------------------------- controls
def test_shuffled_pairs_answers_with_the_wrong_stimuli_and_keeps_the_names(build):
    seen = []

    def metric(prediction, target):
        seen.append(prediction)
        return pearson(prediction, target)

    score = build(metric=metric, controls=(shuffled(seed=2),))(Echo(recording()))
    answer, wrong = seen
    assert wrong.stimulus_id.values.tolist() == answer.stimulus_id.values.tolist()
    assert not np.array_equal(wrong.values, answer.values)
    assert sorted(wrong.values[:, 0]) == sorted(answer.values[:, 0])
    assert score.raw == pytest.approx(1.0)
    assert score.controls["shuffled"].raw < 0.9


def test_shuffling_moves_whole_rows_and_is_seeded(build):
    values = [build(controls=(shuffled(seed),))(Echo(recording())).controls["shuffled"].raw for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


def test_controls_that_do_not_depend_on_the_model_are_computed_once(build):
    calls = []

    def compare(benchmark, answer):
        calls.append(answer)
        return pearson(benchmark.mean_target, benchmark.mean_target)

    benchmark = build(controls=(Control("fixed", compare), Control("each", compare, per_model=True)))
    for seed in range(3):
        assert set(benchmark(Noise(seed=seed)).controls) == {"fixed", "each"}
    assert len(calls) == 1 + 3
    assert calls[0].identical(benchmark.mean_target) or calls[1].identical(benchmark.mean_target)


def test_a_registered_model_as_control(build, registries, make_card):
    registries["model"].add("simple", card=make_card("model"))(lambda: Noise(identifier="simple", seed=7))
    score = build(controls=(control_model("simple"),))(Echo(recording()))
    expected = pearson(Noise(seed=7).perform(EXPERIMENT), recording()).aggregate()
    assert score.controls["simple"].raw == pytest.approx(expected)


def test_a_control_that_is_not_registered_is_named(build, registries, make_card):
    registries["model"].add("pixels", card=make_card("model"))(lambda: Noise())
    with pytest.raises(UnknownName, match="unknown model 'pixel'; did you mean 'pixels'"):
        build(controls=(control_model("pixel"),))(Noise())
