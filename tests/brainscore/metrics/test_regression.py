"""The published scores, written out with scikit-learn and scipy, one neuroid and one split at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.linalg import lstsq
from scipy.stats import pearsonr, spearmanr
from sklearn.cross_decomposition import PLSRegression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.model_selection import GroupKFold, ShuffleSplit, StratifiedShuffleSplit

from brainmark.brainscore import metrics as bs
from brainmark.brainscore.metrics import language, regression
from brainmark.metrics.regression.ridge import ridge_predictions
from brainmark.metrics.statistics.splits import Fold


def population(n: int, p: int, q: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rectified mixtures of latent signals, and noisy mixtures of the same."""
    rng = np.random.default_rng([seed, n, p, q])
    latent = rng.standard_normal((n, 20)) / np.sqrt(np.arange(1, 21))
    x = np.maximum(latent @ rng.standard_normal((20, p)) + 0.3 * rng.standard_normal((n, p)) + 1, 0)
    return x, latent @ rng.standard_normal((20, q)) + rng.standard_normal((n, q))


class BestUnit:
    """Regression that picks, for every neuroid, the unit with the largest correlation."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> BestUnit:
        r = np.corrcoef(x.T, y.T)[: x.shape[1], x.shape[1] :]
        self.units = np.nanargmax(r, axis=0)
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x[:, self.units]


class LeastSquares:
    """LinearRegression up to scikit-learn 1.6, with LAPACK's cut-off; later ones cut singular values at 1e-6."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> LeastSquares:
        mean, offset = x.mean(0), y.mean(0)
        self.weights = lstsq(x - mean, y - offset)[0]
        self.intercept = offset - mean @ self.weights
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x @ self.weights + self.intercept


def published(regression: object, x: np.ndarray, y: np.ndarray, folds: list) -> tuple[float, float]:
    """Median over neuroids in each split, mean over splits; standard deviation over splits / sqrt(splits).

    Training rows are sorted: where they do not determine the weights, least squares hang on rounding, and so on order.
    """
    medians = []
    for train, test in folds:
        train = np.sort(train)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            predicted = regression.fit(x[train], y[train]).predict(x[test]).reshape(len(test), -1)  # type: ignore[attr-defined]
        medians.append(np.median([pearsonr(a, b)[0] for a, b in zip(predicted.T, y[test].T, strict=True)]))
    return float(np.mean(medians)), float(np.std(medians) / np.sqrt(len(medians)))


def shuffled(n: int) -> list:
    return list(ShuffleSplit(10, train_size=0.9, random_state=1).split(np.zeros(n)))


