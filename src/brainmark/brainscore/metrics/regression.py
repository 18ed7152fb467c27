"""Regression-based metrics of the published scores: PLS, ridge, least squares and single units.

Each has a reverse form, one with its own test presentations, and one over time bins: one mapping, a score each.

Ten random splits of 90/10 (seed 1) over the target's presentations, stratified where the published benchmarks do so;
Pearson r per neuroid in each split; median over neuroids, mean over splits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from brainmark.brainscore.metrics.assemblies import (
    Recording,
    align,
    by_split,
    labels,
    matrix,
    one_value,
    pair,
    positions,
    stimulus_ids,
)
from brainmark.brainscore.metrics.mappings import (
    ALPHAS,
    FitAndPredict,
    Predicted,
    ols_mapping,
    pls_mapping,
    ridge_mapping,
    ridgecv_mapping,
    share_products,
    single_mapping,
)  # fmt: skip
from brainmark.brainscore.metrics.splits import random_splits
from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.core.vocabulary import MetricExample, add_comparison
from brainmark.metrics._arrays.shapes import Float, Real, Shaped
from brainmark.metrics.regression.features import Features
from brainmark.metrics.statistics.correlation import pearson
from brainmark.metrics.statistics.splits import Fold


@dataclass(frozen=True, eq=False)
class PreparedUnits:
    """Model units with the products that regressions on them share: for several regions on the same units.

    features : the products; identifiers : ``stimulus_id`` of each presentation, None for plain arrays.
    """

    features: Features
    identifiers: Shaped[np.ndarray, " presentation"] | None


def prepare_units(prediction: Recording) -> PreparedUnits:
    """Compute once what `pls`, `ridge` and `ridgecv` need of model units (presentation, neuroid).

    Pass the result in the place of the prediction; the units themselves are not kept where they outnumber
    presentations.
    """
    labelled = isinstance(prediction, xr.DataArray) and "stimulus_id" in prediction.coords
    ids = stimulus_ids(prediction, "prediction") if labelled else None  # pyright: ignore[reportArgumentType]
    return PreparedUnits(share_products(matrix(prediction, "prediction")), ids)


@dataclass(frozen=True)
class CrossValidated:
    """Metric over random splits of the presentations.

    Attributes
    ----------
    mapping : how neuroids are predicted.
    stratify : coordinate whose labels every split holds in equal shares, of either side (a model need not repeat what
        the recording says of its stimuli); where neither has it, splits are made without (the published code then
        stops, unless stratification is switched off).
    splits, train_size, seed : of the random splits.
    reverse : predict model units from neuroids; the splits then follow the model's presentations.
    """

    mapping: FitAndPredict
    stratify: str | None = "object_name"
    splits: int = 10
    train_size: float = 0.9
    seed: int = 1
    reverse: bool = False

    def __call__(self, prediction: Recording | PreparedUnits, target: Recording) -> Comparison:
        """Compare two recordings (presentation, neuroid), labelled or as arrays; or units of `prepare_units`.

        Raises
        ------
        InvalidMeasurement : different presentations, NaN, too few presentations.
        """
        if self.reverse:
            if isinstance(prediction, PreparedUnits):
                raise InvalidMeasurement("reverse regression predicts model units: pass them, not their products")
            prediction, target = target, prediction
        x, y, order = _sides(prediction, target)
        names = _strata(target, prediction, order, self.stratify)
        folds = random_splits(len(y), names, self.splits, self.train_size, self.seed)
        folds = sort_training_rows(folds, target)
        predictions, notes = self.mapping(x, *_reorder(y, folds, order))
        r = [fold_r(p, y[f.test]) for p, f in zip(predictions, folds, strict=True)]
        return by_split(np.stack(r), target, notes)


@dataclass(frozen=True)
class TrainTest:
    """Metric with presentations for training and for testing that the benchmark keeps apart.

    Called with the predictions for both, then the targets for both.
    """

    mapping: FitAndPredict
    reverse: bool = False

    def __call__(
        self, train: Recording, test: Recording, target_train: Recording, target_test: Recording
    ) -> Comparison:
        """Compare; every argument is a recording (presentation, neuroid)."""
        if self.reverse:
            train, test, target_train, target_test = target_train, target_test, train, test
        (x, y, order), (x_test, y_test, order_test) = align(train, target_train), align(test, target_test)
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
    target: Recording, prediction: Recording | PreparedUnits, order: np.ndarray | None, coordinate: str | None
) -> np.ndarray | None:
    """Return the labels of the target's presentations, from whichever side has them; `order` as in `_sides`."""
    names = labels(target, coordinate)
    if names is None and isinstance(prediction, xr.DataArray):
        names = labels(prediction, coordinate)
        return names if names is None or order is None else names[order]
    return names


