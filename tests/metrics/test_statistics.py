from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from brainmark.core import Comparison, InvalidMeasurement
from brainmark.core.score import make_score
from brainmark.metrics.statistics.inference import compare_models, effect_size, false_discovery_rate, holm, interval

STIMULI, DRAWS = 60, 200


def comparison(samples: np.ndarray, seed: int, center: str = "median") -> Comparison:
    """Means over stimuli of (stimuli, units) samples, with replicates on draws that depend on the seed alone."""
    counts = np.random.default_rng([seed, 9]).multinomial(len(samples), [1 / len(samples)] * len(samples), size=DRAWS)
    values = xr.DataArray(samples.mean(0), dims="neuroid")
    return Comparison(values, replicates=counts @ samples / len(samples), center=center)  # type: ignore[arg-type]


def two_models(units: int, seed: int, advantage: float) -> dict[str, Comparison]:
    """Models that share the level of units and the difficulty of stimuli; one is better by `advantage`."""
    rng = np.random.default_rng([seed, units])
    level = rng.normal(0.5, 0.2, units) + 0.3 * rng.standard_normal((STIMULI, 1))
    gain = rng.normal(advantage, 0.05, units)
    noise = 0.4 * rng.standard_normal((2, STIMULI, units))
    return {"a": comparison(level + gain + noise[0], seed), "b": comparison(level + noise[1], seed)}


@pytest.mark.parametrize("advantage", [0.0, 0.1])
def test_differences_are_covered_and_false_alarms_rare(advantage: float) -> None:
    found = [compare_models(two_models(30, seed, advantage), seed=seed)[0] for seed in range(300)]
    covered = np.mean([d.interval[0] <= advantage <= d.interval[1] for d in found])
    assert 0.915 < covered <= 0.99
    significant = np.mean([d.p < 0.05 for d in found])
    assert (significant < 0.09) if advantage == 0 else (significant > 0.8)


def test_what_models_share_cancels() -> None:
    """The intervals of two scores overlap widely; that of their difference is clear."""
    models = two_models(40, 1, 0.1)
    alone = [make_score("b", k, m, None, {}).interval for k, m in models.items()]
    assert alone[0] is not None
    assert alone[1] is not None
    assert alone[0][0] < alone[1][1]
    difference = compare_models(models)[0]
    assert difference.interval[0] > 0.03
    assert difference.p < 0.02
    assert (difference.first, difference.second) == ("a", "b")
    swapped = compare_models({"b": models["b"], "a": models["a"]})[0]
    assert swapped.value == -difference.value
    assert swapped.interval == pytest.approx((-difference.interval[1], -difference.interval[0]))


def test_all_pairs_and_their_false_discovery_rate() -> None:
    models = two_models(30, 2, 0.1) | {"c": two_models(30, 2, 0.0)["a"]}
    found = compare_models(models)
    assert [(d.first, d.second) for d in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    np.testing.assert_allclose([d.q for d in found], false_discovery_rate(np.array([d.p for d in found])))


def test_a_ceiling_scales_and_selects_units() -> None:
    models = two_models(30, 3, 0.1)
    top = xr.DataArray(np.full(30, 0.5), dims="neuroid")
    scaled = compare_models(models, Comparison(top))[0]
    plain = compare_models(models)[0]
    assert scaled.value == pytest.approx(2 * plain.value)
    assert scaled.interval == pytest.approx((2 * plain.interval[0], 2 * plain.interval[1]))
    top[5:] = np.nan
    few = compare_models(models, Comparison(top))[0]
    a, b = (np.median(m.values.values[:5]) for m in models.values())
    assert few.value == pytest.approx(2 * (a - b))


@pytest.mark.parametrize("subjects", [None, 8])
def test_intervals_over_subjects_cover(subjects: int | None) -> None:
    """Units of a subject resemble each other: drawing units alone is too sure."""
    inside, naive = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(8), 5)
        level = 0.5 + (0.0 if subjects is None else 0.2) * rng.standard_normal(8)[groups]
        found = comparison(
            level + 0.2 * rng.standard_normal(40) + 0.3 * rng.standard_normal((STIMULI, 40)), seed, "mean"
        )
        low, high = interval(found, None if subjects is None else groups, seed)
        inside.append(low <= 0.5 <= high)
        low, high = interval(found, None, seed)
        naive.append(low <= 0.5 <= high)
    assert 0.90 < np.mean(inside) < 0.985
    if subjects:
        assert np.mean(naive) < 0.8