SHAPES = [(60, 50, 3), (60, 200, 12), (150, 30, 40), (90, 85, 5)]  # n, p, q
METRICS: dict[str, tuple[Callable[[], regression.CrossValidated], Callable[[], object], float]] = {
    "pls": (bs.pls, lambda: PLSRegression(25, scale=False), 1e-9),
    "ridge": (bs.ridge, lambda: Ridge(1.0), 1e-9),
    "ols": (bs.linear_predictivity, LeastSquares, 1e-7),
    "single": (bs.neuron_to_neuron, BestUnit, 1e-12),
    "ridgecv": (bs.ridgecv, lambda: RidgeCV(regression.ALPHAS), 1e-9),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", METRICS)
def test_regressions(name: str, shape: tuple[int, int, int]) -> None:
    ours, theirs, tolerance = METRICS[name]
    x, y = population(*shape)
    value, error = published(theirs(), x, y, shuffled(len(x)))
    assert bs.aggregate(ours()(x, y)) == pytest.approx((value, error), abs=tolerance)


@pytest.mark.parametrize(("n", "p"), [(128, 3000), (315, 1000), (1000, 2048)])
def test_least_squares_of_more_units_than_presentations_round_as_published(n: int, p: int) -> None:
    x, y = (v.astype(np.float32) for v in population(n, p, 1))
    expected = published(LeastSquares(), x, y, shuffled(n)[:2])[0]
    assert np.mean(replace(bs.linear_predictivity(), splits=2)(x, y).splits) == pytest.approx(expected, abs=1e-6)


def test_reverse_predicts_units_from_neuroids() -> None:
    x, y = population(80, 40, 30)
    expected = published(PLSRegression(25, scale=False), y, x, shuffled(80))
    assert bs.aggregate(bs.reverse_pls()(x, y)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [37, 100, 263])
@pytest.mark.parametrize("shares", [(0.9, None), (None, 0.9), (0.5, None), (None, None), (0.5, 0.3)])
def test_shuffled_splits_are_those_of_scikit_learn(n: int, shares: tuple[float | None, float | None]) -> None:
    train, test = shares
    expected = ShuffleSplit(6, train_size=train, test_size=test, random_state=1).split(np.zeros(n))
    found = bs.shuffle_splits(n, 6, train, 1, test)
    for fold, (rows, others) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(fold.train, rows)
        np.testing.assert_array_equal(fold.test, others)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shares", [(0.9, None), (None, 0.9), (0.6, 0.3)])
def test_stratified_splits_are_those_of_scikit_learn(seed: int, shares: tuple[float | None, float | None]) -> None:
    rng = np.random.default_rng(seed)
    names = np.array(["dog", "Cat", "bear", "zebra", "10", "9"])[: 2 + seed % 5]
    labels = np.concatenate([names, names, rng.choice(names, 60 + 7 * seed)])
    train, test = shares
    splitter = StratifiedShuffleSplit(10, train_size=train, test_size=test, random_state=1)
    found = bs.split_by_strata(labels, 10, train, 1, test)
    for fold, (rows, others) in zip(found, splitter.split(labels, labels), strict=True):
        np.testing.assert_array_equal(fold.train, rows)
        np.testing.assert_array_equal(fold.test, others)


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_grouped_folds_are_those_of_scikit_learn(folds: int) -> None:
    groups = np.sort(np.random.default_rng(folds).integers(13, size=150)).astype(str)
    expected = GroupKFold(folds, shuffle=True, random_state=1234).split(groups, groups=groups)
    for fold, (rows, others) in zip(bs.fold_groups(groups, folds), expected, strict=True):
        np.testing.assert_array_equal(fold.train, rows)
        np.testing.assert_array_equal(fold.test, others)


@pytest.mark.parametrize("shape", [(60, 30, 100), (60, 30, 4), (50, 120, 200), (50, 120, 7), (60, 57, 9)], ids=str)
@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e3])
def test_the_penalty_is_that_of_ridgecv(shape: tuple[int, int, int], scale: float) -> None:
    x, y = population(*shape)
    x, n = scale * x, int(0.9 * shape[0])
    fold = Fold(np.arange(n), np.arange(n, shape[0]))
    found = ridge_predictions(x, y, [fold], regression.ALPHAS, per_target=False, selection="loo")[1]
    assert found[0, 0] == pytest.approx(RidgeCV(regression.ALPHAS).fit(x[:n], y[:n]).alpha_)


@pytest.mark.parametrize("name", ["ridge", "ridgecv", "linear_predictivity", "pls"])
def test_metrics_with_their_own_test_presentations(name: str) -> None:
    x, y = population(120, 260, 30)
    theirs = {
        "ridge": Ridge(1.0),
        "ridgecv": RidgeCV(regression.ALPHAS),
        "linear_predictivity": LeastSquares(),
        "pls": PLSRegression(25, scale=False),
    }[name]
    expected = published(theirs, x, y, [(np.arange(90), np.arange(90, 120))])[0]
    found = bs.train_test(name)(x[:90], x[90:], y[:90], y[90:])
    assert bs.aggregate(found).value == pytest.approx(expected, abs=1e-9)
    assert np.isnan(bs.aggregate(found).error)