def _sides(
    prediction: Recording | PreparedUnits, target: Recording
) -> tuple[np.ndarray | Features, np.ndarray, np.ndarray | None]:
    """Return features and targets as they stand, and where the features have the target's rows (see `align`)."""
    if not isinstance(prediction, PreparedUnits):
        return align(prediction, target)
    y = matrix(target, "target")
    if prediction.identifiers is not None and isinstance(target, xr.DataArray):
        return prediction.features, y, positions(prediction.identifiers, stimulus_ids(target, "target"))
    if prediction.features.n != len(y):
        raise InvalidMeasurement(f"prediction has {prediction.features.n} presentations, target {len(y)}")
    return prediction.features, y, None


def _reorder(y: np.ndarray, folds: Sequence[Fold], order: np.ndarray | None) -> tuple[np.ndarray, Sequence[Fold]]:
    """Bring targets and folds into the order of the features, which are the larger array.

    `order` tells where the features have the target's rows; None: they stand in the same order.
    """
    if order is None:
        return y, folds
    return y[np.argsort(order)], [Fold(order[fold.train], order[fold.test]) for fold in folds]


def sort_training_rows(folds: Sequence[Fold], target: Recording) -> list[Fold]:
    """Sort training rows by ``stimulus_id``, as before every published fit: it matters to rounding alone."""
    ids = labels(target, "stimulus_id")
    rank = np.arange(len(target)) if ids is None else np.argsort(np.argsort(ids, kind="stable"))
    return [Fold(fold.train[np.argsort(rank[fold.train])], fold.test) for fold in folds]


def fold_r(
    predicted: Float[np.ndarray, "test neuroid"], truth: Real[np.ndarray, "test neuroid"]
) -> Float[np.ndarray, " neuroid"]:
    """Return the Pearson r of each neuroid; NaN where one side is constant."""
    return np.asarray(pearson(predicted, truth))


regression_metric = partial(metric, compares="recordings", tags=("regression", "brainscore"))


@regression_metric(
    "brainscore-pls",
    summary="Neural predictivity by PLS exactly as Brain-Score publishes it, for comparison with its scores.",
    cite="schrimpf2018 yamins2014",
)
def pls(components: int = 25, stratify: str | None = "object_name", reverse: bool = False) -> CrossValidated:
    """Return ``pls`` (`reverse`: ``reverse_pls``): 25 components, features as they are."""
    return CrossValidated(partial(pls_mapping, components=components), stratify, reverse=reverse)


@regression_metric(
    "brainscore-ridge",
    summary="Neural predictivity by ridge regression with a fixed penalty exactly as Brain-Score publishes it.",
    cite="schrimpf2018 hoerl1970",
)
def ridge(alpha: float = 1.0, stratify: str | None = "object_name", reverse: bool = False) -> CrossValidated:
    """Return ``ridge``, which is also ``ridge_cv``: the penalty is fixed."""
    return CrossValidated(partial(ridge_mapping, alpha=alpha), stratify, reverse=reverse)


@regression_metric(
    "brainscore-ridgecv",
    summary="Neural predictivity by ridge regression with one penalty for all neuroids, as Brain-Score publishes it.",
    cite="schrimpf2018 hoerl1970 golub1979",
)
def ridgecv(
    alphas: Sequence[float] = ALPHAS, stratify: str | None = "object_name", reverse: bool = False
) -> CrossValidated:
    """Return RidgeCV within the ten splits: one penalty for all neuroids, chosen by leave-one-out."""
    return CrossValidated(partial(ridgecv_mapping, alphas=alphas), stratify, reverse=reverse)


