"""Regressions and readouts next to himalaya and scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from comparisons import Both, versus
from himalaya.kernel_ridge import KernelRidgeCV, solve_multiple_kernel_ridge_random_search
from himalaya.ridge import GroupRidgeCV
from himalaya.ridge import RidgeCV as HimalayaRidgeCV
from himalaya.scoring import correlation_score
from sklearn import linear_model, metrics
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from brainmark.metrics.regression.banded import banded_ridge, explained_variance, simplex
from brainmark.metrics.regression.features import prepare
from brainmark.metrics.regression.pls import pls_predictions
from brainmark.metrics.regression.ridge import ols_predictions, ridge_predictions
from brainmark.metrics.statistics.correlation import fold_pearson, pearson
from brainmark.metrics.statistics.splits import Fold
from brainmark.models.readouts.logistic import probabilities

Random = np.random.Generator

SHAPES = ((60, 20, 8), (50, 200, 30), (200, 40, 120))  # presentations, units, neuroids
ALPHAS = np.logspace(-1, 4, 11)


def data(random: Random, n: int, p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Units (presentation, unit) with a spectrum that falls, and neuroids that follow them with noise."""
    x = random.normal(size=(n, p)) @ (random.normal(size=(p, p)) / np.arange(1, p + 1)[:, None] ** 0.5) + 2
    y = x @ random.normal(size=(p, q)) / np.sqrt(p)
    return x, y + y.std(axis=0) * random.normal(size=(n, q)) * np.linspace(0.2, 4, q) + 5


def five(n: int) -> list[Fold]:
    return [Fold(train, test) for train, test in KFold(5, shuffle=True, random_state=0).split(np.empty(n))]


def fitted(model: Any, x: np.ndarray, y: np.ndarray, folds: Sequence[Fold], chosen: str = "") -> np.ndarray:
    """Predictions of all folds by a model of scikit-learn's manners, and the logarithms of the penalties it chose."""
    parts: list[np.ndarray] = []
    for fold in folds:
        model.fit(x[fold.train], y[fold.train])
        parts.append(np.asarray(model.predict(x[fold.test])).ravel())
        if chosen:
            parts.append(np.log10(np.broadcast_to(getattr(model, chosen), y.shape[1])))
    return np.concatenate(parts)


def with_penalties(found: tuple[Any, Any], folds: Sequence[Fold]) -> np.ndarray:
    """Ours in the same order."""
    predictions = np.split(np.asarray(found[0]), np.cumsum([len(fold.test) for fold in folds])[:-1])
    return np.concatenate([
        part for made, alphas in zip(predictions, np.asarray(found[1]), strict=True)
        for part in (made.ravel(), np.log10(alphas))
    ])  # fmt: skip


EACH, ONE = "predictions of five folds, and the penalty of each neuroid", "the same, one penalty for all neuroids"
LEAVE_ONE_OUT = "by leave-one-out error, which himalaya finds fit by fit; its default is the error of five folds"

