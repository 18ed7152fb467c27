from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.score import make_score
from brainmark.metrics.similarity.rdm import compare_rdms, rdm_matrix, upper
from brainmark.metrics.similarity.rdm_subjects import nili_bounds
from brainmark.metrics.similarity.rsa import rdm, rdm_ceiling


def recording(values: np.ndarray) -> xr.DataArray:
    count, neuroids = values.shape
    return xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", [f"s{i}" for i in range(count)]),
            "neuroid_id": ("neuroid", np.arange(neuroids)),
            "region": ("neuroid", ["IT"] * neuroids),
        },
    )


def dissimilarity(values: np.ndarray, *before: str) -> xr.DataArray:
    ids = [f"s{i}" for i in range(values.shape[-1])]
    return xr.DataArray(
        values,
        dims=(*before, "presentation", "other"),
        coords={"stimulus_id": ("presentation", ids), "other_id": ("other", ids)},
    )


def noisy_subjects(truth: np.ndarray, noise: np.ndarray, seed: int) -> np.ndarray:
    """Subjects who measure one RDM with noise of their own, of the given size relative to the truth's spread."""
    generator = np.random.default_rng(seed)
    errors = generator.normal(size=(len(noise), *truth.shape)) * upper(truth).std() * noise[:, None, None]
    errors = np.triu(errors, 1)
    return truth + errors + errors.swapaxes(1, 2)


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(30, 12))


def test_one_value_a_subject_and_none_lost_on_the_way(features: np.ndarray) -> None:
    truth = rdm_matrix(features)
    target = dissimilarity(noisy_subjects(truth, np.array([0.0, 1.0, 3.0]), 1), "subject")
    target = target.assign_coords(subject=["a", "b", "c"])
    comparison = rdm(resamples=50)(recording(features), target)
    assert comparison.unit == "subject"
    assert comparison.values.coords["subject"].values.tolist() == ["a", "b", "c"]
    assert comparison.replicates is not None
    assert comparison.replicates.shape == (50, 3)
    assert comparison.values.values[0] == pytest.approx(1.0)
    assert comparison.aggregate() == pytest.approx(comparison.values.values.mean())
    expected = [compare_rdms(upper(truth), upper(r)) for r in target.values]
    np.testing.assert_allclose(comparison.values.values, expected, atol=1e-12)


def test_target_without_subjects_has_one_unit(features: np.ndarray) -> None:
    comparison = rdm(resamples=0)(recording(features), dissimilarity(rdm_matrix(features)))
    assert comparison.values.shape == (1,)
    assert comparison.replicates is None


def test_conditions_are_matched_by_name_not_by_place(features: np.ndarray) -> None:
    target = dissimilarity(rdm_matrix(features))
    order = np.random.default_rng(1).permutation(30)
    assert rdm(resamples=0)(recording(features), target.isel(other=order)).aggregate() == pytest.approx(1.0)
    assert rdm(resamples=0)(recording(features).isel(presentation=order), target).aggregate() == pytest.approx(1.0)


def test_a_dissimilarity_can_take_the_place_of_the_model(features: np.ndarray) -> None:
    target = dissimilarity(rdm_matrix(features))
    assert rdm(resamples=0)(target, target).aggregate() == pytest.approx(1.0)


def test_repetitions_of_the_model_are_averaged(features: np.ndarray) -> None:
    noise = np.random.default_rng(2).normal(size=(*features.shape, 1))
    values = np.concatenate([features[:, :, None] + noise, features[:, :, None] - noise], axis=2)
    model = xr.DataArray(values, dims=("presentation", "neuroid", "repetition"), coords=recording(features).coords)
    assert rdm(resamples=0)(model, dissimilarity(rdm_matrix(features))).aggregate() == pytest.approx(1.0)


def test_constant_patterns_are_left_out_and_named(features: np.ndarray) -> None:
    target = dissimilarity(rdm_matrix(features))
    features = features.copy()
    features[[4, 7]] = 3.0
    comparison = rdm(resamples=10)(recording(features), target)
    assert comparison.aggregate() == pytest.approx(1.0)
    assert "2 of 30 presentations have a pattern without variance (the first is 's4')" in comparison.notes[0]