@regression_metric(
    "brainscore-linear",
    summary="Neural predictivity by ordinary least squares exactly as Brain-Score publishes it.",
    cite="schrimpf2018",
)
def linear_predictivity(stratify: str | None = "object_name", reverse: bool = False) -> CrossValidated:
    """Return ``linear_predictivity``: ordinary least squares."""
    return CrossValidated(ols_mapping, stratify, reverse=reverse)


@regression_metric(
    "brainscore-neuron-to-neuron",
    summary="Correlation of each neuroid with its best unit, as Brain-Score publishes it.",
    cite="schrimpf2018",
)
def neuron_to_neuron(stratify: str | None = "object_name", reverse: bool = False) -> CrossValidated:
    """Return ``neuron_to_neuron``: the best unit on the training rows stands for the neuroid, sign kept."""
    return CrossValidated(single_mapping, stratify, reverse=reverse)


def reverse_pls(components: int = 25, stratify: str | None = "object_name") -> CrossValidated:
    """Return ``reverse_pls``: model units predicted from neuroids."""
    return pls(components, stratify, reverse=True)


MAPPINGS: Mapping[str, FitAndPredict] = {
    "pls": pls_mapping,
    "ridge": ridge_mapping,
    "ridgecv": ridgecv_mapping,
    "linear_predictivity": ols_mapping,
    "neuron_to_neuron": single_mapping,
}


def train_test(name: str, reverse: bool = False) -> TrainTest:
    """Return ``<name>_split``, such as ``pls_split`` (`reverse`: ``reverse_pls_split``); names: `MAPPINGS`.

    ``dual_ridge_split`` and ``dual_ridgecv_split`` give the same predictions as those without "dual".
    """
    return TrainTest(MAPPINGS[name], reverse)


# --- time bins -------------------------------------------------------------------------------------------------------

Bin = tuple[float, float]
"""Start and end of a time bin, ms."""


@dataclass(frozen=True)
class SpanTime:
    """Metrics ``spantime_pls`` and ``spantime_ridge``: weights are shared by all time bins, which count as samples.

    Attributes
    ----------
    mapping : how neuroids are predicted.
    stratify : coordinate whose labels every split holds in equal shares.
    splits, train_size, seed : of the random splits of presentations; all bins of a presentation stay together.
    """

    mapping: FitAndPredict
    stratify: str | None = "object_name"
    splits: int = 10
    train_size: float = 0.9
    seed: int = 1

    def __call__(self, prediction: xr.DataArray, target: xr.DataArray) -> dict[Bin, Comparison]:
        """Compare two recordings (presentation, neuroid, time_bin); return a comparison for each bin.

        Raises
        ------
        InvalidMeasurement : different presentations or time bins, NaN, too few presentations.
        """
        bins = time_bins(target, "target")
        if time_bins(prediction, "prediction") != bins:
            raise InvalidMeasurement("prediction and target have different time bins")
        both = [pair(prediction.isel(time_bin=t), target.isel(time_bin=t)) for t in range(len(bins))]
        n = len(both[0][1])
        folds = random_splits(n, labels(target, self.stratify), self.splits, self.train_size, self.seed)
        folds = sort_training_rows(folds, target)
        offsets = n * np.arange(len(bins))[:, None]
        spanned = [Fold(*((offsets + part).ravel() for part in fold)) for fold in folds]
        predictions = self.mapping(np.concatenate([x for x, _ in both]), np.concatenate([y for _, y in both]), spanned)
        return {
            name: by_split(self._correlate(both[t][1], t, len(bins), predictions, folds), target, predictions[1])
            for t, name in enumerate(bins)
        }

    @staticmethod
    def _correlate(y: np.ndarray, t: int, count: int, predictions: Predicted, folds: Sequence[Fold]) -> np.ndarray:
        """Return the correlations (split, neuroid) in one bin."""
        parts = [p.reshape(count, len(f.test), -1)[t] for p, f in zip(predictions[0], folds, strict=True)]
        return np.stack([fold_r(part, y[f.test]) for part, f in zip(parts, folds, strict=True)])