def test_language_metrics() -> None:
    x, y = population(96, 300, 60)
    passage = np.repeat(np.arange(12), 8)

    def epsilon_r(a: np.ndarray, b: np.ndarray) -> float:
        a, b = a - a.mean(), b - b.mean()
        return float(a @ b / ((np.linalg.norm(a) + 1e-8) * (np.linalg.norm(b) + 1e-8)))

    for mapping, theirs in (
        (bs.linear_pearsonr, LinearRegression()),
        (bs.ridge_pearsonr, RidgeCV(np.logspace(-3, 3, 7))),
    ):
        for group, folds in (
            (None, shuffled(96)),
            ("passage", list(GroupKFold(10, shuffle=True, random_state=1234).split(x, groups=passage))),
        ):
            medians = []
            for train, test in folds:
                predicted = theirs.fit(x[train], y[train]).predict(x[test])
                medians.append(np.median([epsilon_r(a, b) for a, b in zip(predicted.T, y[test].T, strict=True)]))
            labelled = [recording(v, passage=("presentation", passage)) for v in (x, y)]
            assert bs.aggregate(mapping(group)(*labelled)).value == pytest.approx(np.mean(medians), abs=1e-8)
    assert tuple(np.logspace(-3, 3, 7)) == language.ALPHAS


def recording(values: np.ndarray, **along: object) -> xr.DataArray:
    ids = np.array([f"stimulus{i:03d}" for i in range(len(values))])
    return xr.DataArray(
        values, dims=("presentation", "neuroid"), coords={"stimulus_id": ("presentation", ids), **along}
    )


def test_rdms_and_kernels() -> None:
    x, y = population(70, 90, 40)
    pairs = np.triu_indices(70, 1)
    expected = spearmanr((1 - np.corrcoef(x))[pairs], (1 - np.corrcoef(y))[pairs])[0]
    assert bs.rdm()(x, y).aggregate() == pytest.approx(expected, abs=1e-12)

    folds = ShuffleSplit(10, test_size=0.9, random_state=1).split(x)
    each = []
    for _, rows in folds:
        pairs = np.triu_indices(len(rows), 1)
        each.append(spearmanr((1 - np.corrcoef(x[rows]))[pairs], (1 - np.corrcoef(y[rows]))[pairs])[0])
    assert bs.aggregate(bs.rdm_cv()(x, y)) == pytest.approx((np.mean(each), np.std(each) / np.sqrt(10)), abs=1e-12)

    k, m = ((v - v.mean(0)) @ (v - v.mean(0)).T for v in (x, y))
    biased = np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m))
    assert bs.cka(unbiased=False)(x, y).aggregate() == pytest.approx(biased, abs=1e-12)
    unbiased = _unbiased_hsic(x @ x.T, y @ y.T) / np.sqrt(
        _unbiased_hsic(x @ x.T, x @ x.T) * _unbiased_hsic(y @ y.T, y @ y.T)
    )
    assert bs.cka()(x, y).aggregate() == pytest.approx(unbiased, abs=1e-10)


def _unbiased_hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Song et al. 2012, eq. 5, on kernels that are not centred."""
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    n, one = len(k), np.ones(len(k))
    middle = one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ m @ one)
    return float((np.trace(k @ m) + middle) / (n * (n - 3)))


def test_internal_consistency() -> None:
    rng = np.random.default_rng(3)
    trials = rng.standard_normal((40, 6, 9)) + rng.standard_normal((40, 6, 1))  # presentation, neuroid, repetition
    medians = []
    for first, second in ShuffleSplit(10, train_size=0.5, random_state=1).split(np.zeros(9)):
        halves = trials[:, :, first].mean(2), trials[:, :, second].mean(2)
        r = np.array([pearsonr(a, b)[0] for a, b in zip(halves[0].T, halves[1].T, strict=True)])
        medians.append(np.median(2 * r / (1 + r)))
    found = bs.internal_consistency(xr.DataArray(trials, dims=("presentation", "neuroid", "repetition")))
    expected = np.mean(medians), np.std(medians) / np.sqrt(10)
    assert bs.aggregate(found) == pytest.approx(expected, abs=1e-12)
