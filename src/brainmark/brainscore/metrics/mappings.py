"""How the published metrics predict neuroids: PLS, ridge, least squares and single units, as scikit-learn fits them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, scipy
from brainmark.metrics._arrays.backend import block_width
from brainmark.metrics._arrays.scale import rescale, times_power
from brainmark.metrics._arrays.shapes import Real
from brainmark.metrics.regression.features import Features, prepare, settle_constants
from brainmark.metrics.regression.left_out import predict_left_out
from brainmark.metrics.regression.pls import pls_predictions
from brainmark.metrics.regression.ridge import ridge_predictions
from brainmark.metrics.regression.spectrum import Spectrum
from brainmark.metrics.statistics.correlation import never_varies
from brainmark.metrics.statistics.splits import Fold


def _space(start: float, stop: float, parts: int) -> list[float]:
    return [start + i * ((stop - start) / parts) for i in range(parts)]


ALPHAS = (
    *(0.01, 0.1, 0.5, 1.0),
    *_space(1e1, 1e2, 4),
    *(a for k in range(2, 6) for a in _space(10.0**k, 10.0 ** (k + 1), 18)),
    *(*_space(1e6, 1e7, 18), 1e7),
)
"""The 99 penalties of the published RidgeCV."""

_MANY = 2**22  # features times presentations up to which products are taken in float64

_FEW = 2**20  # features times presentations up to which the rounding of published scores is reproduced: 1e-4 and more
_FEW_SQUARE = 2**24  # the same with few features a presentation, which make rounding weigh more
_FEW_CUT = 2**17  # the same with a cutoff, which takes most of the rounding away

Predicted: TypeAlias = "tuple[list[np.ndarray], tuple[str, ...]]"
FitAndPredict: TypeAlias = "Callable[[np.ndarray | Features, np.ndarray, Sequence[Fold]], Predicted]"
"""features (n, p) or their products, targets (n, q), folds -> predictions (test, q) of each fold, notes."""


def _split_by_fold(stacked: np.ndarray, folds: Sequence[Fold]) -> list[np.ndarray]:
    return np.split(stacked, np.cumsum([len(f.test) for f in folds])[:-1])


def pls_mapping(
    x: Real[np.ndarray, "presentation unit"] | Features,
    y: Real[np.ndarray, "presentation neuroid"],
    folds: Sequence[Fold],
    components: int = 25,
) -> Predicted:
    """Fit partial least squares, unscaled, with the stopping rule of scikit-learn's NIPALS."""
    try:
        with np.errstate(over="raise"):
            predictions, used = pls_predictions(x, y, folds, components, "nipals")
    except FloatingPointError:
        raise InvalidMeasurement("values are so large that their products overflow: rescale them") from None
    few = (f"PLS used {used} of {components} components: the data do not carry more",)
    return _split_by_fold(predictions, folds), few if used < components else ()


def ridge_mapping(
    x: Real[np.ndarray, "presentation unit"] | Features,
    y: Real[np.ndarray, "presentation neuroid"],
    folds: Sequence[Fold],
    alpha: float = 1.0,
) -> Predicted:
    """Fit ridge regression with a fixed penalty."""
    return _split_by_fold(ridge_predictions(share_products(x), y, folds, [alpha])[0], folds), ()


def share_products(x: Real[np.ndarray, "presentation unit"] | Features) -> Features:
    """Prepare features, with products in float64 unless there are very many.

    Penalties far below the largest eigenvalue, or none, bring out the rounding of products in float32; with thousands
    of presentations its share in a score is below 1e-6.
    """
    return x if isinstance(x, Features) else prepare(x, wide=x.size <= _MANY)


def ridgecv_mapping(
    x: Real[np.ndarray, "presentation unit"] | Features,
    y: Real[np.ndarray, "presentation neuroid"],
    folds: Sequence[Fold],
    alphas: Sequence[float] = ALPHAS,
) -> Predicted:
    """Fit ridge regression with one penalty for all neuroids, of the least leave-one-out error on the training rows."""
    predictions, chosen = ridge_predictions(share_products(x), y, folds, alphas, per_target=False, selection="loo")
    listed = ", ".join(f"{a:g}" for a in np.unique(chosen[:, 0]))
    return _split_by_fold(predictions, folds), (f"penalties chosen: {listed}",)


