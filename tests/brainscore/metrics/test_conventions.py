"""Conventions of the published scores that no other library states: order, aggregation, signs, failures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import metrics as bs
from brainmark.brainscore.metrics.assemblies import single
from brainmark.brainscore.metrics.conventions import BOUNDED_RATIO, EXPLAINED_VARIANCE, IMAGE_LEVEL, PLAIN, RATIO
from brainmark.brainscore.metrics.language import reading_ceiling
from brainmark.brainscore.metrics.mappings import ALPHAS, single_mapping
from brainmark.brainscore.metrics.thresholds import Fit, count_monotone_levels, fit_psychometric
from brainmark.core import Comparison
from brainmark.core.errors import InvalidMeasurement

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())


def recording(values: np.ndarray, ids: np.ndarray | None = None, **along: object) -> xr.DataArray:
    numbers = np.arange(len(values)) if ids is None else ids
    labels = np.array([f"stimulus{i:03d}" for i in numbers])
    neuroids = np.array([f"n{k}" for k in range(values.shape[1])])
    coords = {"stimulus_id": ("presentation", labels), "neuroid_id": ("neuroid", neuroids)}
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords | along)


@pytest.fixture
def pair() -> tuple[xr.DataArray, xr.DataArray]:
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((80, 5))
    x = latent @ rng.standard_normal((5, 30)) + 0.2 * rng.standard_normal((80, 30))
    names = ("presentation", np.array(["cat", "dog", "ape", "bee"])[np.arange(80) % 4])
    return recording(x), recording(
        latent @ rng.standard_normal((5, 7)) + rng.standard_normal((80, 7)), object_name=names
    )


# --- against numbers that the published packages gave


def reference_population() -> tuple[xr.DataArray, xr.DataArray]:
    """Exact integers, so that every platform has the same data: rows of a linear congruence, shuffled labels."""
    state, numbers = 12345, np.empty(90 * 90)
    for k in range(numbers.size):
        state = (1103515245 * state + 12345) % 2**31
        numbers[k] = (state >> 16) % 2001 - 1000
    numbers = numbers.reshape(90, 90)
    x, noise = numbers[:, :60], numbers[:, 60:]
    y = x[:, :30] - x[:, 30:] + 2 * noise
    names = np.array(["ape", "Bee", "cat", "10", "9"])[np.arange(90) * 7 % 5]
    return recording(x), recording(y, object_name=("presentation", names))


@pytest.mark.parametrize("name", sorted(REFERENCE["scores"]))
def test_recorded_scores_of_the_published_packages(name: str) -> None:
    x, y = reference_population()
    make = {
        "pls": bs.pls,
        "pls, not stratified": lambda: bs.pls(stratify=None),
        "reverse_pls": lambda: bs.reverse_pls(stratify=None),
        "ridge": bs.ridge,
        "linear_predictivity": bs.linear_predictivity,
        "neuron_to_neuron": bs.neuron_to_neuron,
        "rdm": bs.rdm,
        "rdm_cv": bs.rdm_cv,
        "cka": bs.cka,
        "cka_biased": lambda: bs.cka(unbiased=False),
        "cka_cv": bs.cka_cv,
        "linear_pearsonr": bs.linear_pearsonr,
        "ridge_pearsonr": bs.ridge_pearsonr,
    }[name]
    found, expected = bs.aggregate(make()(x, y)), REFERENCE["scores"][name]
    assert found.value == pytest.approx(expected["score"], abs=1e-7)
    if expected["error"] is not None:
        assert found.error == pytest.approx(expected["error"], abs=1e-7)


# --- order, labels, aggregation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [bs.pls, bs.ridge, bs.neuron_to_neuron, bs.linear_predictivity, bs.rdm, bs.cka_cv])
def test_the_order_of_the_prediction_does_not_matter(make, pair) -> None:
    x, y = pair
    order = np.random.default_rng(1).permutation(80)
    straight, mixed = (make()(p, y) for p in (x, x.isel(presentation=order)))
    np.testing.assert_allclose(mixed.values.values, straight.values.values, atol=1e-10)


def test_the_order_of_the_target_decides_the_splits(pair) -> None:
    x, y = pair
    straight, mixed = (bs.ridge()(x, v).values.values for v in (y, y.isel(presentation=slice(None, None, -1))))
    assert np.abs(straight - mixed).max() > 1e-3


def test_splits_hold_equal_shares_of_object_names_where_there_are_any(pair) -> None:
    x, y = pair
    assert bs.ridge()(x, y).splits.equals(bs.ridge(stratify="object_name")(x, y).splits)
    unlabelled = bs.ridge()(x, y.drop_vars("object_name"))
    np.testing.assert_array_equal(unlabelled.splits, bs.ridge(stratify=None)(x, y).splits)
    assert np.abs(unlabelled.splits.values - bs.ridge()(x, y).splits.values).max() > 1e-3


def test_arrays_and_labelled_recordings_give_the_same(pair) -> None:
    x, y = pair
    labelled, plain = bs.pls(stratify=None)(x, y), bs.pls()(x.values, y.values)
    np.testing.assert_array_equal(labelled.values.values, plain.values.values)
    assert labelled.values.coords["neuroid_id"].values.tolist() == y.coords["neuroid_id"].values.tolist()


def test_the_median_is_taken_in_each_split_before_the_mean() -> None:
    splits = np.array([[0.0, 1.0, 0.2], [0.9, 0.1, 0.3], [0.4, 0.4, np.nan]])
    values = xr.DataArray(splits.mean(0), dims="neuroid")
    made = Comparison(values, xr.DataArray(splits, dims=("split", "neuroid")), details={"error": 0.1})
    assert bs.aggregate(made) == pytest.approx((np.mean([0.2, 0.3, 0.4]), 0.1))


def test_signs_are_lost_where_published() -> None:
    score, ceiling = single(-0.3), single(0.9)
    assert EXPLAINED_VARIANCE.normalize(score, ceiling) == pytest.approx(0.1)
    assert RATIO.normalize(score, ceiling) == pytest.approx(-1 / 3)
    assert BOUNDED_RATIO.normalize(score, ceiling) == 0
    assert PLAIN.normalize(score, None) == pytest.approx(-0.3)
    one, other = np.array([1.0, 2, 3, 4]), np.array([4.0, 3, 2, 1])
    assert bs.pearsonr(one, other).aggregate() == pytest.approx(1)
    assert bs.pearsonr(one, other).details["r"] == pytest.approx(-1)


def test_neuron_to_neuron_keeps_the_sign_and_never_takes_a_constant_unit() -> None:
    rng = np.random.default_rng(2)
    y = rng.standard_normal((60, 3))
    x = np.column_stack([np.ones(60), -y[:, 0], y[:, 1] + 0.1 * rng.standard_normal(60), y[:, 2], rng.random(60)])
    mapped = single_mapping(x, y, bs.shuffle_splits(60))[0]
    for predicted, fold in zip(mapped, bs.shuffle_splits(60), strict=True):
        np.testing.assert_array_equal(predicted[:, 1], x[fold.test, 2])
        np.testing.assert_array_equal(predicted[:, 2], x[fold.test, 3])
        assert not (predicted[:, 0] == -y[fold.test, 0]).all()
    with pytest.raises(InvalidMeasurement, match="no unit varies"):
        bs.neuron_to_neuron()(np.ones((60, 4)), y)


def test_pls_says_when_there_are_fewer_units_than_components(pair) -> None:
    x, y = pair
    assert bs.pls()(x.isel(neuroid=slice(4)), y).notes == ("PLS used 4 of 25 components: the data do not carry more",)


def test_float32_in_blocks_agrees_with_float64(pair) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((90, 3000)).astype(np.float32)
    y = x[:, :6] + rng.standard_normal((90, 6))
    for make in (bs.pls, bs.ridge, bs.neuron_to_neuron):
        wide, narrow = (bs.aggregate(make()(v, y)).value for v in (x.astype(float), x))
        assert wide == pytest.approx(narrow, abs=1e-5)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda x, y: (x.where(x > 0), y), "prediction: .* values are NaN"),
        (lambda x, y: (x, y.where(y > 0)), "target: .* values are NaN"),
        (lambda x, y: (x.isel(presentation=slice(60)), y), "60 and 80, 60 of the target"),
        (lambda x, y: (x, y.isel(presentation=np.arange(80) // 2)), "'stimulus000' stands several times"),
        (lambda x, y: (x.drop_vars("stimulus_id"), y), "prediction has no coordinate 'stimulus_id'"),
        (lambda x, y: (x.expand_dims(time_bin=2), y), "expected \\(presentation, neuroid\\)"),
        (lambda x, y: (x.values[:50], y.values), "prediction has 50 presentations, target 80"),
        (lambda x, y: (x.values[:, 0], y.values), "prediction has 1 dimensions"),
        (lambda x, y: (x.values[:1], y.values[:1]), "1 rows cannot be split"),
        (lambda x, y: (x, y.assign_coords(object_name=("presentation", ["one", *["many"] * 79]))), "'one' stands once"),
        (
            lambda x, y: (x, y.assign_coords(object_name=("presentation", np.arange(80) // 2))),
            "cannot hold all 40 labels",
        ),
    ],
)
def test_bad_recordings_are_refused(break_it, message: str, pair) -> None:
    with pytest.raises(InvalidMeasurement, match=message):
        bs.ridge()(*break_it(*pair))


# --- repetitions and ceilings


def test_repetitions_are_averaged_in_the_order_of_all_labels() -> None:
    rng = np.random.default_rng(5)
    names = np.array(["b", "a", "b", "a", "c", "b"])
    values = rng.standard_normal((18, 2))
    values[4, 0] = np.nan
    flat = xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "object_name": ("presentation", np.tile(names, 3)),
            "stimulus_id": ("presentation", np.tile(["s5", "s4", "s3", "s2", "s1", "s0"], 3)),
            "repetition": ("presentation", np.repeat(np.arange(3), 6)),
            "neuroid_id": ("neuroid", ["n0", "n1"]),
        },
    )
    mean = bs.average_repetition(flat)
    assert mean.coords["object_name"].values.tolist() == ["a", "a", "b", "b", "b", "c"]
    assert mean.coords["stimulus_id"].values.tolist() == ["s2", "s4", "s0", "s3", "s5", "s1"]
    np.testing.assert_allclose(mean.sel(presentation=0), values[[3, 9, 15]].mean(0))
    assert float(mean[5, 0]) == pytest.approx(values[[10, 16], 0].mean())
    by_name = bs.average_repetition(flat, by=["stimulus_id"])
    assert by_name.coords["stimulus_id"].values.tolist() == ["s0", "s1", "s2", "s3", "s4", "s5"]
    whole = flat.isel(presentation=slice(6)).drop_vars("repetition")
    stacked = xr.concat([whole, whole + 1], dim="repetition")
    np.testing.assert_allclose(bs.average_repetition(stacked)[0], values[3] + 0.5)


def flat_trials(trials: np.ndarray) -> xr.DataArray:
    """(presentation, neuroid, repetition) as one row a trial."""
    n, q, count = trials.shape
    rows = np.moveaxis(trials, 2, 0).reshape(n * count, q)
    repetition = ("presentation", np.repeat(np.arange(count), n))
    return recording(rows, np.tile(np.arange(n), count), repetition=repetition)


def test_consistency_is_the_same_for_all_layouts_of_trials() -> None:
    rng = np.random.default_rng(6)
    trials = rng.standard_normal((30, 4, 7)) + 2 * rng.standard_normal((30, 4, 1))
    whole = bs.internal_consistency(xr.DataArray(trials, dims=("presentation", "neuroid", "repetition")))
    flat = flat_trials(trials)
    for layout in (flat, flat.isel(presentation=rng.permutation(210))):
        np.testing.assert_allclose(bs.internal_consistency(layout).splits, whole.splits, atol=1e-12)
    assert 0.8 < bs.aggregate(whole).value < 1


def test_consistency_leaves_out_trials_that_were_not_measured() -> None:
    rng = np.random.default_rng(7)
    trials = rng.standard_normal((40, 3, 8)) + rng.standard_normal((40, 3, 1))
    trials[:10, 1, :3] = np.nan
    found = bs.internal_consistency(xr.DataArray(trials, dims=("presentation", "neuroid", "repetition")))
    first, second = bs.shuffle_splits(8, 10, 0.5)[0]
    r = np.corrcoef(np.nanmean(trials[:, 1, first], 1), np.nanmean(trials[:, 1, second], 1))[0, 1]
    assert float(found.splits[0, 1]) == pytest.approx(2 * r / (1 + r))
    with pytest.raises(InvalidMeasurement, match="at least two repetitions"):
        bs.internal_consistency(xr.DataArray(trials[..., :1], dims=("presentation", "neuroid", "repetition")))


def test_extrapolation_reaches_beyond_the_subjects_there_are() -> None:
    """Scores that follow v0 (1 - exp(-x / tau)) exactly give back v0."""

    def metric(pool: xr.DataArray, subject: xr.DataArray) -> Comparison:
        others = len(np.unique(pool.coords["subject_id"]))
        r = np.full((3, subject.sizes["neuroid"]), 0.6 * (1 - np.exp(-(others + 1) / 2.5)))
        return Comparison(xr.DataArray(r[0], dims="neuroid"), xr.DataArray(r, dims=("split", "neuroid")))

    target = recording(np.ones((5, 8)), subject_id=("neuroid", np.repeat(["a", "b", "c", "d"], 2)))
    found = bs.ExtrapolationCeiling(metric, bootstraps=5)(target)
    np.testing.assert_allclose(found.values.values, 0.6, atol=1e-4)
    with pytest.raises(InvalidMeasurement, match="at least 3; there are 2"):
        bs.ExtrapolationCeiling(metric)(target.isel(neuroid=slice(4)))


# --- behaviour


@pytest.fixture
def choices() -> tuple[xr.DataArray, xr.DataArray]:
    """Probabilities of a model, and trials of people, for 24 images of 4 objects."""
    rng = np.random.default_rng(8)
    objects = np.array(["ant", "bee", "cat", "dog"])
    truth = np.arange(24) % 4
    evidence = rng.standard_normal((24, 4)) + 1.5 * np.eye(4)[truth]
    image = np.repeat(np.arange(24), 60)
    other = (truth[image] + 1 + rng.integers(3, size=len(image))) % 4
    right = rng.random(len(image)) < 1 / (1 + np.exp(evidence[image, other] - evidence[image, truth[image]]))
    chosen = objects[np.where(right, truth[image], other)]
    ids = np.array([f"image{i:02d}" for i in range(24)])
    trials = xr.DataArray(
        chosen,
        dims="presentation",
        coords={
            "stimulus_id": ("presentation", ids[image]),
            "truth": ("presentation", objects[truth[image]]),
            "sample_obj": ("presentation", objects[truth[image]]),
            "dist_obj": ("presentation", objects[other]),
        },
    )
    shares = np.exp(evidence) / np.exp(evidence).sum(1, keepdims=True)
    coords = {"stimulus_id": ("presentation", ids), "choice": objects}
    return xr.DataArray(shares, dims=("presentation", "choice"), coords=coords), trials


def slow_i2n(model: xr.DataArray, trials: xr.DataArray) -> list[float]:
    """Image by image and choice by choice, with dictionaries."""
    from scipy.stats import norm, pearsonr

    objects = model.coords["choice"].values.tolist()
    truth = dict(zip(trials.coords["stimulus_id"].values, trials.coords["truth"].values, strict=True))
    images = sorted(truth)

    def normalised(p: dict) -> np.ndarray:
        d = np.full((len(images), len(objects)), np.nan)
        for i, image in enumerate(images):
            for j, choice in enumerate(objects):
                back = [p[other, truth[image]] for other in images if truth[other] == choice]
                if choice != truth[image] and not np.isnan(p[image, choice]):
                    d[i, j] = np.clip(norm.ppf(1 - p[image, choice]) - norm.ppf(np.nanmean(back)), -5, 5)
        of = np.array([truth[image] for image in images])
        for name in objects:
            for j, choice in enumerate(objects):
                if choice != name:
                    d[of == name, j] -= np.nanmean(d[of == name, j])
        return d

    own = {}
    for image in images:
        row = model.values[model.coords["stimulus_id"].values.tolist().index(image)]
        for choice, share in zip(objects, row, strict=True):
            own[image, choice] = share / (share + row[objects.index(truth[image])])
    generator, result = np.random.RandomState(0), []
    for _ in range(2):
        order = list(range(trials.size))
        generator.shuffle(order)
        half = order[: trials.size // 2]
        image, offered = trials.coords["stimulus_id"].values[half], trials.coords["dist_obj"].values[half]
        shares = {}
        for name in images:
            for choice in objects:
                asked = (image == name) & (offered == choice)
                shares[name, choice] = np.mean(trials.values[half][asked] == choice) if asked.any() else np.nan
        one, two = normalised(own), normalised(shares)
        known = np.isfinite(one) & np.isfinite(two)
        result.append(float(pearsonr(one[known], two[known])[0]))
    return result


def test_i2n_against_dictionaries(choices) -> None:
    model, trials = choices
    found = bs.image_level("i2n")(model.isel(choice=[2, 0, 3, 1], presentation=slice(None, None, -1)), trials)
    assert found.splits is not None
    np.testing.assert_allclose(found.splits.values[:, 0], slow_i2n(model, trials), atol=1e-12)
    assert bs.aggregate(found) == pytest.approx((found.splits.values.mean(), found.splits.values.std()))


def test_behaviour_is_divided_by_the_root_of_its_ceiling(choices) -> None:
    model, trials = choices
    score, ceiling = bs.image_level("i2n")(model, trials), bs.image_level("i2n").ceiling(trials)
    expected = score.splits.values[:, 0] / np.sqrt(ceiling.splits.values[:, 0])
    assert IMAGE_LEVEL.normalize(score, ceiling) == pytest.approx(expected.mean())
    assert bs.image_level("i1")(model, trials).aggregate() > 0.5


def test_behaviour_of_other_images_is_refused(choices) -> None:
    model, trials = choices
    with pytest.raises(InvalidMeasurement, match="the images or choices"):
        bs.image_level("i2n")(model.isel(presentation=slice(20)), trials)
    with pytest.raises(InvalidMeasurement, match="lack dist_obj"):
        bs.image_level("i2n")(model, trials.drop_vars("dist_obj"))
    with pytest.raises(InvalidMeasurement, match="half of the trials lacks"):
        bs.image_level("i2n")(model, trials.isel(presentation=slice(0, None, 60)))


def observers(correct: dict[str, list[int]], condition: list[int]) -> xr.DataArray:
    """Answers of several subjects, 1: right."""
    n = len(condition)
    truth = np.array(["cat", "dog"])[np.arange(n) % 2]
    wrong = np.array(["dog", "cat"])[np.arange(n) % 2]
    values = np.concatenate([np.where(np.array(v) == 1, truth, wrong) for v in correct.values()])
    return xr.DataArray(
        values,
        dims="presentation",
        coords={
            "stimulus_id": ("presentation", np.tile([f"s{i}" for i in range(n)], len(correct))),
            "truth": ("presentation", np.tile(truth, len(correct))),
            "condition": ("presentation", np.tile(condition, len(correct))),
            "subject": ("presentation", np.repeat(list(correct), n)),
        },
    )


def test_error_consistency_by_hand() -> None:
    people = observers({"a": [1, 1, 0, 0, 1, 0, 1, 0], "b": [1, 0, 1, 0, 1, 1, 0, 0]}, [0, 0, 0, 0, 1, 1, 1, 1])
    model = observers({"m": [0, 0, 1, 1, 0, 1, 0, 1]}, [0, 0, 0, 0, 1, 1, 1, 1]).drop_vars("subject")
    # half right everywhere: kappa = 2 agreement - 1, which is -1, -1 with a and 0, 0 with b
    assert bs.error_consistency(model, people).aggregate() == pytest.approx(0.5)  # its sign is lost
    assert bs.aggregate(bs.error_consistency(model, people)).error == pytest.approx(0.5)
    assert bs.error_consistency_ceiling(people).aggregate() == pytest.approx(0)
    other = model.isel(presentation=slice(6))
    with pytest.raises(InvalidMeasurement, match="different stimuli where condition is '1'"):
        bs.error_consistency(other, people)


def test_accuracy_distance_by_hand() -> None:
    people = observers({"a": [1, 1, 1, 0], "b": [1, 0, 0, 0]}, [0, 0, 1, 1])
    model = observers({"m": [1, 1, 0, 0]}, [0, 0, 1, 1]).drop_vars("subject")
    assert bs.aggregate(bs.accuracy_distance(model, people)) == pytest.approx((1 - 0.25 / 0.75, 0))
    assert bs.accuracy_distance_ceiling(people).aggregate() == pytest.approx(1 - 0.5 / 0.75)
    assert bs.aggregate(bs.accuracy(model, model.coords["truth"])) == pytest.approx((0.5, 0.5))
    assert bs.value_delta(1.0, 3.0, 0.5).aggregate() == pytest.approx(np.exp(-1))


# --- thresholds and distributions


def detector(middle: float, levels: np.ndarray, trials: int = 200, slope: float = 0.15) -> xr.DataArray:
    """Answers that follow a cumulative Gaussian with a lapse rate of .04, as exactly as counts allow."""
    rates = Fit(slope, middle, 0.04)(levels)
    right = np.concatenate([np.arange(trials) < round(rate * trials) for rate in rates])
    label = np.arange(len(right)) % 2
    picked = np.where(right, label, 1 - label)
    sides = np.array(["left", "right"])
    return xr.DataArray(
        np.eye(2)[picked],
        dims=("presentation", "choice"),
        coords={
            "level": ("presentation", np.repeat(levels, trials)),
            "image_label": ("presentation", sides[label]),
            "choice": sides,
        },
    )


def test_a_threshold_is_found_where_it_is() -> None:
    levels = np.linspace(0, 60, 5)
    score = bs.threshold(detector(30, levels), [30.0, 15.0, 60.0], accuracy=float(Fit(0.15, 30, 0.04)(30)))
    assert score.aggregate() == pytest.approx((1 + 0 + 0.5) / 3, abs=0.01)
    assert bs.threshold(30.0, [30.0, 15.0, 60.0]).aggregate() == pytest.approx(0.5)
    raised = bs.threshold_elevation((detector(20, levels, slope=0.2), detector(30, levels)), ([10.0], [15.0]))
    assert raised.aggregate() == pytest.approx(1, abs=0.05)


def test_a_flawless_detector_is_fitted_with_three_lapses_in_a_hundred() -> None:
    levels = np.arange(5.0, 65, 5)
    fit = fit_psychometric(levels, np.asarray(Fit(0.3, 30, 0.0)(levels)))
    assert fit is not None
    assert fit.lapse == pytest.approx(0.03)


def test_singular_values_above_a_millionth_count_in_language(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    rng = np.random.default_rng(5)
    left, right = (np.linalg.qr(rng.standard_normal((80, 12)))[0] for _ in range(2))
    x = left * np.r_[np.ones(10), 1e-4, 1e-8] @ right.T  # a unit more or less: of no matter to the rest
    y = left[:, 8:12] + 0.1 * rng.standard_normal((80, 4))
    found = bs.linear_pearsonr()(recording(x), recording(y))
    kept = bs.linear_pearsonr()(recording(left[:, :11] @ right[:, :11].T), recording(y))
    np.testing.assert_allclose(found.values.values, kept.values.values, atol=1e-4)
    assert found.values.values[2] > 0.5  # what the direction of 1e-4 knows
    assert abs(found.values.values[3]) < 0.5  # what that of 1e-8 would


def test_the_ceiling_of_reading_times_is_that_of_all_readers() -> None:
    """r of two halves of 10 readers, corrected to 20: known from the noise that each has."""
    rng = np.random.default_rng(6)
    times = rng.standard_normal((4000, 1)) + 2 * rng.standard_normal((4000, 20))
    target = xr.DataArray(times, dims=("presentation", "subject"))
    assert reading_ceiling(target).aggregate() == pytest.approx(1 / (1 + 4 / 20), abs=0.01)


def test_the_penalties_are_the_published_ones() -> None:
    """Four below 10, four from 10, 18 a decade from 100 to a million, 19 from there to ten millions."""
    published = [0.01, 0.1, 0.5, 1, 10, 32.5, 55, 77.5]
    published += [10.0**k * (1 + j / 2) for k in range(2, 6) for j in range(18)] + [
        1e6 * (1 + j / 2) for j in range(19)
    ]
    np.testing.assert_allclose(ALPHAS, published, rtol=1e-12)


@pytest.mark.parametrize(
    ("rates", "kept"),
    [
        ([0.5, 0.7, 0.9, 0.6, 0.5], 3),  # a standard deviation is .15: all after the best lie further below
        ([0.5, 0.7, 0.9, 0.8, 0.5], 4),
        ([0.5, 0.6, 0.9, 0.7, 0.7], 3),  # one and a half standard deviations below
        ([0.5, 0.7, 0.9, 0.6, 0.85], 5),  # what comes back was not lost
        ([0.5, 0.7, 0.9], 3),
    ],
)
def test_levels_beyond_the_best_are_cut_off_where_all_are_worse(rates: list[float], kept: int) -> None:
    assert count_monotone_levels(np.array(rates)) == kept


def test_thresholds_that_cannot_be_had_score_0() -> None:
    levels = np.linspace(0, 60, 4)
    guessing = detector(1000, levels)
    assert bs.aggregate(bs.threshold(guessing, [30.0])) == (0, 0)
    assert bs.threshold_elevation((guessing, detector(30, levels)), ([10.0], [15.0])).aggregate() == 0
    assert fit_psychometric(levels, np.array([0.9, 0.5, 0.6, 0.9])) is None
    assert bs.threshold(100.0, [30.0]).aggregate() == 0


def test_the_ceiling_draws_people_with_seeds() -> None:
    people = [10.0, 12.0, 20.0]
    drawn = [np.random.RandomState(k) for k in range(3)]
    pool, scores = list(people), []
    for state in drawn:
        one = float(state.choice(pool, replace=False))
        pool.remove(one)
        scores.append(np.mean([max(1 - abs(other - one) / other, 0) for other in pool]))
        pool.append(one)
    assert bs.aggregate(bs.threshold_ceiling(people)) == pytest.approx((np.mean(scores), np.std(scores)))
    assert bs.elevations([2.0, 4.0], [3.0, 4.0]) == [1.5, 1.0]


def test_distributions_against_a_loop() -> None:
    rng = np.random.default_rng(9)
    model, data, bins = rng.normal(0.2, 0.4, 70), rng.normal(0.5, 0.3, 45), np.linspace(0, 1, 9)
    model[3] = np.nan
    np.random.seed(4)  # noqa: NPY002 - as one would seed the published code
    counts = np.histogram(np.clip(data, 0, 1), bins)[0]
    shares, values = counts / counts.sum(), []
    inside = np.where(np.isnan(model), np.nan, np.clip(model, 0, 1))
    for _ in range(50):
        drawn = np.random.choice(inside, 45)  # noqa: NPY002
        histogram = np.histogram(drawn[np.isfinite(drawn)], bins)[0]
        gap = np.abs(np.cumsum(histogram / histogram.sum()) - np.cumsum(shares)).max()
        values.append(1 - gap / max(1 - shares[0], shares[:-1].sum()))
    found = bs.aggregate(bs.property_similarity(model, data, bins, 50, seed=4))
    assert found == pytest.approx((np.mean(values), np.std(values)))


# --- labels of one side alone


def test_reverse_splits_by_labels_that_only_the_recording_has(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    x, y = pair
    shuffled = x.isel(presentation=np.random.default_rng(1).permutation(80))
    order = [list(y.stimulus_id.values).index(i) for i in shuffled.stimulus_id.values]
    named = shuffled.assign_coords(object_name=("presentation", y.object_name.values[order]))
    found = bs.reverse_pls(5)(shuffled, y)
    np.testing.assert_array_equal(found.splits, bs.reverse_pls(5)(named, y).splits)
    assert not np.array_equal(found.splits, bs.reverse_pls(5, stratify=None)(shuffled, y).splits)


def test_objects_are_compared_though_a_half_lacks_an_image(choices) -> None:
    """One trial of an image is in one half only; o1 and o2 average over images, i1 does not."""
    model, trials = choices
    single = np.flatnonzero(trials.coords["stimulus_id"].values == "image00")
    few = trials.drop_isel(presentation=single[1:])
    for metric in (bs.image_level("o1"), bs.image_level("o2")):
        assert np.isfinite(metric.ceiling(few).splits.values).all()
        assert metric(model, few).aggregate() == pytest.approx(metric(model, trials).aggregate(), abs=0.1)
    with pytest.raises(InvalidMeasurement, match="half of the trials lacks"):
        bs.image_level("i1").ceiling(few)
