from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from himalaya.kernel_ridge import (
    solve_multiple_kernel_ridge_random_search,
    solve_weighted_kernel_ridge_conjugate_gradient,
)

from brainmark.core import InvalidMeasurement
from brainmark.metrics.regression.banded import UniqueVariance, banded_ridge, explained_variance, simplex
from brainmark.metrics.regression.predictivity import RELATIVE_ALPHAS
from brainmark.metrics.regression.ridge import ridge_predictions
from brainmark.metrics.statistics.resampling import draws
from brainmark.metrics.statistics.splits import Contiguous, Fold, Shuffled

RNG = np.random.default_rng(0)


def recording(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("presentation", "neuroid"))


def unit_scale(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(0)
    return x / np.sqrt((x**2).sum(1).mean())


def test_given_shares_it_is_ridge_on_scaled_features() -> None:
    a, b, y = RNG.standard_normal((60, 8)) * 5, RNG.standard_normal((60, 30)) + 2, RNG.standard_normal((60, 4)) + 9
    folds = Contiguous(4)(60)
    fit = banded_ridge({"a": a, "b": b}, y, folds, shares=np.array([[0.3, 0.7]]), alphas=[2.0])
    joint = np.concatenate([np.sqrt(0.3) * unit_scale(a), np.sqrt(0.7) * unit_scale(b)], axis=1)
    np.testing.assert_allclose(fit.predictions, ridge_predictions(joint, y, folds, [2.0])[0], atol=1e-9)
    means = np.concatenate([np.broadcast_to(y[f.train].mean(0), (len(f.test), 4)) for f in folds])
    np.testing.assert_allclose(fit.bands["a"] + fit.bands["b"] + means, fit.predictions, atol=1e-12)


def test_agrees_with_himalaya() -> None:
    a, b, y = (unit_scale(RNG.standard_normal((40, k))) for k in (5, 60, 3))
    kernels = np.stack([a @ a.T, b @ b.T])
    shares = np.array([0.2, 0.8])
    weights = solve_weighted_kernel_ridge_conjugate_gradient(
        kernels, y, np.log(shares)[:, None] * np.ones((2, 3)), alpha=0.5, max_iter=2000, tol=1e-12
    )
    stacked = {"a": np.concatenate([a, a]), "b": np.concatenate([b, b])}
    fold = Contiguous(2)(80)[:1]  # the training half and the test half hold the same rows
    fit = banded_ridge(stacked, np.concatenate([y, y]), fold, shares=shares[None], alphas=[0.5])
    np.testing.assert_allclose(fit.predictions, np.einsum("s,snm,mq->nq", shares, kernels, weights), atol=1e-5)


def test_shares_follow_the_space_that_matters() -> None:
    good, bad = RNG.standard_normal((150, 10)), RNG.standard_normal((150, 300))
    y = good @ RNG.standard_normal((10, 6)) + 2.0 * RNG.standard_normal((150, 6))
    folds = Shuffled(5)(150)
    fit = banded_ridge({"good": good, "bad": bad}, y, folds)
    assert fit.shares[:, 0].mean() > 0.85
    rows = np.concatenate([f.test for f in folds])
    sizes = [len(f.test) for f in folds]
    joint = np.concatenate([unit_scale(good), unit_scale(bad)], axis=1)
    single = ridge_predictions(joint, y, folds, np.array(RELATIVE_ALPHAS) * 2)[0]
    banded_r2, single_r2 = (explained_variance(p, y[rows], sizes).mean() for p in (fit.predictions, single))
    assert banded_r2 > single_r2 + 0.015


def test_shares_lie_on_the_simplex() -> None:
    shares = simplex(3, 20, seed=1)
    assert shares.shape == (20, 3)
    np.testing.assert_allclose(shares.sum(1), 1.0)
    np.testing.assert_allclose(shares[:4], [[1 / 3] * 3, [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert np.array_equal(shares, simplex(3, 20, seed=1))
    assert simplex(1, 20).tolist() == [[1.0]]


def test_draws_of_shares_are_dense_and_sparse_by_turns() -> None:
    """Of a uniform draw over three spaces the largest share is 11/18 on average; of a sparse one, nearly all."""
    drawn = simplex(3, 2004, seed=0)[4:].max(axis=1)
    assert drawn[::2].mean() == pytest.approx(11 / 18, abs=0.02)
    assert drawn[1::2].mean() > 0.87


def test_explained_variance_is_the_definition_and_resamples() -> None:
    y = RNG.standard_normal((30, 2))
    guess = 0.5 * y + 0.2 * RNG.standard_normal((30, 2)) + 4
    counts = draws(30, 5, 0)
    for k, c in enumerate(counts):
        error = total = np.zeros(2)
        for part in (np.repeat(np.arange(0, 12), c[:12]), np.repeat(np.arange(12, 30), c[12:])):
            missed = (y - guess)[part]
            error = error + ((missed - missed.mean(0)) ** 2).sum(0)
            total = total + ((y[part] - y[part].mean(0)) ** 2).sum(0)
        np.testing.assert_allclose(explained_variance(guess, y, [12, 18], counts)[k], 1 - error / total, rtol=1e-10)
    assert explained_variance(y, y, [12, 18]).tolist() == [1.0, 1.0]
    assert np.isnan(explained_variance(guess, np.ones((30, 2)), [30])).all()


def test_unique_variance_is_what_the_nuisance_cannot_explain() -> None:
    """Variance of the target: 30 % from the model alone, 30 % shared, 20 % from the nuisance alone, 20 % noise."""
    n = 1200
    own, shared, other, noise = (RNG.standard_normal((n, 1)) for _ in range(4))
    y = np.sqrt(0.3) * own + np.sqrt(0.3) * shared + np.sqrt(0.2) * other + np.sqrt(0.2) * noise
    model, nuisance = np.concatenate([own, shared], axis=1), np.concatenate([shared, other], axis=1)
    metric = UniqueVariance({"nuisance": nuisance}, splits=Shuffled(3), resamples=100, candidates=5)
    found = metric(recording(model), recording(y))
    expected = {"unique": 0.3, "shared": 0.3, "joint": 0.8, "model": 0.6, "nuisance": 0.5}
    assert found.details == {k: pytest.approx(v, abs=0.05) for k, v in expected.items()}
    assert found.replicates is not None
    assert np.percentile(found.replicates, 2.5) < 0.3 < np.percentile(found.replicates, 97.5)
    useless = UniqueVariance({"model": model}, splits=Shuffled(3), resamples=0, candidates=5)
    assert useless(recording(shared), recording(y)).aggregate() == pytest.approx(0.0, abs=0.02)


def test_what_does_not_fit_is_refused() -> None:
    y, folds = RNG.standard_normal((20, 2)), Shuffled(2)(20)
    with pytest.raises(InvalidMeasurement, match="at least one feature space"):
        banded_ridge({}, y, folds)
    with pytest.raises(InvalidMeasurement, match="'a' has 19 presentations, the target has 20"):
        banded_ridge({"a": y[1:]}, y, folds)
    with pytest.raises(InvalidMeasurement, match="'a' is the same for all"):
        banded_ridge({"a": np.ones((20, 3))}, y, folds)
    y[0, 0] = np.nan
    with pytest.raises(InvalidMeasurement, match="not measured"):
        UniqueVariance({"a": np.ones((20, 3))})(recording(np.ones((20, 2))), recording(y))


def test_search_among_the_same_candidates_is_himalayas() -> None:
    """Turned copies of a row are presentations of equal leverage: generalised and leave-one-out errors are then one."""
    generator, n = np.random.default_rng(6), 24
    turned = (np.arange(n)[:, None] + np.arange(n)) % n
    made = {name: np.vstack([generator.normal(size=n)[turned], generator.normal(size=(10, n))]) for name in "abc"}
    made = {name: unit_scale(x) for name, x in made.items()}
    y = sum(made[name] @ generator.normal(size=(n, 8)) for name in "ab") + generator.normal(size=(n + 10, 8))
    shares, alphas = simplex(3, 9), np.logspace(-3, 2, 6)
    fit = banded_ridge(made, y, [Fold(np.arange(n), np.arange(n, n + 10))], shares, alphas)
    kernels = np.stack([x @ x.T for x in made.values()])
    with np.errstate(divide="ignore"):  # of shares that are zero
        deltas, dual, _, intercept = solve_multiple_kernel_ridge_random_search(
            kernels[:, :n, :n], y[:n], shares, alphas=alphas, cv=n, fit_intercept=True, return_weights="dual",
            progress_bar=False,
        )  # fmt: skip
    assert len(np.unique(fit.shares[0][0])) > 2  # the search has something to choose
    np.testing.assert_allclose(fit.shares[0] / fit.alphas[0], np.exp(deltas), rtol=1e-9, atol=1e-12)
    expected = np.einsum("stn,nq,sq->tq", kernels[:, n:, :n], dual, np.exp(deltas)) + intercept
    np.testing.assert_allclose(fit.predictions, expected, rtol=1e-7)
