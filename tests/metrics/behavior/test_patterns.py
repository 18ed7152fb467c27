from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.behavior.patterns import choice_pattern, choice_pattern_ceiling, pairwise_shares, sensitivities
from brainmark.metrics.statistics.resampling import draws

LEVELS = ["o1", "o2", "i1", "i2", "o2n", "i1n", "i2n"]
OBJECTS = np.array(["bear", "car", "dog", "tank"])


def trials_of(rate: np.ndarray, truth: np.ndarray, trials: int, seed: int) -> xr.DataArray:
    """Binary trials (presentation, choice, repetition) with these true shares."""
    taken = (np.random.default_rng(seed).random((*rate.shape, trials)) < rate[..., None]).astype(float)
    taken[np.arange(len(truth)), truth] = np.nan
    return xr.DataArray(
        taken,
        dims=("presentation", "choice", "repetition"),
        coords={"choice": OBJECTS, "label": ("presentation", OBJECTS[truth])},
    )


@pytest.fixture
def world() -> tuple[np.ndarray, np.ndarray]:
    """True shares (presentation, choice) of the wrong object, and true objects of 80 images."""
    generator = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 20)
    drift = generator.normal(-0.8, 0.4, size=(4, 4))[truth] + generator.normal(0, 0.6, size=(80, 4))
    return norm.cdf(drift), truth


def model_of(shares: np.ndarray, truth: np.ndarray) -> xr.DataArray:
    """Probabilities whose two-alternative shares are these."""
    odds = shares / (1 - shares)
    odds[np.arange(len(truth)), truth] = 1
    return xr.DataArray(
        odds / odds.sum(axis=1, keepdims=True), dims=("presentation", "choice"), coords={"choice": OBJECTS}
    )


def slowly(shares: np.ndarray, truth: np.ndarray, level: str) -> np.ndarray:
    """The definition, cell by cell."""
    images, objects = shares.shape

    def z(p: float) -> float:
        return float(np.clip(norm.ppf(p), -10, 10))

    def pair(t: int, d: int) -> float:
        return float(np.nanmean(shares[truth == t, d]))

    result = np.full({"o1": (objects,), "o2": (objects,) * 2, "i1": (images,), "i2": shares.shape}[level[:2]], np.nan)
    for t in range(objects):
        others = [d for d in range(objects) if d != t]
        alarm = np.nanmean(np.concatenate([shares[truth == d, t] for d in others]))
        if level[:2] == "o1":
            result[t] = z(1 - np.mean([np.nanmean(shares[i, others]) for i in np.flatnonzero(truth == t)])) - z(alarm)
        for d in others:
            if level[:2] == "o2":
                result[t, d] = z(1 - pair(t, d)) - z(pair(d, t))
        for i in np.flatnonzero(truth == t):
            if level[:2] == "i1":
                result[i] = z(1 - np.nanmean(shares[i, others])) - z(alarm)
            if level[:2] == "i2":
                for d in others:
                    result[i, d] = z(1 - shares[i, d]) - z(pair(d, t))
    result = np.clip(result, -5, 5)
    if level == "o2n":
        return result - np.nanmean(result, axis=1, keepdims=True)
    if level in ("i1n", "i2n"):
        for t in range(objects):
            for cells in [(truth == t,)] if level == "i1n" else [(truth == t, d) for d in range(objects) if d != t]:
                result[cells] -= np.nanmean(result[cells])
    return result


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("holes", [False, True])
def test_sensitivities_are_the_definition(level: str, holes: bool, world: tuple[np.ndarray, np.ndarray]) -> None:
    shares, truth = world
    shares = shares.copy()
    shares[0, 2], shares[25, 3] = 0.0, 1.0
    if holes:
        shares[3, 1] = shares[40, 0] = np.nan
    found = sensitivities(shares, truth, level)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, slowly(shares, truth, level), atol=1e-10)


