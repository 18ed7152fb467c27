"""Regression-based metrics of the published scores: PLS, ridge, least squares, single units; reverse and split forms.

Ten random splits of 90/10 (seed 1) over the target's presentations, stratified where the published benchmarks do so;
Pearson r per neuroid in each split; median over neuroids, mean over splits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.backend import block_width
from brainmark.metrics.brainscore.assemblies import (
    Recording,
    aligned,
    by_split,
    labels,
    matrix,
    positions,
    stimulus_ids,
)  # fmt: skip
from brainmark.metrics.brainscore.splits import shuffle_splits, stratified_splits
from brainmark.metrics.correlation import pearson
from brainmark.metrics.features import Features, prepare
from brainmark.metrics.pls import pls_predictions
from brainmark.metrics.ridge import left_out_least_squares, ridge_predictions
from brainmark.metrics.shapes import Float, Real, Shaped
from brainmark.metrics.spectrum import Spectrum
from brainmark.metrics.splits import Fold

ALPHAS = (
    *(0.01, 0.1, 0.5, 1.0),
    *np.linspace(1e1, 1e2, 4, endpoint=False).tolist(),
    *(a for k in range(2, 6) for a in np.linspace(10.0**k, 10.0 ** (k + 1), 18, endpoint=False).tolist()),
    *np.linspace(1e6, 1e7, 19).tolist(),
)
"""The 99 penalties of the published RidgeCV."""

_MANY = 2**22  # features times presentations up to which products are taken in float64

_FEW = 2**20  # features times presentations up to which the rounding of published scores is reproduced: 1e-4 and more
_FEW_SQUARE = 2**24  # the same with few features a presentation, which make rounding weigh more
_FEW_CUT = 2**17  # the same with a cutoff, which takes most of the rounding away

Predicted = tuple[list[np.ndarray], tuple[str, ...]]
Mapping = Callable[[np.ndarray | Features, np.ndarray, Sequence[Fold]], Predicted]
"""features (n, p) or their products, targets (n, q), folds -> predictions (test, q) of each fold, notes."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Model units with the products that regressions on them share: for several regions on the same units.

    features : the products; identifiers : ``stimulus_id`` of each presentation, None for plain arrays.
    """

    features: Features
    identifiers: Shaped[np.ndarray, " presentation"] | None


def prepared(prediction: Recording) -> Prepared:
    """Compute once what `pls`, `ridge` and `ridgecv` need of model units (presentation, neuroid).

    Pass the result in the place of the prediction; the units themselves are not kept where they outnumber
    presentations.
    """
    labelled = isinstance(prediction, xr.DataArray) and "stimulus_id" in prediction.coords
    ids = stimulus_ids(prediction, "prediction") if labelled else None  # pyright: ignore[reportArgumentType]
    return Prepared(_prepared(matrix(prediction, "prediction")), ids)


@dataclass(frozen=True)
class CrossValidated:
    """Metric over random splits of the presentations.

    Attributes
    ----------
    mapping : how neuroids are predicted.
    stratify : coordinate whose labels every split holds in equal shares, of either side (a model need not repeat what
        the recording says of its stimuli); where neither has it, splits are made without (the published code then
        stops, unless it is told not to stratify).
    splits, train_size, seed : of the random splits.
    reverse : predict model units from neuroids; the splits then follow the model's presentations.
    """

    mapping: Mapping
    stratify: str | None = "object_name"
    splits: int = 10
    train_size: float = 0.9
    seed: int = 1
    reverse: bool = False

    def __call__(self, prediction: Recording | Prepared, target: Recording) -> Comparison:
        """Compare two recordings (presentation, neuroid), labelled or as arrays; the first one may be `prepared`.

        Raises
        ------
        InvalidMeasurement : different presentations, NaN, too few presentations.
        """
        if self.reverse:
            if isinstance(prediction, Prepared):
                raise InvalidMeasurement("reverse regression predicts model units: pass them, not their products")
            prediction, target = target, prediction
        x, y, order = _sides(prediction, target)
        names = _strata(target, prediction, order, self.stratify)
        if names is None:
            folds = shuffle_splits(len(y), self.splits, self.train_size, self.seed)
        else:
            folds = stratified_splits(names, self.splits, self.train_size, self.seed)
        folds = in_published_order(folds, target)
        predictions, notes = self.mapping(x, *_as_given(y, folds, order))
        r = [fold_r(p, y[f.test]) for p, f in zip(predictions, folds, strict=True)]
        return by_split(np.stack(r), target, notes)


@dataclass(frozen=True)
class TrainTest:
    """Metric with presentations for training and for testing that the benchmark keeps apart.

    Called with the predictions for both, then the targets for both.
    """

    mapping: Mapping
    reverse: bool = False

    def __call__(
        self, train: Recording, test: Recording, target_train: Recording, target_test: Recording
    ) -> Comparison:
        """Compare; every argument is a recording (presentation, neuroid)."""
        if self.reverse:
            train, test, target_train, target_test = target_train, target_test, train, test
        (x, y, order), (x_test, y_test, order_test) = aligned(train, target_train), aligned(test, target_test)
        if x.shape[1] != x_test.shape[1] or y.shape[1] != y_test.shape[1]:
            raise InvalidMeasurement("training and test recordings have different neuroids")
        places = [np.arange(len(part)) if at is None else at for part, at in ((y, order), (y_test, order_test))]
        fold = Fold(places[0], len(x) + places[1])
        both = np.concatenate([x, x_test])
        targets = np.empty((len(both), y.shape[1]), np.result_type(y, y_test))
        targets[fold.train], targets[fold.test] = y, y_test
        predictions, notes = self.mapping(both, targets, [fold])
        return by_split(fold_r(predictions[0], y_test)[None], target_test, notes)


def _strata(
    target: Recording, prediction: Recording | Prepared, order: np.ndarray | None, coordinate: str | None
) -> np.ndarray | None:
    """Labels of the target's presentations, from whichever side has them; `order` as in `_sides`."""
    names = labels(target, coordinate)
    if names is None and isinstance(prediction, xr.DataArray):
        names = labels(prediction, coordinate)
        return names if names is None or order is None else names[order]
    return names