def spantime_pls(components: int = 25, stratify: str | None = "object_name") -> SpanTime:
    """Return ``spantime_pls``."""
    return SpanTime(partial(pls_mapping, components=components), stratify)


def over_bins(parts: Mapping[Bin, Comparison]) -> Comparison:
    """Put the comparisons of time bins together: the published value of each."""
    edges = {f"time_bin_{edge}": ("time_bin", [b[k] for b in parts]) for k, edge in enumerate(("start", "end"))}
    values = [one_value(part) for part in parts.values()]
    notes = tuple(dict.fromkeys(note for part in parts.values() for note in part.notes))
    return Comparison(xr.DataArray(values, dims="time_bin", coords=edges), center="mean", notes=notes)


@add_comparison("recordings over time")
def recordings_over_time(count: int, generator: np.random.Generator) -> MetricExample:
    """Return 24 units in three time bins that span 6 signals, and 12 neuroids, mixtures of the same signals."""
    signals = generator.standard_normal((count, 6, 3))
    edges = {"time_bin_start": ("time_bin", [0.0, 10.0, 20.0]), "time_bin_end": ("time_bin", [10.0, 20.0, 30.0])}
    names = {"stimulus_id": ("presentation", [f"image-{i:03d}" for i in range(count)])}

    def record(name: str, number: int) -> xr.DataArray:
        values = np.einsum("nst,su->nut", signals, generator.standard_normal((6, number)))
        units = {"neuroid_id": [f"{name}-{i}" for i in range(number)], "region": ["V1"] * number}
        coords = names | edges | {key: ("neuroid", labels) for key, labels in units.items()}
        return xr.DataArray(values, dims=("presentation", "neuroid", "time_bin"), coords=coords)

    return MetricExample(record("unit", 24), record("neuroid", 12))


@metric(
    "brainscore-spantime-pls",
    summary="Held-out r by one partial least squares for all time bins, a value a bin, as Brain-Score publishes it.",
    cite="schrimpf2018",
    compares="recordings over time",
    tags=("regression", "temporal", "brainscore"),
)
def spantime_pls_over_bins(components: int = 25, stratify: str | None = None) -> Metric:
    """Return `spantime_pls` with the published value of each bin."""
    spanned = spantime_pls(components, stratify)
    return lambda prediction, target: over_bins(spanned(prediction, target))


def spantime_ridge(alpha: float = 1.0, stratify: str | None = "object_name") -> SpanTime:
    """Return ``spantime_ridge``: the penalty is fixed."""
    return SpanTime(partial(ridge_mapping, alpha=alpha), stratify)


def by_time(measure: Callable[[xr.DataArray], Comparison]) -> Callable[[xr.DataArray], dict[Bin, Comparison]]:
    """Take a ceiling in each time bin: `by_time(internal_consistency)` is ``internal_consistency_temporal``."""

    def measure_bins(target: xr.DataArray) -> dict[Bin, Comparison]:
        return {name: measure(target.isel(time_bin=t)) for t, name in enumerate(time_bins(target, "target"))}

    return measure_bins


def time_bins(recording: xr.DataArray, name: str) -> list[Bin]:
    """Return start and end of every time bin of a recording.

    Raises
    ------
    InvalidMeasurement : no dimension ``time_bin``, or no ``time_bin_start`` and ``time_bin_end`` along it.
    """
    lacking = {"time_bin_start", "time_bin_end"} - set(map(str, recording.coords))
    if "time_bin" not in recording.dims or lacking or not recording.sizes["time_bin"]:
        raise InvalidMeasurement(
            f"{name} has dimensions {tuple(str(d) for d in recording.dims)}; expected (presentation, neuroid, "
            "time_bin) with coordinates time_bin_start and time_bin_end"
        )
    start, end = (np.asarray(recording.coords[f"time_bin_{edge}"].values, float) for edge in ("start", "end"))
    return list(zip(start.tolist(), end.tolist(), strict=True))