def test_one_neuroid_is_undefined_not_wrong(features: np.ndarray) -> None:
    comparison = rdm(resamples=0)(recording(features[:, :1]), dissimilarity(rdm_matrix(features)))
    assert np.isnan(comparison.aggregate())
    assert comparison.notes


def test_pairs_that_were_not_measured_count_for_no_one(features: np.ndarray) -> None:
    truth = rdm_matrix(features)
    holed = truth.copy()
    holed[3, 5] = holed[5, 3] = np.nan
    assert rdm(resamples=20)(recording(features), dissimilarity(holed)).aggregate() == pytest.approx(1.0)


def test_refusals(features: np.ndarray) -> None:
    target = dissimilarity(rdm_matrix(features))
    with pytest.raises(InvalidMeasurement, match="'time_bin'"):
        rdm()(recording(features).expand_dims("time_bin"), target)
    with pytest.raises(InvalidMeasurement, match="29 entries; 30 were expected, among them 's29'"):
        rdm()(recording(features[:-1]), target)
    with pytest.raises(InvalidMeasurement, match="not symmetric"):
        rdm()(recording(features), target + np.triu(np.ones((30, 30)), 1))
    with pytest.raises(InvalidMeasurement, match="populations are compared as"):
        rdm()(recording(features), recording(features).expand_dims("time_bin"))
    with pytest.raises(InvalidMeasurement, match="at least two subjects"):
        rdm_ceiling()(target)


def test_metric_and_ceiling_rest_on_the_same_draws(features: np.ndarray) -> None:
    """The lower bound of two noiseless copies is a metric: its replicates must be the metric's."""
    truth = rdm_matrix(features)
    pair = noisy_subjects(truth, np.array([1.0, 1.0]), 3)
    metric = rdm(compare="pearson", resamples=30, seed=5)(dissimilarity(pair[0]), dissimilarity(pair[1]))
    ceiling = rdm_ceiling(compare="pearson", resamples=30, seed=5)(dissimilarity(pair, "subject"))
    assert metric.replicates is not None
    assert ceiling.replicates is not None
    np.testing.assert_allclose(ceiling.replicates[:, 0] ** 2, metric.replicates[:, 0], atol=1e-10)


@pytest.mark.parametrize("compare", ["pearson", "spearman", "rho-a", "tau-a", "cosine"])
@pytest.mark.parametrize("noise", [(0.7,) * 4, (2.0,) * 8, (0.5, 1.0, 2.0, 3.0)], ids=str)
def test_the_true_model_reaches_its_ceiling(compare: str, noise: tuple[float, ...]) -> None:
    generator = np.random.default_rng(7)
    truth = rdm_matrix(generator.normal(size=(60, 10)))
    ratios = []
    for seed in range(6):
        target = dissimilarity(noisy_subjects(truth, np.array(noise), seed), "subject")
        metric = rdm(compare=compare, resamples=0)(dissimilarity(truth), target)  # type: ignore[arg-type]
        ceiling = rdm_ceiling(compare=compare, resamples=0)(target)  # type: ignore[arg-type]
        assert ceiling.bounds is not None
        assert ceiling.bounds[0] <= ceiling.aggregate() <= ceiling.bounds[1]
        ratios.append(metric.aggregate() / ceiling.aggregate())
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.04 if compare == "tau-a" else 0.03)


@pytest.mark.parametrize("truth_kind", ["clusters", "skewed"])
def test_ranks_of_unusual_truths_stay_near_the_ceiling(truth_kind: str) -> None:
    """Ranking is not linear: where dissimilarities cluster, the root of the mean similarity would be 20 % too high."""
    generator = np.random.default_rng(8)
    labels = generator.integers(0, 5, 60)
    truth = (labels[:, None] != labels) + 0.05 * np.triu(generator.normal(size=(60, 60)), 1)
    if truth_kind == "skewed":
        truth = np.exp(np.triu(generator.normal(size=(60, 60)), 1))
    truth = np.triu(truth, 1) + np.triu(truth, 1).T
    target = dissimilarity(noisy_subjects(truth, np.full(8, 0.7), 0), "subject")
    metric, ceiling = rdm(resamples=0)(dissimilarity(truth), target), rdm_ceiling(resamples=0)(target)
    assert metric.aggregate() / ceiling.aggregate() == pytest.approx(1.0, abs=0.08)