def _sides(
    prediction: Recording | Prepared, target: Recording
) -> tuple[np.ndarray | Features, np.ndarray, np.ndarray | None]:
    """Return features and targets as they stand, and where the features have the target's rows (see `aligned`)."""
    if not isinstance(prediction, Prepared):
        return aligned(prediction, target)
    y = matrix(target, "target")
    if prediction.identifiers is not None and isinstance(target, xr.DataArray):
        return prediction.features, y, positions(prediction.identifiers, stimulus_ids(target, "target"))
    if prediction.features.n != len(y):
        raise InvalidMeasurement(f"prediction has {prediction.features.n} presentations, target {len(y)}")
    return prediction.features, y, None


def _as_given(y: np.ndarray, folds: Sequence[Fold], order: np.ndarray | None) -> tuple[np.ndarray, Sequence[Fold]]:
    """Bring targets and folds into the order of the features, which are the larger array.

    `order` tells where the features have the target's rows; None: they stand in the same order.
    """
    if order is None:
        return y, folds
    return y[np.argsort(order)], [Fold(order[fold.train], order[fold.test]) for fold in folds]


def in_published_order(folds: Sequence[Fold], target: Recording) -> list[Fold]:
    """Sort training rows by ``stimulus_id``, as before every published fit: it matters to rounding alone."""
    ids = labels(target, "stimulus_id")
    rank = np.arange(len(target)) if ids is None else np.argsort(np.argsort(ids, kind="stable"))
    return [Fold(fold.train[np.argsort(rank[fold.train])], fold.test) for fold in folds]


def fold_r(
    predicted: Float[np.ndarray, "test neuroid"], truth: Real[np.ndarray, "test neuroid"]
) -> Float[np.ndarray, " neuroid"]:
    """Pearson r of each neuroid; NaN where one side is constant."""
    return np.asarray(pearson(predicted, truth))


def _by_fold(stacked: np.ndarray, folds: Sequence[Fold]) -> list[np.ndarray]:
    return np.split(stacked, np.cumsum([len(f.test) for f in folds])[:-1])


def pls_mapping(
    x: Real[np.ndarray, "presentation unit"] | Features,
    y: Real[np.ndarray, "presentation neuroid"],
    folds: Sequence[Fold],
    components: int = 25,
) -> Predicted:
    """Partial least squares, unscaled, with the stopping rule of scikit-learn's NIPALS."""
    try:
        with np.errstate(over="raise"):
            predictions, used = pls_predictions(x, y, folds, components, "nipals")
    except FloatingPointError:
        raise InvalidMeasurement("values are so large that their products overflow: rescale them") from None
    few = (f"PLS used {used} of {components} components: the data do not carry more",)
    return _by_fold(predictions, folds), few if used < components else ()


