"""Partial least squares (PLS2, regression mode) over all folds of a cross-validation at once.

NIPALS takes, for each component, the dominant pair of singular vectors of X'Y and deflates X and Y with the score.
Here nothing of the size of X is deflated. The dominant vector c is sought among the targets, on M = Y'XX'Y (q, q),
which a component changes by a matrix of rank two; scores follow from products with one Gram matrix (dual: XX', primal:
X'X) that all folds share up to centring. This is the same solution as NIPALS (Wold 1975; de Jong & ter Braak 1994 for
the kernel form; Dayal & MacGregor 1997 for deflating the products only), not SIMPLS, which differs for several targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from array_api_compat import device

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.backend import as_float64, like, namespace, transpose
from brainmark.metrics._arrays.scale import rescale, times_power
from brainmark.metrics._arrays.shapes import Array, Bool, Float, Integer, Real
from brainmark.metrics.regression.features import Features, prepare, settle_constants
from brainmark.metrics.statistics.splits import Fold

Stop = Literal["exact", "nipals"]

_EXHAUSTED = 1e-10  # a weight vector that much shorter than the first one is rounding error: the rank is used up
_BATCH = 2**25  # float64 numbers that the folds done together may hold in one array (256 MiB)
_SMALL = 48  # up to this many targets a full eigendecomposition is faster than Lanczos
_CACHED = 2**21  # numbers of the features that are read twice in a row (16 MiB)
_NIPALS_TOL, _NIPALS_ITERATIONS = 1e-6, 500  # of scikit-learn's PLSRegression
_STRIDE = 12  # power iterations between looks at what they changed


def pls_predictions(
    features: Real[Array, "presentation unit"] | Features,
    y: Real[Array, "presentation neuroid"],
    folds: Sequence[Fold],
    components: int = 25,
    stop: Stop = "exact",
) -> tuple[Float[Array, "_ neuroid"], int]:
    """Predict each fold's test rows by PLS2 fitted on its training rows, features and targets unscaled.

    Parameters
    ----------
    features : (n, p) or prepared.
    y : (n, q) without NaN.
    folds : training and test rows.
    components : at most; fewer where presentations, features or the rank of X'Y do not carry them.
    stop : "exact" finds each dominant vector to machine precision; "nipals" stops the power iteration where
        scikit-learn's default does (tol 1e-6, 500 iterations, started at the first target), for parity with it.

    Returns
    -------
    predictions (m, q) float64, rows in the order of the folds' test rows; the smallest number of components used.
    """
    if components < 1:
        raise InvalidMeasurement(f"PLS needs at least one component, not {components}")
    features = prepare(features)
    xp = namespace(features.array)
    given, power = rescale(as_float64(y))
    mean = xp.mean(given, axis=0)
    y = given - mean
    most = min(components, features.p, *(len(f.train) - 1 for f in folds))
    targets, start = _compact(y)
    width = targets.shape[1] ** 2 if features.dual else max(targets.shape[1] ** 2, features.p**2)
    predictions: list[Array] = []
    used = most
    for batch in _batches(folds, max(1, _BATCH // width)):
        search = _Search(start, stop)
        fit = (_dual if features.dual else _primal)(features.array, targets, batch, most, search)
        used = min(used, fit.used)
        predictions.extend(fit.predict(y, batch))
    settled = settle_constants(xp.concat(predictions, axis=0) + mean, given, folds)
    return times_power(settled, power), used


def _batches(folds: Sequence[Fold], size: int) -> Iterator[Sequence[Fold]]:
    for start in range(0, len(folds), size):
        yield folds[start : start + size]


def _compact(y: Float[Array, "row target"]) -> tuple[Float[Array, "row kept"], Float[Array, " kept"]]:
    """Return the targets (n, min(q, n)) with the same products YY', and where NIPALS starts, in their coordinates.

    Scores depend on Y through YY' alone, so many targets can be exchanged for n of them. Of constant ones, one is kept.
    """
    xp = namespace(y)
    n, q = y.shape
    spread = xp.sum(y * y, axis=0)
    first = int(xp.argmax(xp.astype(spread > 0, xp.int64)))
    if q <= n:
        start = xp.zeros(q, dtype=xp.float64, device=device(y))
        start[first] = 1.0
        return y, start
    values, vectors = xp.linalg.eigh(y @ transpose(y))
    keep = values > values[-1] * n * 1e-15
    if not bool(xp.any(keep)):
        return y[:, :1], xp.ones(1, dtype=xp.float64, device=device(y))
    values, vectors = values[keep], vectors[:, keep]
    root = xp.sqrt(values)
    return vectors * root, (transpose(vectors) @ y[:, first]) / root


@dataclass(frozen=True, eq=False)
class _Fit:
    """Scores of all rows, of unit length over the training rows, for a batch of F folds and A components."""

    scores: Float[Array, "fold component row"]  # (F, A, n)
    train: Float[Array, "fold row"]  # (F, n), 1.0 where a row trains
    used: int

    def predict(self, y: Array, folds: Sequence[Fold]) -> Iterator[Array]:
        xp = namespace(y)
        means = (self.train @ y) / xp.sum(self.train, axis=1)[:, None]
        for f, fold in enumerate(folds):
            scores = self.scores[f]
            loadings = (scores * self.train[f]) @ y
            yield transpose(scores[:, like(fold.test, y)]) @ loadings + means[f]


def _dual(kernel: Array, y: Array, folds: Sequence[Fold], components: int, search: _Search) -> _Fit:
    """Fit in the space of presentations: two products with the kernel per component, for all folds together."""
    xp = namespace(kernel)
    train = _mask(folds, kernel)
    size = xp.sum(train, axis=1)[:, None]

    def times_kernel(v: Array) -> Array:  # of features centred over the training rows; v has zero mean over them
        product = v @ kernel
        return product - xp.sum(product * train, axis=1)[:, None] / size

    m = _dual_products(kernel, y, train)
    scores = _zeros(kernel, len(folds), components, kernel.shape[0])
    loadings = _zeros(kernel, len(folds), components, y.shape[1])
    alive = _Alive(components)
    for a in range(components):
        c = search(m)
        beta = train * (c @ transpose(y) - _combine(scores[:, :a], _project(loadings[:, :a], c)))
        beta = beta - train * (xp.sum(beta, axis=1)[:, None] / size)
        product = times_kernel(beta)
        t = product - _combine(scores[:, :a], _project(scores[:, :a], product * train))
        t = t - _combine(scores[:, :a], _project(scores[:, :a], t * train))  # again: rounding (Kahan)
        length = xp.sum(t * t * train, axis=1)
        scale = alive(xp.sum(beta * product, axis=1), length)[:, None]
        t = t * scale
        inside = t * train
        v = (m @ c[:, :, None])[:, :, 0] * scale  # = Y't
        u = times_kernel(inside)
        u = train * (u - _combine(scores[:, :a], _project(scores[:, :a], u * train)))
        scores[:, a], loadings[:, a] = t, v
        m = _rank_two(m, u @ y, v, xp.sum(u * t, axis=1))
    return _Fit(scores, train, alive.used)


def _primal(x: Array, y: Array, folds: Sequence[Fold], components: int, search: _Search) -> _Fit:
    """Fit in the space of features: two products with them per component, for all folds together, and X'Y of each."""
    xp = namespace(x)
    train = _mask(folds, x)
    means, s = _primal_products(x, y, train)
    m = transpose(s) @ s
    scores = _zeros(x, len(folds), components, x.shape[0])
    rotations = _zeros(x, len(folds), components, x.shape[1])
    x_loadings, loadings = rotations * 0.0, _zeros(x, len(folds), components, y.shape[1])
    alive = _Alive(components)
    for a in range(components):
        c = search(m)
        before = x_loadings[:, :a]
        w = (s @ c[:, :, None])[:, :, 0] - _combine(before, _project(loadings[:, :a], c))
        r = w - _combine(rotations[:, :a], _project(before, w))
        t, p = _scores_and_loadings(x, r, means, train)
        scale = alive(xp.sum(w * w, axis=1), xp.sum(t * t * train, axis=1))[:, None]
        r, p = r * scale, p * scale
        v = (m @ c[:, :, None])[:, :, 0] * scale  # = Y't: r'S is the deflated w'S, and that is c'M
        h = (p[:, None, :] @ s)[:, 0, :] - _combine(loadings[:, :a], _project(before, p))
        scores[:, a], rotations[:, a], x_loadings[:, a], loadings[:, a] = t * scale, r, p, v
        m = _rank_two(m, h, v, xp.sum(p * p, axis=1))
    return _Fit(scores, train, alive.used)


