"""Regressions and ceilings, timed side by side with scikit-learn and SciPy, on the same data and threads.

    python bench/metrics_speed.py [--quick] [--threads 2] [--only PLS]

The peer's column is scikit-learn's estimator for every fold and `scipy.stats.pearsonr` for every neuroid, as the
published metrics call them, without their labelled arrays (`bench/parity` times those themselves; the goals are
against them). Rows marked * time
the peer on one fold of ten, and multiply. The difference is the largest between the r of any neuroid.
"""

from __future__ import annotations

import argparse
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from scipy.stats import pearsonr
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from threadpoolctl import threadpool_limits

from brainmark.metrics.backend import Array
from brainmark.metrics.ceilings import split_half_correlations
from brainmark.metrics.correlation import pearson
from brainmark.metrics.features import Features, prepare
from brainmark.metrics.pls import pls_predictions
from brainmark.metrics.ridge import ols_predictions, ridge_predictions
from brainmark.metrics.splits import Fold, Random

Predict = Callable[[Array | Features, np.ndarray, Sequence[Fold]], np.ndarray]


@dataclass(frozen=True)
class Case:
    """One comparison: presentations, features, neuroids; what the peer makes for a fold, what we make for all."""

    work: str
    shape: tuple[int, int, int]
    peer: Callable[[], object]
    ours: Predict
    goal: str
    folds: int = 10
    peer_folds: int = 10
    quick: bool = True


ALPHAS = np.r_[np.linspace(0.01, 1, 4), np.linspace(10, 100, 4), np.geomspace(100, 1e7, 91)]
SEVEN = np.logspace(-3, 3, 7)


def _loo(alphas: np.ndarray) -> Predict:
    return lambda x, y, folds: ridge_predictions(x, y, folds, alphas, per_target=False, selection="loo")[0]