def ridge_mapping(
    x: Real[np.ndarray, "presentation unit"] | Features,
    y: Real[np.ndarray, "presentation neuroid"],
    folds: Sequence[Fold],
    alpha: float = 1.0,
) -> Predicted:
    """Ridge regression with a fixed penalty."""
    return _by_fold(ridge_predictions(_prepared(x), y, folds, [alpha])[0], folds), ()


def _prepared(x: np.ndarray | Features) -> Features:
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
    """Ridge regression with one penalty for all neuroids, of the smallest leave-one-out error on the training rows."""
    predictions, chosen = ridge_predictions(_prepared(x), y, folds, alphas, per_target=False, selection="loo")
    listed = ", ".join(f"{a:g}" for a in np.unique(chosen[:, 0]))
    return _by_fold(predictions, folds), (f"penalties chosen: {listed}",)


def ols_mapping(
    x: Real[np.ndarray, "presentation unit"] | Features,
    y: Real[np.ndarray, "presentation neuroid"],
    folds: Sequence[Fold],
    cutoff: float | None = None,
) -> Predicted:
    """Least squares of least norm; singular values below `cutoff` of the largest do not count.

    None: the precision of the features, as LAPACK has it. Where the products of the features cannot tell how small a
    singular value is, the features themselves are decomposed, in the precision in which they come; and so are a few
    features that outnumber presentations. Centring these takes one singular value to the edge of precision; published
    scores hold what rounding then makes of it (3e-4 of few neuroids with 128 x 3000 or 1000 x 2048 features, 1e-5 where
    features are a hundred times as many), and the same steps on the same rows bring it back.
    """
    if not isinstance(x, Features) and _rounding_shows(x, min(len(f.train) for f in folds), cutoff):
        return [_least_squares(x, y, fold, cutoff) for fold in folds], ()
    features = x if isinstance(x, Features) else prepare(x, wide=True)
    quick = left_out_least_squares(features, y, folds)
    if quick is not None:
        return _by_fold(quick, folds), ()
    predictions: list[np.ndarray] = []
    for fold in folds:
        mean = y[fold.train].mean(axis=0, dtype=float)
        spectrum = Spectrum(features, fold.train, y[fold.train] - mean) if features.dual else None
        if spectrum is None or not spectrum.determined:
            predictions.append(_least_squares(x, y, fold, cutoff))
        else:
            predictions.append(spectrum.predict(features, *fold, np.zeros(1)) + mean)
    return predictions, ()


def _rounding_shows(x: np.ndarray, rows: int, cutoff: float | None) -> bool:
    """Whether least squares on so many training rows of `x` are rounding to a degree that scores show."""
    few = _FEW_CUT if cutoff is not None else _FEW if x.shape[1] > 32 * rows else _FEW_SQUARE
    return rows <= x.shape[1] and x.size <= few


def _units(x: np.ndarray | Features) -> np.ndarray:
    if isinstance(x, Features):
        raise InvalidMeasurement("this regression needs the model units themselves, not their products: pass them")
    return x


def _least_squares(x: np.ndarray | Features, y: np.ndarray, fold: Fold, cutoff: float | None) -> np.ndarray:
    from scipy.linalg import lstsq

    x = _units(x)
    train, target = x[fold.train], y[fold.train].astype(x.dtype)
    mean, offset = train.mean(axis=0), target.mean(axis=0)
    weights: np.ndarray = lstsq(train - mean, target - offset, cond=cutoff)[0]  # pyright: ignore
    return x[fold.test] @ weights + (offset - mean @ weights)


def single_mapping(
    x: Real[np.ndarray, "presentation unit"] | Features,
    y: Real[np.ndarray, "presentation neuroid"],
    folds: Sequence[Fold],
) -> Predicted:
    """Each neuroid is predicted by the unit that correlates best with it on the training rows; constant units never."""
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
    return [x[f.test][:, where[k]] for k, f in enumerate(folds)], ()