def test_bootstrap_of_cells_without_replicates() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.2, 400)
    low, high = interval(Comparison(xr.DataArray(values, dims="neuroid"), center="mean"))
    assert (high - low) == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    with pytest.raises(InvalidMeasurement, match="needs replicates, or two units"):
        interval(Comparison(xr.DataArray(values[:1], dims="neuroid")))


def test_effect_size_does_not_shrink_with_noise() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(0.3, 0.1, 4000)
    for noise in (0.01, 0.1, 0.3):
        values = true + noise * rng.standard_normal(4000)
        replicates = values + noise * rng.standard_normal((100, 4000))
        assert effect_size(values, replicates) == pytest.approx(3.0, rel=0.12)
        assert np.isfinite(effect_size(np.append(values, np.nan), np.c_[replicates, replicates[:, 0]]))
    few = np.array([0.1, 0.4, 0.7])  # noise of .01 and a spread of .09, both of samples
    drawn = few + np.array([[0.1], [0.0], [-0.1]])
    assert effect_size(few, drawn) == pytest.approx(0.4 / np.sqrt(0.09 - 0.01))
    assert np.isnan(effect_size(np.full(5, 0.1), 0.1 + 0.1 * rng.standard_normal((50, 5))))


@pytest.mark.parametrize("dependent", [False, True])
def test_false_discovery_rate_is_that_of_scipy(dependent: bool) -> None:
    p = np.random.default_rng(0).uniform(size=50) ** 2
    expected = stats.false_discovery_control(p, method="by" if dependent else "bh")
    np.testing.assert_allclose(false_discovery_rate(p, dependent), expected, rtol=1e-12)
    with_gap = np.insert(p, 7, np.nan)
    found = false_discovery_rate(with_gap, dependent)
    assert np.isnan(found[7])
    np.testing.assert_allclose(np.delete(found, 7), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="between 0 and 1"):
        false_discovery_rate(np.array([0.1, 1.2]))


def test_holm_is_the_step_down_procedure() -> None:
    found = holm(np.array([0.04, np.nan, 0.01, 0.03, 0.9]))
    np.testing.assert_allclose(found, [0.09, np.nan, 0.04, 0.09, 0.9])  # 2 x .04 < 3 x .03: no p falls behind
    np.testing.assert_allclose(holm(np.array([0.5, 0.6])), [1, 1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(np.array([-0.1]))


def test_the_smallest_p_is_not_zero() -> None:
    found = compare_models(two_models(30, 4, 5.0))[0]
    assert found.p == pytest.approx(2 / (1 + DRAWS))


def test_models_that_cannot_be_compared() -> None:
    models = two_models(10, 0, 0.0)
    with pytest.raises(InvalidMeasurement, match="two models; there is 1"):
        compare_models({"a": models["a"]})
    with pytest.raises(InvalidMeasurement, match="'c' has no replicates"):
        compare_models({**models, "c": Comparison(models["a"].values)})
    with pytest.raises(InvalidMeasurement, match="not scored on the same units"):
        compare_models({**models, "c": two_models(11, 0, 0.0)["a"]})
    nothing = Comparison(xr.DataArray(np.full(10, np.nan), dims="neuroid"))
    with pytest.raises(InvalidMeasurement, match="no unit has a value"):
        compare_models(models, nothing)
    for level in (0.0, -0.5):
        flat = Comparison(xr.DataArray(np.full(10, level), dims="neuroid"))
        with pytest.raises(InvalidMeasurement, match=f"the ceiling is {level:.3g}: these data hold no reliable signal"):
            compare_models(models, flat)
    lost = Comparison(models["a"].values, replicates=np.full((DRAWS, 10), np.nan))
    with pytest.raises(InvalidMeasurement, match="'c' has no value under any draw"):
        compare_models({**models, "c": lost})