def test_subjects_that_do_not_agree_have_no_ceiling() -> None:
    generator = np.random.default_rng(9)
    pattern = np.triu(generator.normal(size=(20, 20)), 1)
    pattern += pattern.T
    ceiling = rdm_ceiling(resamples=20)(dissimilarity(np.stack([pattern, -pattern]), "subject"))
    assert np.isnan(ceiling.values.values).all()
    assert any("do not agree" in note for note in ceiling.notes)


def test_repetitions_are_averaged_before_subjects_are_compared(features: np.ndarray) -> None:
    noise = noisy_subjects(np.zeros((30, 30)), np.zeros(2), 0)
    truth = noisy_subjects(rdm_matrix(features), np.array([1.0, 1.0]), 4)
    twice = np.stack([truth + noise + 0.1, truth - noise - 0.1], axis=1)
    once = rdm_ceiling(resamples=0)(dissimilarity(truth, "subject"))
    assert rdm_ceiling(resamples=0)(dissimilarity(twice, "subject", "repetition")).aggregate() == pytest.approx(
        once.aggregate()
    )


def test_no_model_exceeds_the_upper_bound_of_ranks(features: np.ndarray) -> None:
    vectors = upper(noisy_subjects(rdm_matrix(features), np.full(5, 2.0), 0))
    _, top = nili_bounds(vectors, "spearman", pool="ranks")
    generator = np.random.default_rng(0)
    candidates = [*vectors, vectors.mean(axis=0), np.median(vectors, axis=0), *generator.normal(size=(5, 435))]
    reached = [np.mean([compare_rdms(c, v) for v in vectors]) for c in candidates]
    assert max(reached) <= top + 1e-12
    assert nili_bounds(vectors, "spearman")[1] <= top + 1e-12


def test_interval_of_the_true_model_covers_one(features: np.ndarray) -> None:
    truth = rdm_matrix(np.random.default_rng(1).normal(size=(50, 10)))
    covered = 0
    for seed in range(12):
        target = dissimilarity(noisy_subjects(truth, np.full(6, 1.5), seed), "subject")
        score = make_score(
            "b", "s", rdm(resamples=200)(dissimilarity(truth), target), rdm_ceiling(resamples=200)(target), {}
        )
        assert score.interval is not None
        covered += score.interval[0] <= 1 <= score.interval[1]
    assert covered >= 10


def test_a_recording_is_compared_by_its_own_rdm(features: np.ndarray) -> None:
    generator = np.random.default_rng(1)
    brain = features @ generator.normal(size=(12, 20))
    found = rdm(resamples=5)(recording(features), recording(brain))
    expected = compare_rdms(upper(rdm_matrix(features)), upper(rdm_matrix(brain)))
    assert found.aggregate() == pytest.approx(expected)
    holed = brain.copy()
    holed[3, 4] = np.nan
    expected = compare_rdms(upper(rdm_matrix(features)), upper(rdm_matrix(np.delete(brain, 4, axis=1))))
    lacking = rdm(resamples=0)(recording(features), recording(holed))
    assert lacking.aggregate() == pytest.approx(expected)
    assert lacking.notes == ("target: 1 of 20 neuroids lack a stimulus and are left out",)


def test_conditions_without_names_stand_in_the_same_order(features: np.ndarray) -> None:
    named = rdm(resamples=5)(recording(features), recording(features**3))
    for model, brain in ((True, False), (False, True), (False, False)):
        sides = [recording(v) for v in (features, features**3)]
        sides = [s if keep else s.drop_vars("stimulus_id") for s, keep in zip(sides, (model, brain), strict=True)]
        np.testing.assert_array_equal(rdm(resamples=5)(*sides).replicates, named.replicates)
    with pytest.raises(InvalidMeasurement, match="29 predicted presentations for 30"):
        rdm()(recording(features[:-1]).drop_vars("stimulus_id"), recording(features))