def _nipals(x: Array | Features, y: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    return pls_predictions(x, y, folds, 25, "nipals")[0]


def _ridge(x: Array | Features, y: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    return ridge_predictions(x, y, folds, [1.0])[0]


def _pls() -> object:
    return PLSRegression(25, scale=False)


CASES = [
    Case("PLS 25", (315, 1000, 102), _pls, _nipals, ">= 20"),
    Case("PLS 25", (3200, 1000, 88), _pls, _nipals, ">= 50"),
    Case("PLS 25", (3200, 1000, 168), _pls, _nipals, ">= 50"),
    Case("PLS 25", (315, 25088, 102), _pls, _nipals, ">= 250", peer_folds=1),
    Case("PLS 25", (3200, 25088, 168), _pls, _nipals, ">= 250", peer_folds=1, quick=False),
    Case("ridge", (3200, 1000, 168), lambda: Ridge(1.0), _ridge, ">= 30"),
    Case("ridge", (3200, 25088, 168), lambda: Ridge(1.0), _ridge, ">= 10", peer_folds=1, quick=False),
    Case("least squares", (3200, 1000, 168), LinearRegression, ols_predictions, ">= 30"),
    Case("least squares", (384, 4096, 13000), LinearRegression, ols_predictions, ">= 200"),
    Case("ridge, 7 penalties", (384, 4096, 13000), lambda: RidgeCV(SEVEN), _loo(SEVEN), ">= 50", peer_folds=1),
    Case("ridge, 99 penalties", (515, 25088, 5000), lambda: RidgeCV(ALPHAS), _loo(ALPHAS), ">= 35", 1, 1, quick=False),
    Case("ridge, 99 penalties", (3200, 1000, 168), lambda: RidgeCV(ALPHAS), _loo(ALPHAS), ">= 3", 10, 1, quick=False),
]  # fmt: skip


def data(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Features with a spectrum that falls as those of networks do, in single precision, and noisy neuroids."""
    n, p, q = shape
    rng = np.random.default_rng(shape)
    latent = rng.standard_normal((n, 100)) / np.sqrt(np.arange(1, 101))
    x = latent @ rng.standard_normal((100, p)) + 0.1 * rng.standard_normal((n, p))
    return x.astype(np.float32), latent @ rng.standard_normal((100, q)) + rng.standard_normal((n, q))


def best_of(work: Callable[[], np.ndarray], most: int = 3, enough: float = 3.0) -> tuple[float, np.ndarray]:
    """Best time of a few repetitions, fewer when one takes long."""
    times: list[float] = []
    while True:
        start = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - start)
        if len(times) == most or sum(times) > enough:
            return min(times), found


def peer_r(case: Case, x: np.ndarray, y: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """r (folds, neuroids) as scikit-learn and SciPy give it."""
    rows = []
    for fold in folds:
        guess = case.peer().fit(x[fold.train], y[fold.train]).predict(x[fold.test])  # type: ignore[attr-defined]
        rows.append([pearsonr(guess[:, j], y[fold.test, j]).statistic for j in range(y.shape[1])])
    return np.array(rows)


def our_r(case: Case, x: Array | Features, y: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """The same r as we compute it."""
    guess = case.ours(x, y, folds)
    ends = np.cumsum([len(f.test) for f in folds])
    return np.stack([pearson(guess[e - len(f.test) : e], y[f.test]) for e, f in zip(ends, folds, strict=True)])


def line(case: Case) -> str:
    """One row of the table."""
    x, y = data(case.shape)
    folds = Random(case.folds, 0.9 if case.folds > 1 else 0.8, seed=1)(len(y))
    ours, mine = best_of(lambda: our_r(case, x, y, folds))
    features = prepare(x)
    again, _ = best_of(lambda: our_r(case, features, y, folds))
    theirs, other = best_of(lambda: peer_r(case, x, y, folds[: case.peer_folds]), most=2)
    theirs *= case.folds / case.peer_folds
    off = float(np.nanmax(np.abs(mine[: case.peer_folds] - other)))
    n, p, q = case.shape
    star = "*" if case.peer_folds < case.folds else ""
    return (
        f"| {case.work}{star}, {n} x {p} -> {q} | {theirs:.3g} s | {ours:.3g} s | {theirs / ours:.0f} "
        f"| {case.goal} | {again:.3g} s | {off:.1e} |"
    )


def ceiling_line() -> str:
    """Split-half ceiling against means of halves and a correlation for each neuroid."""
    trials = np.random.default_rng(0).standard_normal((3200, 168, 50)) + 1.0

    def loop() -> np.ndarray:
        rng, rows = np.random.default_rng(0), []
        for _ in range(10):
            order = rng.permutation(50)
            a, b = (np.nanmean(trials[:, :, half], axis=2) for half in (order[:25], order[25:]))
            rows.append([pearsonr(a[:, j], b[:, j]).statistic for j in range(168)])
        return np.mean(rows, axis=0)

    theirs, other = best_of(loop)
    ours, mine = best_of(lambda: split_half_correlations(trials, splits=10)[0])
    off = float(np.abs(mine - other).max())
    times = f"{theirs:.3g} s | {ours:.3g} s | {theirs / ours:.0f}"
    return f"| split-half ceiling, 3200 x 168 x 50, 10 halvings | {times} | >= 300 | | {off:.1e} (other halves) |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave out what takes the peer minutes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="rows whose name begins like this")
    options = parser.parse_args()
    packages = ", ".join(f"{p} {version(p)}" for p in ("numpy", "scipy", "scikit-learn"))
    print(f"{platform.machine()}, {options.threads} threads; Python {platform.python_version()}, {packages}\n")
    print("| work | scikit-learn, SciPy | ours | ratio | goal | products known | difference of r |")
    print("|---|---|---|---|---|---|---|")
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in CASES:
            if case.work.startswith(options.only) and (case.quick or not options.quick):
                print(line(case), flush=True)
        if "split-half ceiling".startswith(options.only):
            print(ceiling_line())


if __name__ == "__main__":
    main()
