"""The penalty of ridge regression is the one of least leave-one-out error, however small, and an edge is noted.

Wrong outcomes guarded against: generalised cross-validation, once the default, took the least penalty of the grid for
neuroids whose noise grows with the length of the pattern; a penalty next to which rounding was expected, and none, were
never chosen where features outnumber presentations.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from brainmark.metrics.regression.banded import UniqueVariance, banded_ridge
from brainmark.metrics.regression.features import prepare
from brainmark.metrics.regression.predictivity import RELATIVE_ALPHAS, TEN_FOLDS, ridge
from brainmark.metrics.regression.ridge import relative_alphas, ridge_predictions
from brainmark.metrics.regression.spectrum import Spectrum, gcv_errors, loo_errors, sum_loo_errors
from brainmark.metrics.statistics.correlation import fold_pearson
from brainmark.metrics.statistics.splits import Fold

SMALL = np.array([1.0, 1e-3, 1e-6, 1e-9, 1e-12, 0.0])


def contrasts(n: int = 120, p: int = 200, q: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Features of patterns whose contrast varies, and targets whose noise grows with it."""
    rng = np.random.default_rng(1)
    u = np.linalg.qr(rng.standard_normal((n, n)))[0]
    contrast = np.exp(1.5 * rng.standard_normal((n, 1)))
    x = contrast * ((u / np.arange(1, n + 1)) @ np.linalg.qr(rng.standard_normal((p, n)))[0].T)
    signal = u[:, :20] @ rng.standard_normal((20, q)) * (n / 20) ** 0.5
    return x, signal + 3 * contrast * rng.standard_normal((n, q))


def left_out(x: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """Mean squared errors (q,) of each row, predicted by a fit of least norm on the others."""
    errors = []
    for i in range(len(x)):
        others = np.arange(len(x)) != i
        mean, level = x[others].mean(0), y[others].mean(0)
        centred = x[others] - mean
        dual = np.linalg.lstsq(centred @ centred.T + alpha * np.eye(len(x) - 1), y[others] - level, rcond=1e-13)[0]
        errors.append((y[i] - level - (x[i] - mean) @ centred.T @ dual) ** 2)
    return np.mean(errors, axis=0)


def test_the_default_is_leave_one_out_as_in_scikit_learn() -> None:
    x, y = contrasts()
    alphas, folds = relative_alphas(prepare(x), RELATIVE_ALPHAS), TEN_FOLDS(len(x))
    models = [RidgeCV(alphas, alpha_per_target=True).fit(x[f.train], y[f.train]) for f in folds]
    predicted = np.concatenate([m.predict(x[f.test]) for m, f in zip(models, folds, strict=True)])
    wanted = fold_pearson(predicted, y[np.concatenate([f.test for f in folds])], [len(f.test) for f in folds])
    np.testing.assert_allclose(ridge(resamples=0)(x, y).values, wanted, atol=1e-6)
    lowest = [np.mean(ridge_predictions(x, y, folds, alphas, True, s)[1] == alphas.min()) for s in ("gcv", "loo")]
    assert lowest[0] > 0.3 > 3 * lowest[1]


@pytest.mark.parametrize(("n", "p"), [(24, 40), (24, 23), (24, 10)])
@pytest.mark.parametrize("dual", [True, False])
def test_errors_of_small_penalties_are_those_of_fits_without_each_row(n: int, p: int, dual: bool) -> None:
    rng = np.random.default_rng([n, p])
    x, y = rng.standard_normal((n, p)), rng.standard_normal((n, 5))
    wanted = np.stack([left_out(x, y, a) for a in SMALL])
    spectrum = Spectrum(prepare(x, dual), np.arange(n), y - y.mean(0))
    np.testing.assert_allclose(loo_errors(spectrum, SMALL), wanted, rtol=1e-4)
    np.testing.assert_allclose(sum_loo_errors(spectrum, SMALL), n * wanted.sum(1), rtol=1e-4)
    products = (y - y.mean(0)) @ (y - y.mean(0)).T
    np.testing.assert_allclose(sum_loo_errors(spectrum, SMALL, products), n * wanted.sum(1), rtol=1e-4)
    assert np.isfinite(gcv_errors(spectrum, SMALL)).all()


@pytest.mark.parametrize("per_target", [True, False])
@pytest.mark.parametrize("small", [1e-6, 1e-9, 1e-12, 0.0])
def test_a_penalty_is_chosen_however_small(small: float, per_target: bool) -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((60, 70))
    y = x @ rng.standard_normal((70, 4))
    _, chosen = ridge_predictions(x, y, [Fold(np.arange(48), np.arange(48, 60))], [small, 1e4], per_target, "loo")
    assert (np.asarray(chosen) == small).all()


def test_a_row_that_alone_decides_a_unit_spoils_no_penalty() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((40, 6)), rng.standard_normal((40, 3))
    x[:, 5] = 0
    x[7, 5] = 3.0
    spectrum = Spectrum(prepare(x), np.arange(40), y - y.mean(0), 1e-9)
    found = loo_errors(spectrum, np.array([1.0, 1e-3, 1e-6]))
    np.testing.assert_allclose(found, [left_out(x, y, a) for a in (1.0, 1e-3, 1e-6)], rtol=1e-3)


def test_penalties_at_an_edge_of_the_grid_are_noted_with_the_score() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((60, 5))
    y = x @ rng.standard_normal((5, 3)) + 2 * rng.standard_normal((60, 3))
    assert ridge(resamples=0)(x, y).notes == ()
    assert "100.0% at the lower edge" in ridge(alphas=[1e3, 1e4], resamples=0)(x, y).notes[0]
    assert "100.0% at the upper edge" in ridge(alphas=[1e-9, 1e-2], resamples=0)(x, y + x[:, :1] * 0).notes[0]
    noise = rng.standard_normal((60, 3))
    assert (
        "at the upper edge" in UniqueVariance({"other": rng.standard_normal((60, 2))}, resamples=0)(x, noise).notes[0]
    )


def test_banded_ridge_chooses_its_penalty_in_the_same_way() -> None:
    x, y = contrasts()
    folds = TEN_FOLDS(len(x))
    kernel = prepare(x, dual=True).kernel
    scale = np.trace(kernel) / len(x)
    wanted, chosen = ridge_predictions(x, y, folds, np.asarray(RELATIVE_ALPHAS) * scale)
    fit = banded_ridge({"model": x}, y, folds)
    np.testing.assert_allclose(fit.alphas * scale, chosen)
    np.testing.assert_allclose(fit.predictions, wanted, atol=1e-6)
