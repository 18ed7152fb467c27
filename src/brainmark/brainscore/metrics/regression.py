"""Regression-based metrics of the published scores: PLS, ridge, least squares, single units; reverse and split forms.

Ten random splits of 90/10 (seed 1) over the target's presentations, stratified where the published benchmarks do so;
Pearson r per neuroid in each split; median over neuroids, mean over splits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from brainmark.brainscore.metrics.assemblies import (
    Recording,
    aligned,
    by_split,
    labels,
    matrix,
    positions,
    stimulus_ids,
)  # fmt: skip
from brainmark.brainscore.metrics.mappings import (
    ALPHAS,
    Mapping,
    ols_mapping,
    pls_mapping,
    ridge_mapping,
    ridgecv_mapping,
    shared_products,
    single_mapping,
)  # fmt: skip
from brainmark.brainscore.metrics.splits import shuffle_splits, stratified_splits
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.metrics._arrays.shapes import Float, Real, Shaped
from brainmark.metrics.regression.features import Features
from brainmark.metrics.statistics.correlation import pearson
from brainmark.metrics.statistics.splits import Fold


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
    return Prepared(shared_products(matrix(prediction, "prediction")), ids)


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


def pls(components: int = 25, stratify: str | None = "object_name", reverse: bool = False) -> CrossValidated:
    """Return ``pls`` (``reverse_pls``): 25 components, features as they are."""
    return CrossValidated(partial(pls_mapping, components=components), stratify, reverse=reverse)


def ridge(alpha: float = 1.0, stratify: str | None = "object_name", reverse: bool = False) -> CrossValidated:
    """Return ``ridge``, which is also ``ridge_cv``: the penalty is fixed."""
    return CrossValidated(partial(ridge_mapping, alpha=alpha), stratify, reverse=reverse)


def ridgecv(
    alphas: Sequence[float] = ALPHAS, stratify: str | None = "object_name", reverse: bool = False
) -> CrossValidated:
    """Return RidgeCV within the ten splits: one penalty for all neuroids, chosen by leave-one-out."""
    return CrossValidated(partial(ridgecv_mapping, alphas=alphas), stratify, reverse=reverse)


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
    return TrainTest(partial(pls_mapping, components=components), reverse)


def ridge_split(alpha: float = 1.0, reverse: bool = False) -> TrainTest:
    """Return ``ridge_split``, which is also ``dual_ridge_split``: both forms give the same predictions."""
    return TrainTest(partial(ridge_mapping, alpha=alpha), reverse)


def ridgecv_split(alphas: Sequence[float] = ALPHAS, reverse: bool = False) -> TrainTest:
    """Return ``ridgecv_split``, which is also ``dual_ridgecv_split``."""
    return TrainTest(partial(ridgecv_mapping, alphas=alphas), reverse)


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