def _scores_and_loadings(
    x: Float[Array, "row unit"],
    r: Float[Array, "fold unit"],
    means: Float[Array, "fold unit"],
    train: Float[Array, "fold row"],
) -> tuple[Float[Array, "fold row"], Float[Array, "fold unit"]]:
    """Return scores t = Xr of all rows (F, n) and loadings X't of the training rows (F, p), X centred over these."""
    xp = namespace(x)
    offset = xp.sum(r * means, axis=1)[:, None]
    t, p, total = _zeros(x, *train.shape), _zeros(x, *means.shape), 0.0
    step = max(1, _CACHED // x.shape[1])
    for start in range(0, x.shape[0], step):
        rows = slice(start, start + step)
        t[:, rows] = r @ transpose(x[rows]) - offset
        inside = t[:, rows] * train[:, rows]
        p += inside @ x[rows]
        total = total + xp.sum(inside, axis=1)[:, None]
    return t, p - total * means


def _dual_products(
    kernel: Float[Array, "row row"], y: Float[Array, "row target"], train: Float[Array, "fold row"]
) -> Float[Array, "fold target target"]:
    """Return Y'KY of each fold, (F, q, q), Y centred over its training rows: that of all rows, less those left out.

    Needs kernel and targets that are centred over all rows.
    """
    xp = namespace(kernel)
    ky = kernel @ y
    whole = transpose(y) @ ky
    products: list[Array] = []
    for rows in train:
        out = xp.nonzero(rows == 0)[0]
        d = y[out] - (rows @ y) / xp.sum(rows)
        cross = transpose(d) @ ky[out]
        products.append(whole - cross - transpose(cross) + transpose(d) @ (kernel[out][:, out] @ d))
    return xp.stack(products)


def _primal_products(
    x: Float[Array, "row unit"], y: Float[Array, "row target"], train: Float[Array, "fold row"]
) -> tuple[Float[Array, "fold unit"], Float[Array, "fold unit target"]]:
    """Return the mean of X and X'Y of each fold, centred over its training rows: (F, p), (F, p, q)."""
    xp = namespace(x)
    xy = transpose(transpose(y) @ x)
    size = xp.sum(train, axis=1)[:, None]
    means, y_means = (train @ x) / size, (train @ y) / size
    s = xp.empty((len(train), *xy.shape), dtype=xp.float64, device=device(x))
    for f in range(len(train)):
        out = xp.nonzero(train[f] == 0)[0]
        s[f] = xy
        s[f] -= transpose(x[out]) @ y[out]
        s[f] -= (size[f] * means[f])[:, None] * y_means[f]
    return means, s


class _Alive:
    """Tracks which folds of a batch still have a component, and scales these to unit length."""

    def __init__(self, components: int) -> None:
        self.used = components
        self._first: tuple[Array, Array] | None = None
        self._done = 0

    def __call__(self, weight: Float[Array, " fold"], score: Float[Array, " fold"]) -> Float[Array, " fold"]:
        """Take squared lengths (F,) of weight vectors and scores; return factors for the scores, 0 when exhausted."""
        xp = namespace(weight)
        self._first = self._first or (weight, score)
        alive = (weight > self._first[0] * _EXHAUSTED**2) & (score > self._first[1] * _EXHAUSTED**2) & (score > 0)
        if not bool(xp.all(alive)):
            self.used = min(self.used, self._done)
        self._done += 1
        return xp.where(alive, 1 / xp.sqrt(xp.where(alive, score, xp.ones_like(score))), xp.zeros_like(score))


class _Search:
    """Finds the dominant eigenvectors (F, q) of symmetric matrices (F, q, q)."""

    def __init__(self, start: Array, stop: Stop) -> None:
        self.start = start
        self.stop = stop

    def __call__(self, m: Float[Array, "fold target target"]) -> Float[Array, "fold target"]:
        return nipals_vectors(m, self.start) if self.stop == "nipals" else dominant_eigenvectors(m)


def nipals_vectors(
    m: Float[Array, "fold target target"], start: Float[Array, " target"]
) -> Float[Array, "fold target"]:
    """Iterate powers of `m` (F, q, q) from `start` (q,), stopping as NIPALS stops.

    NIPALS compares successive unit weight vectors w = Sc / |Sc|, with M = S'S: |w - w'|^2 = 2 - 2 c'Mc' / (|Sc| |Sc'|).
    Several steps are taken before they are looked at, and folds that have stopped are left out.
    """
    xp = namespace(m)
    found = xp.zeros(m.shape[:2], dtype=m.dtype, device=device(m)) + start
    going = xp.arange(m.shape[0], device=device(m))
    done, most = 0, _NIPALS_ITERATIONS - 1 if m.shape[1] > 1 else 1
    trace = xp.sum(xp.linalg.diagonal(m), axis=1)[:, None, None]
    m = m / xp.where(trace > 0, trace, 1.0)  # keeps powers from overflowing
    while done < most and going.shape[0]:
        steps = min(_STRIDE, most - done)
        v, at, stopped = _nipals_steps(m, found[going], steps)
        found[going] = v[at, xp.arange(len(going), device=device(m))]
        if bool(xp.any(stopped)):
            m, going = m[~stopped], going[~stopped]
        done += steps
    return found


def _nipals_steps(
    m: Float[Array, "fold target target"], v: Float[Array, "fold target"], steps: int
) -> tuple[Float[Array, "_ fold target"], Integer[Array, " fold"], Bool[Array, " fold"]]:
    """Return unit vectors after 0, 1, ... steps (steps + 2, F, q), the last ones to use (F,), and whether to stop."""
    xp = namespace(m)
    powers = _zeros(m, steps + 2, *v.shape, 1)
    powers[0, :, :, 0] = v
    for k in range(steps + 1):
        powers[k + 1] = m @ powers[k]
    powers = powers[:, :, :, 0]
    squares = xp.sum(powers * powers, axis=2)
    steep = xp.sum(powers[:-1] * powers[1:], axis=2)  # c'Mc; not above 0 when what is left is rounding error
    product = steep[:-1] * steep[1:]
    last = (product <= 0) | (steep[:-1] <= 0)
    change = 2 - 2 * squares[1:-1] / xp.sqrt(xp.where(last, 1.0, product))
    halt = last | (change < _NIPALS_TOL)
    stopped = xp.any(halt, axis=0)
    first = xp.argmax(xp.astype(halt, xp.int64), axis=0)
    exhausted = last[first, xp.arange(v.shape[0], device=device(m))]
    at = xp.where(stopped, first + 1 - xp.astype(exhausted & stopped, xp.int64), steps)
    return powers / xp.sqrt(xp.where(squares > 0, squares, 1.0))[:, :, None], at, stopped


def dominant_eigenvectors(
    m: Float[Array, "fold target target"], steps: int = 24, restarts: int = 12, tol: float = 1e-11
) -> Float[Array, "fold target"]:
    """Return the eigenvectors of the largest eigenvalue of positive semidefinite matrices (F, q, q), all together.

    Restarted Lanczos with full reorthogonalisation; where it has not converged to a relative residual of `tol`
    after all restarts (several equal leading eigenvalues), a full eigendecomposition.
    """
    xp = namespace(m)
    count, q = m.shape[:2]
    if q <= _SMALL:
        return xp.linalg.eigh(m)[1][:, :, -1]
    noise = np.random.default_rng(0).standard_normal(q)  # never orthogonal to the eigenvector sought
    v = xp.zeros((count, q), dtype=m.dtype, device=device(m)) + like(noise, m)
    for _ in range(restarts):
        v, residual, value = _lanczos(m, v, steps)
        if bool(xp.all(residual <= tol * value)):
            return v
    return xp.linalg.eigh(m)[1][:, :, -1]


def _lanczos(
    m: Float[Array, "fold target target"], start: Float[Array, "fold target"], steps: int
) -> tuple[Float[Array, "fold target"], Float[Array, " fold"], Float[Array, " fold"]]:
    """Return the best vector (F, q) of the Krylov space of `start`, its residual (F,) and eigenvalue (F,)."""
    xp = namespace(m)
    basis, t = _zeros(m, m.shape[0], steps, m.shape[1]), _zeros(m, m.shape[0], steps, steps)
    v, beta = start, xp.sqrt(xp.sum(start * start, axis=1))
    for k in range(steps):
        v = v * xp.where(beta > 0, 1 / xp.where(beta > 0, beta, 1.0), 0.0)[:, None]
        basis[:, k] = v
        v = (m @ v[:, :, None])[:, :, 0]
        seen = basis[:, : k + 1]
        share = _project(seen, v)
        t[:, k, k] = share[:, k]
        v = v - _combine(seen, share)
        v = v - _combine(seen, _project(seen, v))
        beta = xp.sqrt(xp.sum(v * v, axis=1))
        if k + 1 < steps:
            t[:, k, k + 1] = t[:, k + 1, k] = beta
    values, vectors = xp.linalg.eigh(t)
    best = vectors[:, :, -1]
    return _combine(basis, best), xp.abs(beta * best[:, -1]), values[:, -1]


def _rank_two(
    m: Float[Array, "fold target target"],
    h: Float[Array, "fold target"],
    v: Float[Array, "fold target"],
    s: Float[Array, " fold"],
) -> Float[Array, "fold target target"]:
    """Return M - hv' - vh' + s vv' for each fold, in the place of M."""
    left = h - 0.5 * s[:, None] * v
    m -= left[:, :, None] * v[:, None, :]
    m -= v[:, :, None] * left[:, None, :]  # not the transpose of the above, which would be read across the cache
    return m


def _project(rows: Float[Array, "fold a k"], v: Float[Array, "fold k"]) -> Float[Array, "fold a"]:
    """Multiply (F, a, k) by (F, k) -> (F, a)."""
    return (rows @ v[:, :, None])[:, :, 0]


def _combine(rows: Float[Array, "fold a k"], weights: Float[Array, "fold a"]) -> Float[Array, "fold k"]:
    """Sum the rows of (F, a, k), weighted by (F, a) -> (F, k)."""
    return (weights[:, None, :] @ rows)[:, 0, :]


def _mask(folds: Sequence[Fold], other: Array) -> Array:
    train = np.zeros((len(folds), other.shape[0]))
    for f, fold in enumerate(folds):
        train[f, fold.train] = 1.0
    return like(train, other)


def _zeros(other: Array, *shape: int) -> Array:
    xp = namespace(other)
    return xp.zeros(shape, dtype=xp.float64, device=device(other))