def test_conditions_of_the_same_name_are_not_mistaken_for_each_other(features: np.ndarray) -> None:
    names = np.array([f"s{i:02d}" for i in range(30)])
    twice = ("presentation", np.where(names == "s04", "s03", names))
    plain, doubled = recording(features), recording(features).assign_coords(stimulus_id=twice)
    brain = recording(features**3)
    same = rdm(resamples=0)(doubled, brain.assign_coords(stimulus_id=twice))
    assert same.aggregate() == rdm(resamples=0)(plain, brain).aggregate()
    for model, target in ((plain, brain.assign_coords(stimulus_id=twice)), (doubled, brain)):
        with pytest.raises(InvalidMeasurement, match="'s03' stands several times"):
            rdm()(model, target)


@pytest.mark.parametrize("trials", [4, 5, 10])
def test_the_ceiling_of_a_recording_holds_for_any_number_of_trials(trials: int) -> None:
    """Halves and quarters of 10 trials are not 5 and 2.5 of them: that once made the ceiling 5 % too low."""
    generator = np.random.default_rng(3)
    ratios = []
    for _ in range(25):
        signal = generator.normal(size=(60, 12)) @ generator.normal(size=(12, 30)) / np.sqrt(12)
        noise = 0.95 * np.sqrt(trials) * generator.normal(size=(*signal.shape, trials))
        dims, coords = ("presentation", "neuroid", "repetition"), recording(signal).coords
        target = xr.DataArray(signal[..., None] + noise, dims=dims, coords=coords)
        raw = rdm(compare="pearson", resamples=0)(recording(signal), target.mean("repetition")).aggregate()
        ratios.append(raw / rdm_ceiling("pearson", resamples=0)(target).aggregate())
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("noise", [0.7, 2.0, 4.0])
def test_the_true_population_reaches_the_ceiling_of_a_recording(noise: float) -> None:
    generator = np.random.default_rng(2)
    raws, ceilings = [], []
    for _ in range(8):
        signal = generator.normal(size=(60, 40))
        trials = signal[..., None] + noise * generator.normal(size=(*signal.shape, 8))
        target = xr.DataArray(trials, dims=("presentation", "neuroid", "repetition"), coords=recording(signal).coords)
        raws.append(rdm(resamples=0)(recording(signal), target.mean("repetition")).aggregate())
        ceiling = rdm_ceiling(resamples=20, halvings=5)(target)
        assert ceiling.replicates is not None
        assert ceiling.replicates.shape == (20, 1)
        ceilings.append(ceiling.aggregate())
    assert np.mean(raws) / np.mean(ceilings) == pytest.approx(1, abs=0.03)
    with pytest.raises(InvalidMeasurement, match="presentation, neuroid, repetition"):
        rdm_ceiling()(target.mean("repetition"))


@pytest.mark.parametrize("noise", [0.5, 1.5])
def test_the_true_population_reaches_the_ceiling_in_tau_of_a_recording(noise: float) -> None:
    """Reliability is a matter of r: halves that agree by tau were taken for less reliable than they are."""
    ratios: list[float] = []
    for seed in range(6):
        rng = np.random.default_rng([seed, 12])
        signal = rng.standard_normal((40, 4)) @ rng.standard_normal((4, 50)) / 2
        trials = signal[..., None] + noise * rng.standard_normal((40, 50, 8))
        target = xr.DataArray(trials, dims=("presentation", "neuroid", "repetition"))
        model = xr.DataArray(signal, dims=("presentation", "neuroid"))
        raw = rdm("euclidean", "tau-a", resamples=0)(model, target.mean("repetition")).aggregate()
        ratios.append(raw / rdm_ceiling("tau-a", resamples=0, distance="euclidean")(target).aggregate())
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.02)
