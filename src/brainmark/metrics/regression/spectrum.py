"""Principal components of training rows, in which every ridge penalty is a rescaling, and errors over penalties."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cached_property

from array_api_compat import device

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.backend import like, namespace, transpose
from brainmark.metrics._arrays.shapes import Array, Bool, Float, Integer, Real
from brainmark.metrics.regression.features import Features

DETERMINED = 1e-9  # eigenvalues above this share of the largest are known to half their digits
_RANK = 1e-13  # eigenvalues of the products below this share of the largest are rounding error (times n)
_INSIDE = 1e-9  # rows of which less than this share lies outside of the components count as within them
_ROUNDING = sys.float_info.epsilon
_HIDDEN = 1e-6  # what is below this share of a penalty leaves no trace in its predictions
FEW = 16  # penalties up to which they are their own basis
_TOGETHER = 2**19  # numbers of a chunk of rows: few enough to stay in the cache


class Spectrum:
    """Training rows in the coordinates of their principal components, in which every penalty is a rescaling.

    values : (r,) eigenvalues of the centred products; vectors : their eigenvectors; left : (n, r) orthonormal; y :
    centred targets (n, q), if it was given them; determined : whether rounding leaves no doubt about the rank.

    Components that are lost in the rounding of the products do not count, which no penalty far above it shows. Next to
    an `alpha` (the smallest asked for) that is not, as with units of a millionth and of a million, and without any
    where the rank is in doubt, features are decomposed themselves; of products given in their place, all components
    that the penalty holds down count.
    """

    def __init__(
        self,
        features: Features,
        train: Bool[Array, " _"] | Integer[Array, " _"],
        y: Real[Array, "n q"] | None = None,
        alpha: float = 0.0,
    ) -> None:
        xp = namespace(features.array)
        part = features.take(train)
        self.n, self._y = part.n, y
        a = part.array
        values, vectors = xp.linalg.eigh(a if part.dual else transpose(a) @ a)
        smallest = values[min(1, len(values) - 1)] if part.dual else values[0]  # centring takes one in dual form
        self.determined = bool(smallest > DETERMINED * values[-1])
        lost = float(values[-1]) * _RANK * max(values.shape[0], part.n)
        if not part.dual and _HIDDEN * alpha < lost and (alpha > 0 or not self.determined):
            _, roots, rows = xp.linalg.svd(a, full_matrices=False)
            values, vectors = xp.flip(roots**2), xp.flip(transpose(rows), axis=1)
            lost = float(values[-1]) * (_ROUNDING * max(a.shape)) ** 2
        elif 0 < _HIDDEN * alpha < lost < 100 * alpha:
            lost = float(values[-1]) * _ROUNDING
        keep = values > lost
        self.values, self.vectors = values[keep], vectors[:, keep]
        root = xp.sqrt(self.values)
        self.left = self.vectors if part.dual else (a @ self.vectors) / root

    @property
    def y(self) -> Float[Array, "n q"]:
        """Centred targets (n, q)."""
        if self._y is None:
            raise InvalidMeasurement("this spectrum was made without targets")
        return self._y

    @cached_property
    def z(self) -> Float[Array, "r q"]:
        """Targets (r, q) in the coordinates of the components."""
        return transpose(self.left) @ self.y

    def shrinkage(self, alpha: float) -> Float[Array, " r"]:
        """Return the eigenvalues (r,) of the hat matrix without its intercept."""
        return self.values / (self.values + alpha)

    def predict(
        self,
        features: Features,
        train: Integer[Array, " train"],
        test: Integer[Array, " test"],
        alpha: Float[Array, " q"],
    ) -> Float[Array, "test q"]:
        """Predict rows `test`, without the mean; `alpha` (q,)."""
        xp = namespace(self.values)
        root = 1.0 if features.dual else xp.sqrt(self.values)[:, None]
        return self._centre(features, train, test) @ (self.vectors @ (self.z * root / (self.values[:, None] + alpha)))

    def hat(
        self, features: Features, train: Integer[Array, " train"], test: Integer[Array, " test"], alpha: float
    ) -> Float[Array, "test train"]:
        """Return weights (test, train): predictions of rows `test`, less the mean, from training targets."""
        xp = namespace(self.values)
        scale = (1.0 if features.dual else xp.sqrt(self.values)) / (self.values + alpha)
        return (self._centre(features, train, test) @ self.vectors * scale) @ transpose(self.left)

    def _centre(self, features: Features, train: Array, test: Array) -> Array:
        """Return rows `test` less the mean training row; dual: their products with the training rows (both centred)."""
        xp, a = namespace(features.array), features.array
        if not features.dual:
            return a[test] - xp.mean(a[train], axis=0)
        rows = a[test][:, train] - xp.mean(a[train][:, train], axis=0)
        return rows - xp.mean(rows, axis=1)[:, None]


def gcv_errors(spectrum: Spectrum, alphas: Real[np.ndarray, " alpha"]) -> Float[Array, "alpha q"]:
    """Return the generalised cross-validation error (alphas, q): residual sum of squares over (n - 1 - trace H)^2.

    Where the components hold every pattern of the training rows, both vanish with the penalty; their ratio does not.
    """
    xp, squares = namespace(spectrum.y), spectrum.z * spectrum.z
    inverse, lacking = _inverse(spectrum, alphas), spectrum.n - 1 - len(spectrum.values)
    if not lacking:
        return (transpose(inverse * inverse) @ squares) / (xp.sum(inverse, axis=0) ** 2)[:, None]
    outside = xp.clip(xp.sum(spectrum.y * spectrum.y, axis=0) - xp.sum(squares, axis=0), min=0.0)
    unexplained = like(alphas, inverse) * inverse
    free = lacking + xp.sum(unexplained, axis=0)
    return (transpose(unexplained * unexplained) @ squares + outside) / (free * free)[:, None]


def loo_errors(spectrum: Spectrum, alphas: Real[np.ndarray, " alpha"]) -> Float[Array, "alpha q"]:
    """Return mean squared leave-one-out error (alphas, q): residuals over 1 - leverage, the intercept fitted anew."""
    xp, left, inverse = namespace(spectrum.y), spectrum.left, _inverse(spectrum, alphas)
    outside, factors = _outside(spectrum, alphas)
    rest = None if outside is None else xp.where(outside[:, None] > 0, spectrum.y - left @ spectrum.z, 0.0)
    free = factors * ((left * left) @ inverse) + (0.0 if outside is None else outside[:, None])
    factors = factors / free
    errors: list[Array] = []
    for a in range(len(alphas)):
        residual = left @ (inverse[:, a, None] * spectrum.z)
        residual *= factors[:, a, None]
        if rest is not None:
            residual += rest / free[:, a, None]
        errors.append(xp.mean(residual * residual, axis=0))
    return xp.stack(errors)


def _inverse(spectrum: Spectrum, alphas: Real[np.ndarray, " alpha"]) -> Float[Array, "r alpha"]:
    """Return 1 / (eigenvalue + penalty): times the penalty, what that leaves unexplained of each component."""
    return 1 / (spectrum.values[:, None] + like(np.asarray(alphas, float), spectrum.values))


def _outside(
    spectrum: Spectrum, alphas: Real[np.ndarray, " alpha"]
) -> tuple[Float[Array, " n"] | None, Float[Array, "n alpha"]]:
    """Return what the components leave of 1 - leverage (n,), and by what residuals within them are to be multiplied.

    Residuals and 1 - leverage are `outside` plus the penalty times sums over `_inverse`. Rows of which nothing lies
    outside (None: all rows) lose the penalty from both, whose ratio it is not part of: a penalty of any size, and none,
    then has an error that rounding does not spoil.
    """
    xp, left, penalties = namespace(spectrum.left), spectrum.left, like(np.asarray(alphas, float), spectrum.left)
    if left.shape[1] == spectrum.n - 1:  # nothing but the mean lies outside: what does is rounding error
        return None, xp.ones((spectrum.n, len(alphas)), dtype=xp.float64, device=device(left))
    outside = 1 - 1 / spectrum.n - xp.sum(left * left, axis=1)
    outside = xp.where(outside > _INSIDE, outside, 0.0)
    return outside, xp.where(outside[:, None] > 0, penalties, 1.0)


def sum_loo_errors(
    spectrum: Spectrum, alphas: Real[np.ndarray, " alpha"], products: Float[Array, "n n"] | None = None
) -> Float[Array, " alpha"]:
    """Return squared leave-one-out errors (alphas,), summed over rows and targets at a cost that hardly grows.

    What a penalty leaves unexplained of the components, u = alpha / (values + alpha), is a smooth function of their
    eigenvalues: as many penalties as one likes lie in a space of a few dimensions, u / alpha = basis @ weights, almost
    exactly. Residuals are rest + left @ (u z); over targets, their squares are quadratic forms of the weights.

    Parameters
    ----------
    spectrum : of the training rows.
    alphas : penalties.
    products : (n, n) centred yy' of many targets, in the place of the spectrum's own.
    """
    xp, left = namespace(spectrum.left), spectrum.left
    n, r = left.shape
    if not r:  # no feature varies: penalties make no difference
        return xp.zeros(len(alphas), dtype=xp.float64, device=device(left))
    inverse = _inverse(spectrum, alphas)
    outside, factors = _outside(spectrum, alphas)
    free = factors * ((left * left) @ inverse) + (0.0 if outside is None else outside[:, None])
    factors = factors / free
    scale = xp.max(inverse, axis=0)
    basis, weights = _smooth_basis(inverse / scale)
    weights = weights * scale
    if products is None:
        inner, step = _of_targets(spectrum, basis, outside), max(1, _TOGETHER // (spectrum.z.shape[1] * len(weights)))
    else:
        inner, step = _of_products(left, basis, products), n
    errors = xp.zeros(len(alphas), dtype=xp.float64, device=device(left))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        quadratic, linear, constant = inner(rows)
        total = xp.sum((quadratic @ weights) * weights, axis=1) * factors[rows] ** 2
        if outside is not None:
            more = 2 * (linear @ weights) * factors[rows] + constant[:, None] / free[rows]
            total = total + xp.where(outside[rows, None] > 0, more / free[rows], 0.0)
        errors = errors + xp.sum(total, axis=0)
    return errors


def _smooth_basis(unexplained: Array) -> tuple[Array, Array]:
    """Return factors (r, b) and (b, k) of functions (r, k) of the eigenvalues, b no more than their number needs."""
    xp = namespace(unexplained)
    if unexplained.shape[1] <= FEW:
        return unexplained, xp.eye(unexplained.shape[1], dtype=xp.float64, device=device(unexplained))
    u, values, v = xp.linalg.svd(unexplained, full_matrices=False)
    keep = values > values[0] * 1e-12
    return u[:, keep] * values[keep], v[keep]


Inner = Callable[[slice], tuple[Array, Array, Array]]
"""Some rows -> products over targets of what the basis leaves of them (n, b, b), with the rest (n, b), of that (n,)."""


def _of_targets(spectrum: Spectrum, basis: Array, outside: Array | None) -> Inner:
    """Take the products from the targets themselves."""
    xp, y = namespace(basis), spectrum.y
    (r, b), q = basis.shape, spectrum.z.shape[1]
    weighted = xp.reshape(basis[:, :, None] * spectrum.z[:, None, :], (r, b * q))

    def inner(rows: slice) -> tuple[Array, Array, Array]:
        left = spectrum.left[rows]
        parts = xp.reshape(left @ weighted, (len(left), b, q))
        rest = 0.0 * y[rows] if outside is None else y[rows] - left @ spectrum.z
        linear = (parts @ rest[:, :, None])[:, :, 0]
        return parts @ transpose(parts), linear, xp.sum(rest * rest, axis=1)

    return inner


def _of_products(components: Array, basis: Array, products: Array) -> Inner:
    """Take the products from those of the targets (n, n), of which there may then be many."""
    xp = namespace(basis)
    projected = products @ components
    within = transpose(components) @ projected
    own = xp.linalg.diagonal(products)

    def inner(rows: slice) -> tuple[Array, Array, Array]:
        left = components[rows]
        parts = [(((left * basis[:, j]) @ within) * left) @ basis for j in range(basis.shape[1])]
        cross = projected[rows] - left @ within
        rest = own[rows] - xp.sum(left * (projected[rows] + cross), axis=1)
        return xp.stack(parts, axis=1), (left * cross) @ basis, rest

    return inner