@pytest.mark.parametrize("level", LEVELS)
def test_weights_are_copies(level: str, world: tuple[np.ndarray, np.ndarray]) -> None:
    shares, truth = world
    count = draws(80, 1, 0)[0]
    drawn = np.repeat(np.arange(80), count)
    expected = sensitivities(shares[drawn], truth[drawn], level)  # type: ignore[arg-type]
    kept = np.flatnonzero(count)
    found = sensitivities(shares[kept], truth[kept], level, count[kept])  # type: ignore[arg-type]
    found = np.repeat(found, count[kept], axis=0) if level.startswith("i") else found
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("level", LEVELS)
def test_replicates_are_those_of_the_drawn_images(level: str, world: tuple[np.ndarray, np.ndarray]) -> None:
    shares, truth = world
    other = np.clip(shares + np.random.default_rng(1).normal(0, 0.1, shares.shape), 0.01, 0.99)
    target = trials_of(other, truth, 1, 0).isel(repetition=0).copy(data=np.where(np.eye(4)[truth] > 0, np.nan, other))
    comparison = choice_pattern(level, resamples=3)(model_of(shares, truth), target)  # type: ignore[arg-type]
    assert comparison.replicates is not None
    for found, count in zip(comparison.replicates[:, 0], draws(80, 3, 0), strict=True):
        drawn = np.repeat(np.arange(80), count)
        x, y = (sensitivities(s[drawn], truth[drawn], level) for s in (shares, target.values))  # type: ignore[arg-type]
        known = np.isfinite(x)
        assert found == pytest.approx(np.corrcoef(x[known], y[known])[0, 1])


def test_model_probabilities_become_pairwise_shares(world: tuple[np.ndarray, np.ndarray]) -> None:
    shares, truth = world
    found = pairwise_shares(model_of(shares, truth).values, truth)
    wrong = ~(np.eye(4)[truth] > 0)
    np.testing.assert_allclose(found[wrong], shares[wrong])
    assert pairwise_shares(np.array([[0.0, 1.0, 0.0]]), np.array([0])).tolist() == [[0.5, 1.0, 0.5]]


@pytest.mark.parametrize("trials", [80, 200])
def test_the_true_model_reaches_its_ceiling(world: tuple[np.ndarray, np.ndarray], trials: int) -> None:
    shares, truth = world
    ratios = []
    for seed in range(6):
        target = trials_of(shares, truth, trials, seed)
        raw = choice_pattern("i2n", resamples=0)(model_of(shares, truth), target.mean("repetition")).aggregate()
        ratios.append(raw / choice_pattern_ceiling("i2n", resamples=0)(target).aggregate())
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)


def test_an_unrelated_model_scores_nothing(world: tuple[np.ndarray, np.ndarray]) -> None:
    shares, truth = world
    target = trials_of(shares, truth, 40, 0).mean("repetition")
    other = norm.cdf(np.random.default_rng(2).normal(-0.8, 0.6, shares.shape))
    assert choice_pattern("i2n", resamples=0)(model_of(other, truth), target).aggregate() == pytest.approx(0, abs=0.2)


def test_too_few_trials_are_noted(world: tuple[np.ndarray, np.ndarray]) -> None:
    few, many = (choice_pattern_ceiling("i2n", resamples=0)(trials_of(*world, n, 0)) for n in (10, 400))
    assert "the ceiling may be off" in few.notes[0]
    assert not many.notes


def test_ceiling_has_replicates(world: tuple[np.ndarray, np.ndarray]) -> None:
    ceiling = choice_pattern_ceiling("i1", resamples=30)(trials_of(*world, 20, 0))
    assert ceiling.replicates is not None
    assert ceiling.replicates.shape == (30, 1)
    assert 0 < np.nanmean(ceiling.replicates) <= 1


def test_refusals(world: tuple[np.ndarray, np.ndarray]) -> None:
    shares, truth = world
    target = trials_of(shares, truth, 3, 0)
    model = model_of(shares, truth)
    with pytest.raises(ValueError, match="unknown level 'i3'"):
        sensitivities(shares, truth, "i3")  # type: ignore[arg-type]
    with pytest.raises(InvalidMeasurement, match="'repetition'"):
        choice_pattern()(model, target)
    with pytest.raises(InvalidMeasurement, match="presentation, choice, repetition"):
        choice_pattern_ceiling()(target.mean("repetition"))
    with pytest.raises(InvalidMeasurement, match="no coordinate 'object'"):
        choice_pattern(truth="object")(model, target.mean("repetition"))
    with pytest.raises(InvalidMeasurement, match="between 0 and 1, not between 0 and 3"):
        choice_pattern()(model, target.sum("repetition"))
    with pytest.raises(InvalidMeasurement, match="trials hold 1 where"):
        choice_pattern_ceiling()(2 * target)
    with pytest.raises(InvalidMeasurement, match="negative probabilities"):
        choice_pattern()(-model, target.mean("repetition"))