for per_target, note in ((True, EACH), (False, ONE)):

    @versus("scikit-learn", f"RidgeCV alpha_per_target={per_target}", "ridge.ridge_predictions loo", SHAPES, 1e-8, note)
    def ridge_cv(random: Random, n: int, p: int, q: int, per_target: bool = per_target) -> Both:
        (x, y), folds = data(random, n, p, q), five(n)
        theirs = linear_model.RidgeCV(ALPHAS, alpha_per_target=per_target)
        ours = ridge_predictions(x, y, folds, ALPHAS, per_target, "loo")
        return with_penalties(ours, folds), fitted(theirs, x, y, folds, "alpha_")

    @versus(
        "himalaya", f"RidgeCV local_alpha={per_target}", "ridge.ridge_predictions loo", SHAPES[:2], 1e-8,
        f"{note}; {LEAVE_ONE_OUT}",
    )  # fmt: skip
    def ridge_himalaya(random: Random, n: int, p: int, q: int, per_target: bool = per_target) -> Both:
        (x, y), folds = data(random, n, p, q), five(n)
        options = {"local_alpha": per_target, "warn": False}
        theirs = HimalayaRidgeCV(ALPHAS, fit_intercept=True, cv=KFold(n - n // 5), solver_params=options)
        ours = ridge_predictions(x, y, folds, ALPHAS, per_target, "loo")
        return with_penalties(ours, folds), fitted(theirs, x, y, folds, "best_alphas_")

    @versus(
        "himalaya", f"KernelRidgeCV local_alpha={per_target}", "ridge.ridge_predictions loo, dual", SHAPES[:2], 1e-8,
        f"{note}; {LEAVE_ONE_OUT}",
    )  # fmt: skip
    def kernel_ridge(random: Random, n: int, p: int, q: int, per_target: bool = per_target) -> Both:
        (x, y), folds = data(random, n, p, q), five(n)
        options = {"local_alpha": per_target}
        theirs = KernelRidgeCV(ALPHAS, fit_intercept=True, cv=KFold(n - n // 5), solver_params=options, warn=False)
        ours = ridge_predictions(prepare(x, dual=True), y, folds, ALPHAS, per_target, "loo")
        return with_penalties(ours, folds), fitted(theirs, x, y, folds, "best_alphas_")


@versus("scikit-learn", "Ridge", "ridge.ridge_predictions", [(*s, a) for s in SHAPES for a in (1.0, 1e3)], 1e-9)
def ridge_fixed(random: Random, n: int, p: int, q: int, alpha: float) -> Both:
    (x, y), folds = data(random, n, p, q), five(n)
    return ridge_predictions(x, y, folds, [alpha])[0].ravel(), fitted(linear_model.Ridge(alpha), x, y, folds)


@versus(
    "scikit-learn", "LinearRegression", "ridge.ols_predictions", (*SHAPES, (90, 30, 10, 2), (90, 30, 10, 3)), 1e-6,
    "of least norm where units outnumber presentations, on both sides. `tol` is 1e-14 there: the default leaves out "
    "what is below 1e-6 of the largest singular value, such as units of other scales (1e-2 to "
    "1e2 and 1e-3 to 1e3 in two cases)",
)  # fmt: skip
def least_squares(random: Random, n: int, p: int, q: int, spread: int = 0) -> Both:
    (x, y), folds = data(random, n, p, q), five(n)
    x *= np.logspace(-spread, spread, p)
    theirs = linear_model.LinearRegression(tol=1e-14)
    return np.asarray(ols_predictions(x, y, folds)).ravel(), fitted(theirs, x, y, folds)


for stop, theirs, options, allowed, note in (
    ("nipals", "PLSRegression", {}, 1e-9, "`scale=False`; its default tolerance, at which its iteration stops early"),
    ("exact", "PLSRegression tol=1e-26", {"tol": 1e-26, "max_iter": 10**5}, 1e-9, "`scale=False`; iterated to the end"),
):

    @versus(
        "scikit-learn", theirs, f"pls.pls_predictions {stop}", [(*s, k) for s in SHAPES for k in (1, 5, 15)], allowed,
        note,
    )  # fmt: skip
    def partial_least_squares(
        random: Random, n: int, p: int, q: int, components: int, stop: Any = stop, options: dict[str, Any] = options
    ) -> Both:
        (x, y), folds = data(random, n, p, q), five(n)
        theirs = PLSRegression(components, scale=False, **options)
        return np.asarray(pls_predictions(x, y, folds, components, stop)[0]).ravel(), fitted(theirs, x, y, folds)


def spaces(random: Random, n: int, q: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Three feature spaces, of which neuroids follow two, and the neuroids; kernels have a mean diagonal of 1."""
    made = {name: random.normal(size=(n, p)) + 1 for name, p in (("a", 15), ("b", 40), ("c", 150))}
    centred = {name: x - x.mean(axis=0) for name, x in made.items()}
    scaled = {name: x / np.sqrt((x**2).sum(axis=1).mean()) for name, x in centred.items()}
    signal = sum(scaled[name] @ random.normal(size=(scaled[name].shape[1], q)) for name in "ab")
    return scaled, signal + 0.5 * random.normal(size=(n, q))


SPACE = "kernels are scaled to a mean diagonal of 1 by `banded_ridge`; himalaya is given features that are"


@versus(
    "himalaya", "GroupRidgeCV", "banded.banded_ridge", [(60, 10, s) for s in range(4)], 1e-8,
    f"a fixed share for each space and a fixed penalty; {SPACE}",
)  # fmt: skip
def banded(random: Random, n: int, q: int, candidate: int) -> Both:
    (made, y), folds = spaces(random, n, q), five(n)
    share, alpha = random.dirichlet(np.ones(3), size=1), float(10.0 ** (candidate - 2))
    options = {"n_iter": share, "alphas": np.array([alpha]), "progress_bar": False, "warn": False}
    groups = np.repeat(range(3), [x.shape[1] for x in made.values()])
    theirs = GroupRidgeCV(groups=groups, fit_intercept=True, cv=2, solver_params=options)
    fit = banded_ridge(made, y, folds, share, [alpha])
    return np.asarray(fit.predictions).ravel(), fitted(theirs, np.concatenate(list(made.values()), axis=1), y, folds)


@versus(
    "himalaya", "solve_multiple_kernel_ridge_random_search", "banded.banded_ridge", ((48, 12, 10), (64, 30, 25)), 1e-7,
    "the same candidates of shares and penalties, by leave-one-out error, on features for which that with one mean for "
    "all is the same (circulant: no presentation has more leverage than another); predictions of "
    f"other presentations, chosen shares and penalties; {SPACE}",
)  # fmt: skip
def searched(random: Random, n: int, q: int, candidates: int) -> Both:
    turned = (np.arange(n)[:, None] + np.arange(n)) % n
    power = np.fft.irfft(np.exp(-np.arange(n // 2 + 1) / 6) * n**0.5, n)
    rows = [random.normal(size=n), np.convolve(random.normal(size=2 * n), power, "same")[:n], random.normal(size=n)]
    train, test = [r[turned] for r in rows], [random.normal(size=(20, n)) for _ in rows]
    made = {name: np.concatenate(both) for name, both in zip("abc", zip(train, test, strict=True), strict=True)}
    made = {name: x - x.mean(axis=0) for name, x in made.items()}
    made = {name: x / np.sqrt((x**2).sum(axis=1).mean()) for name, x in made.items()}
    y = sum(x @ random.normal(size=(n, q)) for x in list(made.values())[:2]) + random.normal(size=(n + 20, q))
    shares, alphas, fold = simplex(3, candidates), np.logspace(-3, 2, 11), Fold(np.arange(n), np.arange(n, n + 20))
    fit = banded_ridge(made, y, [fold], shares, alphas)
    whole = np.stack([x @ x.T for x in made.values()])
    deltas, dual, _, intercept = solve_multiple_kernel_ridge_random_search(
        whole[:, :n, :n], y[:n], shares, alphas=alphas, cv=n, fit_intercept=True, return_weights="dual",
        progress_bar=False,
    )  # fmt: skip
    weights = np.exp(deltas)  # share / penalty
    predicted = np.einsum("stn,nq,sq->tq", whole[:, n:, :n], dual, weights) + intercept
    mine = np.asarray(fit.shares[0]) / np.asarray(fit.alphas[0])
    return [*np.ravel(fit.predictions), *mine.ravel()], [*predicted.ravel(), *weights.ravel()]


@versus("himalaya", "correlation_score", "correlation.pearson", ((30, 5), (200, 60)))
def correlations(random: Random, n: int, q: int) -> Both:
    y = random.normal(size=(n, q))
    guess = y + random.normal(size=(n, q))
    return pearson(guess, y), correlation_score(y, guess)


@versus(
    "scipy", "pearsonr, hyp2f1", "correlation.fold_pearson", ((60, 5), (200, 20)), 2e-4,
    "correlation of each fold, made unbiased by the hypergeometric function of Olkin & Pratt (1958, eq. 2.3), averaged "
    "by size; ours has its first four terms, which lack 1e-4 of r with folds of 15 presentations",
)  # fmt: skip
def correlations_of_folds(random: Random, n: int, q: int) -> Both:
    from scipy.special import hyp2f1
    from scipy.stats import pearsonr

    y = random.normal(size=(n, q))
    guess, sizes = y + random.normal(size=(n, q)), [n // 4, n // 4, n - 2 * (n // 4)]
    parts = np.split(np.stack([guess, y]), np.cumsum(sizes)[:-1], axis=1)
    r = np.stack([pearsonr(*part, axis=0).statistic for part in parts])
    free = np.array(sizes)[:, None] - 2
    return fold_pearson(guess, y, sizes), np.average(r * hyp2f1(0.5, 0.5, free / 2, 1 - r**2), axis=0, weights=sizes)


@versus(
    "scikit-learn", "explained_variance_score", "banded.explained_variance", ((30, 5), (200, 60)), 1e-10,
    "of one fold; the mean error is not counted, unlike in `r2_score` of scikit-learn and himalaya",
)  # fmt: skip
def explained(random: Random, n: int, q: int) -> Both:
    y = random.normal(size=(n, q))
    guess = 0.5 * y + random.normal(size=(n, q)) + 0.2
    return explained_variance(guess, y, [n]), metrics.explained_variance_score(y, guess, multioutput="raw_values")


@versus(
    "scikit-learn", "LogisticRegression", "readouts.logistic.probabilities",
    [(*s, k, c) for s in ((80, 10), (60, 300)) for k in (2, 5) for c in (1e-3, 1.0)], 1e-6,
    "probabilities of 20 other stimuli, features standardised on both sides",
)  # fmt: skip
def logistic(random: Random, n: int, p: int, labels: int, strength: float) -> Both:
    codes = np.arange(n) % labels
    centres = random.normal(size=(labels, p))
    x, others = centres[codes] + 2 * random.normal(size=(n, p)), random.normal(size=(20, p))
    scaler = StandardScaler().fit(x)
    theirs = linear_model.LogisticRegression(C=strength, tol=1e-12, max_iter=100_000, solver="newton-cg")
    theirs.fit(scaler.transform(x), codes)
    return probabilities(x, codes, others, strength), theirs.predict_proba(scaler.transform(others))