def ols_mapping(
    x: Real[np.ndarray, "presentation unit"] | Features,
    y: Real[np.ndarray, "presentation neuroid"],
    folds: Sequence[Fold],
    cutoff: float | None = None,
) -> Predicted:
    """Fit least squares of least norm; singular values below `cutoff` of the largest do not count.

    None: the precision of the features, as LAPACK has it. Where the products of the features cannot tell how small a
    singular value is, the features themselves are decomposed, in the precision in which they come; and so are a few
    features that outnumber presentations. Centring these takes one singular value to the edge of precision; published
    scores hold what rounding then makes of it (3e-4 of few neuroids with 128 x 3000 or 1000 x 2048 features, 1e-5 where
    features are a hundred times as many), and the same steps on the same rows bring it back.
    """
    if not isinstance(x, Features) and _rounding_shows(x, min(len(f.train) for f in folds), cutoff):
        return _settle([_least_squares(x, y, fold, cutoff) for fold in folds], y, folds)
    features = x if isinstance(x, Features) else prepare(x, wide=True)
    quick = predict_left_out(features, y, folds)
    if quick is not None:
        return _settle(_split_by_fold(quick, folds), y, folds)
    predictions: list[np.ndarray] = []
    for fold in folds:
        mean = y[fold.train].mean(axis=0, dtype=float)
        spectrum = Spectrum(features, fold.train, y[fold.train] - mean) if features.dual else None
        if spectrum is None or not spectrum.determined:
            predictions.append(_least_squares(x, y, fold, cutoff))
        else:
            predictions.append(spectrum.predict(features, *fold, np.zeros(1)) + mean)
    return _settle(predictions, y, folds)


def _settle(predictions: list[np.ndarray], y: np.ndarray, folds: Sequence[Fold]) -> Predicted:
    """Return predictions whose constants are free of rounding (`settle_constants`), without a note."""
    return [settle_constants(part, y, [fold]) for part, fold in zip(predictions, folds, strict=True)], ()


def _rounding_shows(x: np.ndarray, rows: int, cutoff: float | None) -> bool:
    """Return whether least squares on so many training rows of `x` are rounding to a degree that scores show."""
    few = _FEW_CUT if cutoff is not None else _FEW if x.shape[1] > 32 * rows else _FEW_SQUARE
    return rows <= x.shape[1] and x.size <= few


def _units(x: np.ndarray | Features) -> np.ndarray:
    if isinstance(x, Features):
        raise InvalidMeasurement("this regression needs the model units themselves, not their products: pass them")
    return x


def _least_squares(x: np.ndarray | Features, y: np.ndarray, fold: Fold, cutoff: float | None) -> np.ndarray:

    units, _ = rescale(_units(x))
    y, power = rescale(y)
    train, target = units[fold.train], y[fold.train].astype(units.dtype)
    mean, offset = train.mean(axis=0), target.mean(axis=0)
    weights: np.ndarray = scipy.linalg.lstsq(train - mean, target - offset, cond=cutoff)[0]  # pyright: ignore
    return times_power(units[fold.test] @ weights + (offset - mean @ weights), power)


def single_mapping(
    x: Real[np.ndarray, "presentation unit"] | Features,
    y: Real[np.ndarray, "presentation neuroid"],
    folds: Sequence[Fold],
) -> Predicted:
    """Predict each neuroid by the unit that correlates best with it on the training rows; constant units never.

    Predictions of a neuroid that holds one value in all training rows are NaN.
    """
    x, y = _units(x), np.asarray(y, float) - y.mean(axis=0, dtype=float)
    shape = (len(folds), y.shape[1])
    best, where = np.full(shape, -np.inf), np.zeros(shape, int)
    for start in range(0, x.shape[1], step := block_width(len(x))):
        block = x[:, start : start + step].astype(float)
        block -= block.mean(axis=0)
        sums, squares, cross = block.sum(axis=0), np.einsum("np,np->p", block, block), block.T @ y
        for f, (train, test) in enumerate(folds):
            if len(train) + len(test) == len(x):  # all rows, less those left out
                out, left, size = block[test], y[test], len(train)
                parts = sums - out.sum(axis=0), squares - np.einsum("np,np->p", out, out), cross - out.T @ left
                y_sum = -left.sum(axis=0)
            else:
                kept, size = block[train], len(train)
                parts = kept.sum(axis=0), np.einsum("np,np->p", kept, kept), kept.T @ y[train]
                y_sum = y[train].sum(axis=0)
            spread = parts[1] - parts[0] ** 2 / size
            varies = spread > 1e-12 * np.maximum(parts[1], 1e-300)
            scale = np.sqrt(np.where(varies, spread, 1.0))[:, None]
            r = np.where(varies[:, None], (parts[2] - np.outer(parts[0], y_sum) / size) / scale, -np.inf)
            first = r.argmax(axis=0)
            top = r[first, np.arange(r.shape[1])]
            better = top > best[f]
            best[f], where[f] = np.where(better, top, best[f]), np.where(better, first + start, where[f])
    if not np.isfinite(best).all():
        raise InvalidMeasurement("no unit varies over the training presentations")
    untrained = [never_varies(y[f.train]) for f in folds]
    return [np.where(untrained[k], np.nan, x[f.test][:, where[k]]) for k, f in enumerate(folds)], ()
