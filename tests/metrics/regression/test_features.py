"""Products and factorisations that regressions share: over folds, penalties, targets and regions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from brainmark.brainscore import metrics as bs
from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics._arrays.backend import all_finite, gram, inverse_cholesky
from brainmark.metrics.regression import left_out, ridge
from brainmark.metrics.regression.features import prepare
from brainmark.metrics.regression.spectrum import Spectrum, loo_errors, sum_loo_errors
from brainmark.metrics.statistics.ceilings import correlate_halves
from brainmark.metrics.statistics.splits import Fold, Random


def population(n: int, p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([n, p, q])
    x = rng.standard_normal((n, p)) + 2
    return x, x[:, :5] @ rng.standard_normal((5, q)) + 3 * rng.standard_normal((n, q))


def recording(values: np.ndarray, order: np.ndarray) -> xr.DataArray:
    coords = {"stimulus_id": ("presentation", [f"s{i:03d}" for i in order])}
    return xr.DataArray(values[order], dims=("presentation", "neuroid"), coords=coords)


@pytest.mark.parametrize("p", [30, 200])
@pytest.mark.parametrize("name", ["pls", "ridge", "ridgecv"])
def test_prepared_units_serve_several_regions(name: str, p: int) -> None:
    metric = {"pls": bs.pls(5, None), "ridge": bs.ridge(1.0, None), "ridgecv": bs.ridgecv(stratify=None)}[name]
    (x, y), rng = population(90, p, 8), np.random.default_rng(0)
    units = recording(x, rng.permutation(90))
    shared = bs.prepare_units(units)
    for region in (y[:, :3], y[:, 3:]):
        target = recording(region, rng.permutation(90))
        apart, together = metric(units, target), metric(shared, target)
        np.testing.assert_allclose(together.values, apart.values, atol=1e-9)
        assert together.notes == apart.notes


def test_the_order_of_the_model_does_not_matter() -> None:
    x, y = population(80, 120, 6)
    target = recording(y, np.random.default_rng(3).permutation(80))
    orders = np.arange(80), np.random.default_rng(4).permutation(80)
    for metric in (bs.pls(5, None), bs.linear_predictivity(None), bs.neuron_to_neuron(None), bs.ridgecv(stratify=None)):
        first, second = (metric(recording(x, order), target).values for order in orders)
        np.testing.assert_allclose(first, second, atol=1e-9)


def test_what_prepared_units_cannot_do_is_said() -> None:
    x, y = population(60, 100, 4)
    shared = bs.prepare_units(x)
    with pytest.raises(InvalidMeasurement, match="pass them, not their products"):
        bs.reverse_pls(stratify=None)(shared, y)
    with pytest.raises(InvalidMeasurement, match="units themselves"):
        bs.neuron_to_neuron(None)(shared, y)
    with pytest.raises(InvalidMeasurement, match="60 presentations, target 59"):
        bs.pls(5, None)(shared, y[1:])


@pytest.mark.parametrize("shape", [(60, 25, 4), (60, 25, 90), (50, 120, 7), (50, 120, 200)], ids=str)
@pytest.mark.parametrize("count", [5, 99])
@pytest.mark.parametrize("torched", [False, True])
def test_summed_errors_are_those_of_the_targets(shape: tuple[int, int, int], count: int, torched: bool) -> None:
    x, y = population(*shape)
    y = y - y.mean(axis=0)
    alphas = np.geomspace(1e-2, 1e6, count)
    expected = loo_errors(Spectrum(prepare(x), np.arange(len(y)), y), alphas).sum(axis=1) * len(y)
    if torched:
        x, y = torch.from_numpy(x), torch.from_numpy(y)
    spectrum = Spectrum(prepare(x), torch.arange(len(y)) if torched else np.arange(len(y)), y)
    np.testing.assert_allclose(sum_loo_errors(spectrum, alphas), expected, rtol=1e-8)
    np.testing.assert_allclose(sum_loo_errors(spectrum, alphas, y @ y.T), expected, rtol=1e-8)


def test_finite_numbers_whose_squares_are_not() -> None:
    large = np.full((4, 3), 1e30, np.float32)
    assert all_finite(large)
    for bad in (np.nan, np.inf):
        spoiled = large.copy()
        spoiled[2, 1] = bad
        assert not all_finite(spoiled)
        assert not all_finite(spoiled.T[::-1])
    assert all_finite(np.arange(6).reshape(2, 3))


def test_products_of_features_far_from_zero() -> None:
    x = (1e3 + np.random.default_rng(1).standard_normal((50, 9000))).astype(np.float32)
    centred = x.astype(float) - x.astype(float).mean(axis=0)
    expected = centred @ centred.T
    for found, digits in ((gram(x), 1e-5), (gram(x, wide=True), 1e-12), (gram(torch.from_numpy(x)).numpy(), 1e-5)):
        assert np.abs(found - expected).max() < digits * expected.max()


@pytest.mark.parametrize("n", [5, 300])
def test_inverse_cholesky_factor(n: int) -> None:
    a = np.cov(np.random.default_rng(n).standard_normal((n, 3 * n)))
    expected = np.linalg.inv(np.linalg.cholesky(a))
    for made in (np.array, torch.from_numpy):
        np.testing.assert_allclose(inverse_cholesky(made(a)), expected, atol=1e-9)
        assert inverse_cholesky(made(a - 10 * a[0, 0] * np.eye(n))) is None


def test_counts_of_spikes_are_halved_as_numbers() -> None:
    counts = np.random.default_rng(5).poisson(90, (40, 6, 9)).astype(np.int8)  # their sums do not fit
    for halved, same in zip(correlate_halves(counts, 4), correlate_halves(counts * 1.0, 4), strict=True):
        np.testing.assert_array_equal(halved, same)


def slowly_left_out(x: np.ndarray, y: np.ndarray, fold: Fold, alphas: list[float]) -> tuple[np.ndarray, float]:
    """Ridge regression of one fold, its penalty by refitting without each training row in turn."""

    def fitted(train: np.ndarray, test: np.ndarray, alpha: float) -> np.ndarray:
        mean, offset = x[train].mean(axis=0), y[train].mean(axis=0)
        rows = x[train] - mean
        weights = rows.T @ np.linalg.solve(rows @ rows.T + alpha * np.eye(len(train)), y[train] - offset)
        return (x[test] - mean) @ weights + offset

    errors = [
        sum(((y[i] - fitted(np.setdiff1d(fold.train, [i]), np.array([i]), a)[0]) ** 2).sum() for i in fold.train)
        for a in alphas
    ]
    best = alphas[int(np.argmin(errors))]
    return fitted(fold.train, fold.test, best), best


@pytest.mark.parametrize("q", [3, 60])
@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("uneven", [False, True])
def test_one_penalty_for_all_folds_from_one_spectrum(
    q: int, library: str, uneven: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = population(40, 90, q)
    y *= 30.0 / np.arange(1, q + 1) ** 2  # few neuroids decide, so that folds differ in what they choose
    folds = list(Random(5, 0.9, seed=1)(40))
    if uneven:
        folds = [Fold(np.setdiff1d(np.arange(40), part), part) for part in np.split(np.arange(40), [3, 17, 18, 30])]
    alphas = [0.01, 1.0, 30.0, 100.0, 300.0]
    expected, chosen = zip(*[slowly_left_out(x, y, fold, alphas) for fold in folds], strict=True)
    assert len(set(chosen)) > 1
    monkeypatch.setattr(ridge, "Spectrum", None)  # no fold is decomposed by itself
    a, b = (torch.from_numpy(v) if library == "torch" else v for v in (x, y))
    found, penalties = ridge.ridge_predictions(a, b, folds, alphas, per_target=False, selection="loo")
    np.testing.assert_array_equal(np.asarray(penalties), np.repeat(np.array(chosen)[:, None], q, axis=1))
    np.testing.assert_allclose(np.asarray(found), np.concatenate(expected), atol=1e-8)


def test_spectrum_of_all_is_not_trusted_where_rounding_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = population(40, 90, 60)
    folds, made = list(Random(5, 0.9, seed=1)(40)), []

    def counted(*given: Any, alpha: float = 0.0) -> Spectrum:
        made.append(given)
        return Spectrum(*given, alpha=alpha) if len(given) < 4 else Spectrum(*given)

    monkeypatch.setattr(ridge, "Spectrum", counted)
    for same, alphas, times in ((False, [1e-9, 1e-12], 0), (True, [1.0, 0.1], 0), (True, [1e-9, 1e-12], 5)):
        made.clear()
        x[1] = x[0] if same else x[1]
        found, _ = ridge.ridge_predictions(x, y, folds, alphas, per_target=False, selection="loo")
        assert len(made) == times
        assert np.isfinite(found).all()


def test_rows_of_several_folds_are_transformed_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = population(70, 20, 3)
    folds = list(Random(6, 0.8, seed=1)(70))
    whole = ridge.ridge_predictions(x, y, folds, [2.0])[0]
    expected = [slowly_left_out(x, y, fold, [2.0])[0] for fold in folds]
    np.testing.assert_allclose(whole, np.concatenate(expected), atol=1e-9)
    for most in (1, 30 * 20):  # one fold at a time, two
        monkeypatch.setattr(left_out, "_TOGETHER", most)
        np.testing.assert_allclose(ridge.ridge_predictions(x, y, folds, [2.0])[0], whole, atol=1e-12)