def pls(components: int = 25, stratify: str | None = "object_name", reverse: bool = False) -> CrossValidated:
    """Return ``pls`` (``reverse_pls``): 25 components, features as they are."""

    def mapping(x: np.ndarray | Features, y: np.ndarray, folds: Sequence[Fold]) -> Predicted:
        return pls_mapping(x, y, folds, components)

    return CrossValidated(mapping, stratify, reverse=reverse)


def ridge(alpha: float = 1.0, stratify: str | None = "object_name", reverse: bool = False) -> CrossValidated:
    """Return ``ridge``, which is also ``ridge_cv``: the penalty is fixed."""

    def mapping(x: np.ndarray | Features, y: np.ndarray, folds: Sequence[Fold]) -> Predicted:
        return ridge_mapping(x, y, folds, alpha)

    return CrossValidated(mapping, stratify, reverse=reverse)


def ridgecv(
    alphas: Sequence[float] = ALPHAS, stratify: str | None = "object_name", reverse: bool = False
) -> CrossValidated:
    """Return RidgeCV within the ten splits: one penalty for all neuroids, chosen by leave-one-out."""

    def mapping(x: np.ndarray | Features, y: np.ndarray, folds: Sequence[Fold]) -> Predicted:
        return ridgecv_mapping(x, y, folds, alphas)

    return CrossValidated(mapping, stratify, reverse=reverse)


def linear_predictivity(stratify: str | None = "object_name", reverse: bool = False) -> CrossValidated:
    """Return ``linear_predictivity``: ordinary least squares."""
    return CrossValidated(ols_mapping, stratify, reverse=reverse)


def neuron_to_neuron(stratify: str | None = "object_name", reverse: bool = False) -> CrossValidated:
    """Return ``neuron_to_neuron``: the best unit on the training rows stands for the neuroid, sign kept."""
    return CrossValidated(single_mapping, stratify, reverse=reverse)


def reverse_pls(components: int = 25, stratify: str | None = "object_name") -> CrossValidated:
    """Return ``reverse_pls``: model units predicted from neuroids."""
    return pls(components, stratify, reverse=True)


def pls_split(components: int = 25, reverse: bool = False) -> TrainTest:
    """Return ``pls_split`` (``reverse_pls_split``)."""

    def mapping(x: np.ndarray | Features, y: np.ndarray, folds: Sequence[Fold]) -> Predicted:
        return pls_mapping(x, y, folds, components)

    return TrainTest(mapping, reverse)


def ridge_split(alpha: float = 1.0, reverse: bool = False) -> TrainTest:
    """Return ``ridge_split``, which is also ``dual_ridge_split``: both forms give the same predictions."""

    def mapping(x: np.ndarray | Features, y: np.ndarray, folds: Sequence[Fold]) -> Predicted:
        return ridge_mapping(x, y, folds, alpha)

    return TrainTest(mapping, reverse)


def ridgecv_split(alphas: Sequence[float] = ALPHAS, reverse: bool = False) -> TrainTest:
    """Return ``ridgecv_split``, which is also ``dual_ridgecv_split``."""

    def mapping(x: np.ndarray | Features, y: np.ndarray, folds: Sequence[Fold]) -> Predicted:
        return ridgecv_mapping(x, y, folds, alphas)

    return TrainTest(mapping, reverse)


def linear_predictivity_split(reverse: bool = False) -> TrainTest:
    """Return ``linear_predictivity_split``."""
    return TrainTest(ols_mapping, reverse)


def neuron_to_neuron_split(reverse: bool = False) -> TrainTest:
    """Return ``neuron_to_neuron_split``."""
    return TrainTest(single_mapping, reverse)


def by_subject(metric: TrainTest, coordinate: str = "subject") -> Callable[..., dict[str, Comparison]]:
    """Fit the neuroids of each subject by themselves, so that each gets its own penalty.

    Returns
    -------
    A function of (train, test, target_train, target_test) that returns one comparison for each subject, by name.
    """

    def compare(
        train: Recording, test: Recording, target_train: xr.DataArray, target_test: xr.DataArray
    ) -> dict[str, Comparison]:
        matrix(target_train, "target")
        names = np.asarray(target_train.coords[coordinate].values)
        return {
            str(name): metric(
                train,
                test,
                target_train.isel(neuroid=np.flatnonzero(names == name)),
                target_test.isel(neuroid=np.flatnonzero(target_test.coords[coordinate].values == name)),
            )
            for name in np.unique(names)
        }

    return compare
