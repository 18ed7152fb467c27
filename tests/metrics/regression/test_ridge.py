"""Regression against slow, obvious versions, and against scikit-learn and himalaya."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV

from brainmark.metrics.regression.features import prepare
from brainmark.metrics.regression.pls import pls_predictions
from brainmark.metrics.regression.ridge import ols_predictions, relative_alphas, ridge_predictions
from brainmark.metrics.regression.spectrum import Spectrum, gcv_errors, loo_errors
from brainmark.metrics.statistics.splits import Contiguous, Fold, Random, Shuffled


def ridge_weights(x: np.ndarray, y: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights and intercept by the normal equations."""
    xc, yc = x - x.mean(0), y - y.mean(0)
    w = np.linalg.solve(xc.T @ xc + alpha * np.eye(x.shape[1]), xc.T @ yc)
    return w, y.mean(0) - x.mean(0) @ w


def leave_one_out_errors(x: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """Mean squared error of each target (q,), each presentation predicted by a fit on all others."""
    errors = []
    for i in range(len(x)):
        keep = np.arange(len(x)) != i
        w, b = ridge_weights(x[keep], y[keep], alpha)
        errors.append((y[i] - x[i] @ w - b) ** 2)
    return np.mean(errors, axis=0)


def gcv_by_hand(x: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """Generalised cross-validation from the hat matrix written out, intercept included; up to a factor n."""
    n = len(x)
    xc = x - x.mean(0)
    hat = xc @ np.linalg.solve(xc.T @ xc + alpha * np.eye(x.shape[1]), xc.T) + 1 / n
    return np.sum((y - hat @ y) ** 2, axis=0) / (n - np.trace(hat)) ** 2


def by_fold(fit: Callable[..., np.ndarray], x: np.ndarray, y: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """Stack the predictions ``fit(x_train, y_train, x_test)`` of the folds."""
    return np.concatenate([fit(x[f.train], y[f.train], x[f.test]) for f in folds])


SHAPES = [
    (120, 30, 8),
    (70, 200, 15),
    (60, 150, 90),
    (150, 40, 120),
    (80, 60, 1),
]  # n, p, q: primal, dual, q > n, q > p
ALPHAS = np.logspace(-2, 5, 15)


def data(n: int, p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([n, p, q])
    latent = rng.standard_normal((n, 12)) * np.linspace(3, 0.3, 12)
    x = latent @ rng.standard_normal((12, p)) + 0.5 * rng.standard_normal((n, p)) + 5
    return x, latent @ rng.standard_normal((12, q)) + 3 * rng.standard_normal((n, q)) - 20


def sklearn_by_fold(make, x, y, folds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return by_fold(lambda a, b, c: make().fit(a, b).predict(c).reshape(len(c), -1), x, y, folds)


@pytest.mark.parametrize("dual", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_ridge_and_least_squares_are_those_of_scikit_learn(shape: tuple[int, int, int], dual: bool) -> None:
    x, y = data(*shape)
    for folds in (Shuffled(4)(shape[0]), Contiguous(4, gap=2)(shape[0]), Random(3)(shape[0])):
        features = prepare(x, dual)
        for alpha in (0.5, 300.0):
            expected = sklearn_by_fold(lambda a=alpha: Ridge(a), x, y, folds)
            np.testing.assert_allclose(ridge_predictions(features, y, folds, [alpha])[0], expected, atol=1e-8)
        expected = sklearn_by_fold(LinearRegression, x, y, folds)
        np.testing.assert_allclose(ols_predictions(features, y, folds), expected, atol=1e-7)


@pytest.mark.parametrize("per_target", [True, False])
@pytest.mark.parametrize("dual", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_leave_one_out_penalties_are_those_of_scikit_learn(
    shape: tuple[int, int, int], dual: bool, per_target: bool
) -> None:
    x, y = data(*shape)
    folds = Shuffled(4)(shape[0])
    found, chosen = ridge_predictions(prepare(x, dual), y, folds, ALPHAS, per_target, "loo")
    expected = sklearn_by_fold(lambda: RidgeCV(ALPHAS, alpha_per_target=per_target), x, y, folds)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    models = [RidgeCV(ALPHAS, alpha_per_target=per_target).fit(x[f.train], y[f.train]) for f in folds]
    np.testing.assert_allclose(chosen, [np.broadcast_to(m.alpha_, shape[2]) for m in models])


@pytest.mark.parametrize("dual", [True, False])
@pytest.mark.parametrize("shape", [(40, 10, 4), (30, 60, 4)])
def test_errors_that_choose_the_penalty_are_the_definitions(shape: tuple[int, int, int], dual: bool) -> None:
    x, y = data(*shape)
    rows = np.arange(0, shape[0], 2)
    spectrum = Spectrum(prepare(x, dual), rows, y[rows] - y[rows].mean(0))
    alphas = np.array([0.1, 10.0, 1000.0])
    np.testing.assert_allclose(
        loo_errors(spectrum, alphas), [leave_one_out_errors(x[rows], y[rows], a) for a in alphas], rtol=1e-8
    )
    np.testing.assert_allclose(
        gcv_errors(spectrum, alphas), [gcv_by_hand(x[rows], y[rows], a) for a in alphas], rtol=1e-8
    )


def test_kernel_ridge_agrees_with_himalaya() -> None:
    from himalaya.kernel_ridge import solve_kernel_ridge_eigenvalues

    x, y = data(70, 200, 15)
    x, y = x - x.mean(0), y - y.mean(0)
    folds = Contiguous(2)(140)[:1]  # train on the second half of stacked rows, test on the first
    both, targets = np.concatenate([x, x]), np.concatenate([y, y])
    alphas = np.geomspace(1, 100, 15)
    dual_weights = solve_kernel_ridge_eigenvalues(x @ x.T, y, alpha=alphas)
    found = np.stack(
        [ridge_predictions(both, targets[:, [j]], folds, [alphas[j], alphas[j]])[0][:, 0] for j in range(15)], axis=1
    )
    np.testing.assert_allclose(found, x @ x.T @ dual_weights, atol=1e-8)


@pytest.mark.parametrize(("n", "p"), [(2000, 3), (400, 39), (400, 41)])
def test_folds_with_more_rows_than_features_are_left_out_through_the_features(n: int, p: int) -> None:
    """Their products are the smaller matrix to invert: 30,000 presentations of 3 features are no matter of minutes."""
    rng = np.random.default_rng([n, p])
    x, y = rng.standard_normal((n, p)) + 3, rng.standard_normal((n, 2)) - 1
    folds = Shuffled(10)(n)
    for found, model in (
        (ols_predictions(x, y, folds), LinearRegression()),
        (ridge_predictions(x, y, folds, [7.0])[0], Ridge(7.0)),
    ):
        expected = np.concatenate([model.fit(x[f.train], y[f.train]).predict(x[f.test]) for f in folds])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dual", [False, True])
@pytest.mark.parametrize("alphas", [[1.0], [0.3, 1.0], [1e6]])
def test_small_penalties_beside_units_of_very_different_scales(dual: bool, alphas: list[float]) -> None:
    """Sums of squares from 1e-5 to 1e9: what products lose in rounding, a penalty of 1 does not hide."""
    rng = np.random.default_rng(1)
    latent = rng.standard_normal((120, 5))
    x = (latent @ rng.standard_normal((5, 40)) + rng.standard_normal((120, 40))) * np.exp(rng.uniform(-8, 8, 40))
    y = latent @ rng.standard_normal((5, 7)) + rng.standard_normal((120, 7))
    folds = Shuffled(6)(120)
    found, chosen = ridge_predictions(prepare(x, dual=dual), y, folds, alphas, per_target=False, selection="loo")
    wanted = []
    for fold, alpha in zip(folds, chosen[:, 0], strict=True):
        xc, yc = x[fold.train] - x[fold.train].mean(0), y[fold.train] - y[fold.train].mean(0)
        rows = np.vstack([xc, np.sqrt(alpha) * np.eye(40)])  # least squares of these, which no product of them enters
        w = np.linalg.lstsq(rows, np.vstack([yc, np.zeros((40, 7))]), rcond=None)[0]
        wanted.append((x[fold.test] - x[fold.train].mean(0)) @ w + y[fold.train].mean(0))
    np.testing.assert_allclose(found, np.concatenate(wanted), atol=2e-4 if dual else 1e-7)


@pytest.mark.parametrize("spread", [3, 5])
def test_least_squares_do_not_depend_on_the_units_of_features(spread: int) -> None:
    x, y = data(90, 20, 6)
    folds = Shuffled(5)(90)
    scaled = x * np.logspace(-spread, spread, 20)
    scaled[:, 7] = 0.1  # of a unit that does not vary, centring leaves rounding error
    expected = ols_predictions(np.delete(x, 7, axis=1), y, folds)
    np.testing.assert_allclose(ols_predictions(scaled, y, folds), expected, rtol=1e-8)


@pytest.mark.parametrize("units", [4, 60])
def test_relative_penalties_are_in_units_of_the_mean_squared_length(units: int) -> None:
    x = np.random.default_rng(0).standard_normal((30, units)) * 7 + 100
    lengths = ((x - x.mean(axis=0)) ** 2).sum(axis=1)
    np.testing.assert_allclose(relative_alphas(prepare(x), [0.1, 2.0]), np.array([0.1, 2.0]) * lengths.mean())


@pytest.mark.parametrize("units", [4, 60])
@pytest.mark.parametrize("per_target", [True, False])
@pytest.mark.parametrize("selection", ["gcv", "loo"])
def test_of_penalties_that_tie_the_largest_is_taken(units: int, per_target: bool, selection: str) -> None:
    x = np.random.default_rng(1).standard_normal((30, units))
    y = np.zeros((30, 3))  # every penalty predicts it without error
    chosen = ridge_predictions(x, y, Shuffled(2)(30), [1.0, 100.0, 10.0], per_target, selection)[1]
    assert np.unique(chosen).tolist() == [100.0]


@pytest.mark.parametrize("units", [3, 90])
def test_a_component_of_a_millionth_is_a_component(units: int) -> None:
    """What is left of the target after the first component is 1e-5 of it, far above rounding."""
    generator = np.random.default_rng(0)
    base = np.linalg.qr(generator.standard_normal((60, 3)) - 1)[0]
    base = np.linalg.qr(base - base.mean(axis=0))[0] * [1, 2, 3]
    x = base @ np.linalg.qr(generator.standard_normal((units, 3)))[0].T
    y = base[:, :1] + 1e-6 * base[:, 1:2] - 2e-6 * base[:, 2:]
    found, used = pls_predictions(x, y, [Fold(np.arange(60), np.arange(60))], components=3)
    assert used == 3
    np.testing.assert_allclose(found, y, atol=1e-10)


@pytest.mark.parametrize("own", [1e-3, 1e-5, 1e-6, 1e-7, 0])
def test_what_a_unit_has_of_its_own_counts_however_little(own: float) -> None:
    """A unit that others make up but for a millionth: its square is lost in products, not in the features."""
    for seed in range(5):
        generator = np.random.default_rng(seed)
        x, y, folds = generator.standard_normal((60, 6)), generator.standard_normal((60, 3)), Shuffled(5)(60)
        x[:, 5] = x[:, :5].sum(axis=1) + own * generator.standard_normal(60)
        parts = [LinearRegression(tol=1e-12).fit(x[f.train], y[f.train]).predict(x[f.test]) for f in folds]
        np.testing.assert_allclose(ols_predictions(x, y, folds), np.concatenate(parts), atol=1e-4)
