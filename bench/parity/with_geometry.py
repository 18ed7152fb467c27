"""Geometry and dynamics of populations next to ckatorch, netrep, POT, PyDMD, scikit-learn and statsmodels."""

from __future__ import annotations

import numpy as np
import ot
import torch
from ckatorch.core import cka_base
from ckatorch.hsic import hsic0, hsic1
from comparisons import Both, versus
from netrep.metrics import LinearCKA, LinearMetric
from pydmd import DMD
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import rbf_kernel

from brainmark.metrics.regression.matching import cross_correlation, match_units, transport
from brainmark.metrics.similarity.alignment import cka
from brainmark.metrics.similarity.geometry import (
    gaussian_kernel,
    linear_cka,
    linear_ckas,
    procrustes_similarity,
)
from brainmark.metrics.statistics.splits import Fold
from brainmark.metrics.time.dynamics import eigenvalue_distance, fit_dynamics

Random = np.random.Generator

SHAPES = ((60, 10, 25), (40, 200, 90), (300, 30, 30))  # stimuli, neuroids on either side


def two(random: Random, n: int, p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Related patterns (stimulus, neuroid), neither centred."""
    latent = random.normal(size=(n, 6))
    return tuple(latent @ random.normal(size=(6, k)) + random.normal(size=(n, k)) + 2 for k in (p, q))


def as_torch(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays]


for unbiased in (False, True):
    kind = "unbiased" if unbiased else "biased"

    @versus("ckatorch", f"cka_base linear, {kind}", f"geometry.linear_cka {kind}", SHAPES, 1e-9)
    def linear(random: Random, n: int, p: int, q: int, unbiased: bool = unbiased) -> Both:
        x, y = two(random, n, p, q)
        return linear_cka(x, y, unbiased), cka_base(*as_torch(x, y), "linear", unbiased=unbiased).item()

    @versus(
        "ckatorch", f"cka_base linear of subsets, {kind}", f"geometry.linear_ckas {kind}", SHAPES, 1e-9,
        "ten halves of the stimuli, here from one product of all",
    )  # fmt: skip
    def of_subsets(random: Random, n: int, p: int, q: int, unbiased: bool = unbiased) -> Both:
        x, y = two(random, n, p, q)
        rows = [random.permutation(n)[: n // 2] for _ in range(10)]
        theirs = [cka_base(*as_torch(x[r], y[r]), "linear", unbiased=unbiased).item() for r in rows]
        return linear_ckas(x, y, rows, unbiased), theirs

    @versus(
        "ckatorch", f"hsic{int(unbiased)} of Gaussian kernels", f"alignment.cka rbf {kind}",
        [(*s, width) for s in SHAPES for width in (0.5, 1.0)], 1e-9,
        "kernels of scikit-learn whose width is in medians of the distances between different stimuli; `cka_base` has "
        "the zeros of the diagonal among them",
    )  # fmt: skip
    def gaussian(random: Random, n: int, p: int, q: int, width: float, unbiased: bool = unbiased) -> Both:
        sides = two(random, n, p, q)
        k, m = as_torch(*(rbf_kernel(x, gamma=1 / (2 * (width * np.median(pdist(x))) ** 2)) for x in sides))
        pairs = ((k, m), (k, k), (m, m))
        cross, *own = (hsic1(a[None], b[None]).item() if unbiased else hsic0(a, b).item() for a, b in pairs)
        return cka(unbiased, 0, kernel="rbf", width=width)(*sides).aggregate(), cross / np.sqrt(np.prod(own))


@versus(
    "scikit-learn", "rbf_kernel", "geometry.gaussian_kernel", [(*s[:2], w) for s in SHAPES for w in (0.5, 1.0)], 1e-9
)
def kernel(random: Random, n: int, p: int, width: float) -> Both:
    x = random.normal(size=(n, p))
    return gaussian_kernel(x, width), rbf_kernel(x, gamma=1 / (2 * (width * np.median(pdist(x))) ** 2))


@versus("netrep", "LinearCKA", "geometry.linear_cka biased", SHAPES, 1e-9, "an angle there: its cosine is compared")
def cka_of_netrep(random: Random, n: int, p: int, q: int) -> Both:
    x, y = two(random, n, p, q)
    return linear_cka(x, y, unbiased=False), np.cos(LinearCKA().score(x, y))


@versus(
    "netrep", "LinearMetric alpha=1", "geometry.procrustes_similarity", SHAPES, 1e-7,
    "the angle of which this is the cosine; the smaller side is padded with zeros there",
)  # fmt: skip
def procrustes(random: Random, n: int, p: int, q: int) -> Both:
    x, y = two(random, n, p, q)
    return np.arccos(procrustes_similarity(x, y)), LinearMetric(alpha=1.0).fit_score(x, y)


@versus(
    "netrep", "LinearMetric alpha<1", "geometry.procrustes_similarity whitened",
    [(*s, whiten) for s in ((60, 10, 10), (300, 30, 30)) for whiten in (0.3, 0.8, 1.0)], 1e-6,
    "`whiten` is 1 - alpha. Theirs takes X'X for the covariance, so that the mixture depends on the number of stimuli; "
    "it is given X / sqrt(stimuli)",
)  # fmt: skip
def shapes(random: Random, n: int, p: int, q: int, whiten: float) -> Both:
    x, y = two(random, n, p, q)
    theirs = LinearMetric(alpha=1 - whiten).fit_score(x / np.sqrt(n), y / np.sqrt(n))
    return np.arccos(procrustes_similarity(x, y, whiten)), theirs


@versus(
    "scipy", "linear_sum_assignment", "matching.match_units one-to-one", ((20, 8), (60, 60)), 1e-12,
    "test answers of the units that correlate best in sum over the training rows of two folds, less their means",
)  # fmt: skip
def partners(random: Random, p: int, q: int) -> Both:
    x, y = two(random, 50, p, q)
    rows = random.permutation(50)
    folds = [Fold(rows[:40], rows[40:]), Fold(rows[10:], rows[:10])]
    found: list[np.ndarray] = []
    for train, test in folds:
        r = np.corrcoef(x[train].T, y[train].T)[:p, p:]
        found.append((x - x.mean(axis=0))[test][:, linear_sum_assignment(r.T, maximize=True)[1]])
    return match_units(x, y, folds, "one-to-one"), np.concatenate(found)


@versus(
    "POT", "emd", "matching.transport", ((12, 12), (20, 8), (30, 45)), 1e-9,
    "the plan, and what it is worth; cost 1 - r there",
)  # fmt: skip
def plan(random: Random, p: int, q: int) -> Both:
    r = cross_correlation(*two(random, 50, p, q))
    mine, theirs = transport(r), ot.emd(np.full(p, 1 / p), np.full(q, 1 / q), 1 - r)
    return [*mine.ravel(), (mine * r).sum()], [*theirs.ravel(), (theirs * r).sum()]


@versus("POT", "emd2", "dynamics.eigenvalue_distance", ((6, 6), (4, 6), (9, 12)), 1e-9)
def spectra(random: Random, a: int, b: int) -> Both:
    one, other = (random.normal(size=(k, k)) / np.sqrt(k) for k in (a, b))
    values = [np.linalg.eigvals(m) for m in (one, other)]
    cost = np.abs(values[0][:, None] - values[1][None, :])
    return eigenvalue_distance(one, other), ot.emd2(np.full(a, 1 / a), np.full(b, 1 / b), cost)


@versus(
    "PyDMD", "DMD", "dynamics.fit_dynamics", ((20, 30, 6, 1), (20, 30, 4, 3)), 1e-7,
    "coefficients of the characteristic polynomial, which do not depend on the basis of the map",
)  # fmt: skip
def decomposition(random: Random, trials: int, times: int, p: int, delays: int) -> Both:
    step = np.linalg.qr(random.normal(size=(p, p)))[0] * 0.95
    states = [random.normal(size=(trials, p))]
    for _ in range(times - 1):
        states.append(states[-1] @ step.T + 0.3 * random.normal(size=(trials, p)))
    trajectories = np.stack(states, axis=1)
    centred = trajectories - trajectories.mean(axis=(0, 1))
    windows = [np.concatenate([centred[:, t + d] for d in range(delays)], axis=1) for t in range(times - delays + 1)]
    before, after = np.concatenate(windows[:-1]).T, np.concatenate(windows[1:]).T
    theirs = DMD(svd_rank=-1).fit(before, after).eigs
    return np.poly(np.linalg.eigvals(fit_dynamics(trajectories, delays))).real, np.poly(theirs).real
