"""Neural predictivity: how well a mapping from model units to neuroids predicts responses to unseen stimuli."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from brainmark.core.comparison import Comparison
from brainmark.core.convention import stretch_draws
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.backend import as_numpy, like, to_device
from brainmark.metrics._arrays.inputs import (
    Recording,
    check_filled,
    check_kind,
    check_numbers,
    check_same_stimuli,
    group_columns,
    recordings,
    unit_coordinates,
)
from brainmark.metrics._arrays.shapes import Array, Bool, Float, Real, Shaped
from brainmark.metrics.regression.features import Features, prepare
from brainmark.metrics.regression.pls import Stop, pls_predictions
from brainmark.metrics.regression.ridge import Selection, ols_predictions, relative_alphas, ridge_predictions
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.statistics.correlation import FEWEST_ROWS, fold_pearson, pearson, resample_pearson
from brainmark.metrics.statistics.resampling import draws
from brainmark.metrics.statistics.splits import Fold, Shuffled, Splitter

Predict = Callable[[Features, Array, Sequence[Fold]], tuple[Array, tuple[str, ...]]]
"""features, targets (n, q) without NaN, folds -> predictions of the test rows in the order of the folds, notes."""

TEN_FOLDS = Shuffled(10, seed=0, fewest=FEWEST_ROWS)
"""Ten folds; of less than thirty presentations fewer, so that r can be taken in each."""
FEW_STIMULI = 30
"""Of fewer presentations, resampled ones scatter too little, and intervals are widened by Student's t."""
_FEWEST_TO_WIDEN = 5  # presentations of a fold
_SOME = 32  # neuroids whose predictions are compared
RELATIVE_ALPHAS = tuple(10.0 ** (-5 + i / 2) for i in range(21))
"""Default penalties, in units of the mean squared length of the centred features."""


@dataclass(frozen=True)
class Predictivity:
    """Metric: per-neuroid Pearson r (sign kept) between target and out-of-fold predictions.

    r is taken within each test fold and averaged over folds (`correlation.fold_pearson` says why). Replicates are the
    same r under resampled presentations, with the predictions as they are.

    Attributes
    ----------
    predict : the mapping.
    splits : the folds; labels are coordinates along presentation of the target, or else of the prediction.
    resamples : bootstrap samples of presentations for the replicates; 0: none.
    seed : of the draws.
    dual : form of the features that the mapping needs; None: the smaller one.
    block : neighbouring presentations that are drawn together.
    on_device : whether the mapping takes tensors of torch, too: then it gets them where a device is in use.
    """

    predict: Predict
    splits: Splitter
    resamples: int = 1000
    seed: int = 0
    dual: bool | None = None
    block: int = 1
    on_device: bool = False

    def __call__(self, prediction: Recording, target: Recording) -> Comparison:
        """Compare a model's answer (presentation, neuroid) with recordings (presentation, neuroid).

        Plain arrays have the same presentations in the same order; labelled ones are checked for it.
        NaN in the target means not measured: neuroids are then fitted in groups with the same measured presentations.

        Raises
        ------
        InvalidMeasurement : presentations that do not correspond, NaN in the prediction, too few presentations.
        ResourceError : not enough memory.
        """
        prediction, target = recordings(prediction, target)
        x, y = pair(prediction, target)
        return self.compare(self.prepare(x), y, prediction, target)

    def prepare(self, x: Bool[np.ndarray, "presentation unit"] | Real[np.ndarray, "presentation unit"]) -> Features:
        """Return what all comparisons on these features (presentation, neuroid) share."""
        placed = to_device(x) if self.on_device else x
        if placed is not x:
            check_numbers(x, "features")  # of NumPy's, `prepare` does
        return prepare(placed, self.dual)

    def compare(
        self,
        features: Features,
        y: Float[np.ndarray, "presentation neuroid"],
        prediction: xr.DataArray,
        target: xr.DataArray,
    ) -> Comparison:
        """Compare prepared features with values `y` (presentation, neuroid) in the place of those of `target`."""
        labels = labels_of(prediction, target)
        folds = self.splits(len(y), labels)
        counts = draws(len(y), self.resamples, self.seed, self.block)
        values, per_fold = np.full(y.shape[1], np.nan), np.full((len(folds), y.shape[1]), np.nan)
        replicates = np.full((self.resamples, y.shape[1]), np.nan)
        notes: dict[str, None] = {}
        used, still = np.zeros(y.shape[1], int), np.zeros(y.shape[1], bool)
        for rows, columns in group_columns(y):
            subset, tested = self._split_among(rows, len(y), folds, labels)
            used[columns] = sum(len(f.test) >= FEWEST_ROWS for f in subset)
            if used[columns[0]] < 1 or len(subset) < 2 or min(len(f.train) for f in subset) < FEWEST_ROWS:
                used[columns] = 0
                continue
            part = features if len(rows) == len(y) else features.take(like(rows, features.array))
            targets = like(y[rows[:, None], columns], features.array)
            predicted, said = self.predict(part, targets, subset)
            notes |= dict.fromkeys(said)
            test = np.concatenate([f.test for f in subset])
            sizes, truth = [len(f.test) for f in subset], targets[like(test, targets)]
            values[columns] = as_numpy(fold_pearson(predicted, truth, sizes))
            per_fold[np.array(tested)[:, None], columns] = _by_fold(predicted, truth, sizes)
            if self.resamples:
                drawn = resample_pearson(predicted, truth, sizes, counts[:, rows[test]])
                some = targets[:, :: -(-targets.shape[1] // _SOME)]
                widened = widen_for_training(drawn, values[columns], subset, partial(self._predict_alone, part, some))
                replicates[:, columns] = _widen(widened, len(rows))
            still[columns] = np.isnan(as_numpy(fold_pearson(truth, truth, sizes)))
        units = unit_coordinates(target)
        return Comparison(
            values=xr.DataArray(values, dims="neuroid", coords=units),
            splits=xr.DataArray(per_fold, dims=("split", "neuroid"), coords=units),
            replicates=replicates if self.resamples else None,
            notes=(*notes, *_note_few(y, used, len(folds)), *_note_undefined(y, np.isnan(values), used, still)),
        )

    def _predict_alone(self, features: Features, targets: Array, fold: Fold) -> np.ndarray:
        """Return the predictions of one fold."""
        return as_numpy(self.predict(features, targets, [fold])[0])

    def _split_among(
        self, rows: np.ndarray, n: int, folds: Sequence[Fold], labels: dict[str, np.ndarray]
    ) -> tuple[list[Fold], list[int]]:
        """Return the folds of the measured `rows`, as positions in them, and at which of the folds of all they stand.

        They are those of all `n` presentations; where r could not be taken in each, these rows get folds of their own.
        """
        subset, tested = _restrict(folds, rows, n)
        if len(rows) < n and any(len(fold.test) < FEWEST_ROWS for fold in subset):
            with suppress(InvalidMeasurement):  # too few for that
                subset = list(self.splits(len(rows), {name: values[rows] for name, values in labels.items()}))
                tested = list(range(len(subset)))
        return subset[: len(folds)], tested[: len(folds)]


@metric(
    "pls", summary="Cross-validated r of each neuroid, predicted by partial least squares with 25 components.",
    cite="wold1975 yamins2014", compares="recordings", tags=("regression",), ceiling=split_half,
    ceiling_over=("repetition",), on_device=True,
    version=2,
)  # fmt: skip
def pls(
    components: int = 25,
    splits: Splitter | None = None,
    resamples: int = 1000,
    seed: int = 0,
    stop: Stop = "exact",
) -> Predictivity:
    """Return the metric that maps by partial least squares (`pls.pls_predictions`)."""

    def predict(features: Features, y: Array, folds: Sequence[Fold]) -> tuple[Array, tuple[str, ...]]:
        predictions, used = pls_predictions(features, y, folds, components, stop)
        few = (f"PLS used {used} of {components} components: the data do not carry more",)
        return predictions, few if used < components else ()

    return Predictivity(predict, splits or TEN_FOLDS, resamples, seed, on_device=True)


@metric(
    "ridge", summary="Cross-validated r of each neuroid, predicted by ridge regression, penalty chosen in the fold.",
    cite="hoerl1970 golub1979", compares="recordings", tags=("regression",), ceiling=split_half,
    ceiling_over=("repetition",), on_device=True,
    version=2,
)  # fmt: skip
def ridge(
    alphas: Sequence[float] | None = None,
    per_target: bool = True,
    selection: Selection = "loo",
    splits: Splitter | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Predictivity:
    """Return the metric that maps by ridge regression (`ridge.ridge_predictions`).

    Parameters
    ----------
    alphas : penalties in the units of scikit-learn; None takes a wide grid relative to the scale of the features.
    per_target : a penalty for each neuroid, or one for all.
    selection : "loo" or "gcv", inside the training rows.
    """

    def predict(features: Features, y: Array, folds: Sequence[Fold]) -> tuple[Array, tuple[str, ...]]:
        grid = relative_alphas(features, RELATIVE_ALPHAS) if alphas is None else np.asarray(alphas, float)
        predictions, chosen = ridge_predictions(features, y, folds, grid, per_target, selection)
        return predictions, note_edges(as_numpy(chosen), grid)

    return Predictivity(predict, splits or TEN_FOLDS, resamples, seed, on_device=True)


@metric(
    "ols", summary="Cross-validated r of each neuroid, predicted by ordinary least squares.", cite="yamins2014",
    compares="recordings", tags=("regression",), ceiling=split_half, ceiling_over=("repetition",), on_device=True,
    version=2,
)  # fmt: skip
def ols(splits: Splitter | None = None, resamples: int = 1000, seed: int = 0) -> Predictivity:
    """Return the metric that maps by ordinary least squares, of least norm when features outnumber presentations."""

    def predict(features: Features, y: Array, folds: Sequence[Fold]) -> tuple[Array, tuple[str, ...]]:
        return ols_predictions(features, y, folds), ()

    return Predictivity(predict, splits or TEN_FOLDS, resamples, seed, on_device=True)


def _note_few(y: np.ndarray, used: np.ndarray, folds: int) -> Iterator[str]:
    """Return notes on folds that do not count, and on presentations that are few."""
    counted = used[used > 0]
    if counted.size and counted.min() < folds:
        yield f"r is taken in {counted.min()} of {folds} folds: the others test fewer than {FEWEST_ROWS} presentations"
    if len(y) < FEW_STIMULI:
        yield f"few stimuli: r rests on {len(y)} presentations in {folds} folds, so that chance alone moves it far"


def _note_undefined(y: np.ndarray, lost: np.ndarray, used: np.ndarray, still: np.ndarray) -> Iterator[str]:
    """Return notes on how many neuroids have no r, and why; `used` folds count, `still`: the target is constant."""
    few = lost & (used == 0)
    most = int(np.isfinite(y).sum(axis=0)[few].max(initial=0))
    reasons = {
        f"measured on {most} presentations at most, too few for folds that test {FEWEST_ROWS}": few,
        "constant responses": lost & still,
        "constant predictions": lost & ~few & ~still,
    }
    for why, which in reasons.items():
        if which.any():
            yield f"r is undefined for {int(which.sum())} of {len(which)} neuroids ({why})"


def note_edges(chosen: Real[np.ndarray, "fold neuroid"], grid: Real[np.ndarray, " alpha"]) -> tuple[str, ...]:
    """Return a note on the chosen penalties that lie at an edge of the grid, beyond which better ones may lie."""
    shares = {} if grid.size < 2 else {"lower": np.mean(chosen == grid.min()), "upper": np.mean(chosen == grid.max())}
    parts = [f"{share:.1%} at the {edge} edge" for edge, share in shares.items() if share > 0]
    return (f"chosen penalties at an edge of the grid: {', '.join(parts)}",) if parts else ()


def pair(
    prediction: xr.DataArray, target: xr.DataArray
) -> tuple[
    Bool[np.ndarray, "presentation unit"] | Real[np.ndarray, "presentation unit"],
    Float[np.ndarray, "presentation neuroid"],
]:
    """Return the values (presentation, neuroid) of both, presentations checked to be the same ones."""
    for name, array in (("prediction", prediction), ("target", target)):
        if set(array.dims) != {"presentation", "neuroid"}:
            raise InvalidMeasurement(
                f"{name} has dimensions {tuple(str(d) for d in array.dims)}; expected (presentation, neuroid)"
            )
        check_filled(array, name)
        check_kind(array.values, name)
    check_same_stimuli(prediction, target)
    check_numbers(target.values, "target", missing=True)
    x, y = (a.transpose("presentation", "neuroid") for a in (prediction, target))
    return x.values, np.asarray(y.values, float)


def labels_of(prediction: xr.DataArray, target: xr.DataArray) -> dict[str, Shaped[np.ndarray, " presentation"]]:
    """Return the coordinates along presentation, those of the target first."""
    both = [*prediction.coords.items(), *target.coords.items()]
    return {str(k): v.values for k, v in both if v.dims == ("presentation",)}


def _restrict(folds: Sequence[Fold], rows: np.ndarray, n: int) -> tuple[list[Fold], list[int]]:
    """Return the folds over `rows` alone, as positions in `rows`, and which of the folds still test something."""
    if len(rows) == n:
        return list(folds), list(range(len(folds)))
    place = np.full(n, -1)
    place[rows] = np.arange(len(rows))
    kept = [Fold(*(place[part][place[part] >= 0] for part in fold)) for fold in folds]
    tested = [k for k, fold in enumerate(kept) if len(fold.test)]
    return [kept[k] for k in tested], tested


def widen_for_training(
    drawn: Float[np.ndarray, "draw neuroid"],
    values: Float[np.ndarray, " neuroid"],
    folds: Sequence[Fold],
    predict: Callable[[Fold], Float[np.ndarray, "test neuroid"]],
) -> Float[np.ndarray, "draw neuroid"]:
    """Return draws of fold-wise r, spread as r is when the mapping, too, is fitted to other presentations.

    Draws of presentations keep the predictions as they are. Whatever part of these is noise of the training rows meets
    the same pairs of presentations twice: i tests what j trained, and j tests what i trained. Without a relation that
    doubles the variance of r (the n_test / n_train of Nadeau & Bengio 2003, Machine Learning 52, 239, for folds); where
    the mapping is well known it adds nothing. The part of noise is found from thirds of the folds: two mappings, each
    fitted on one, share no noise in what they predict of the third; their correlation, over some of the neuroids, is
    carried to the number of rows that the folds train on (Spearman 1910, Brown 1910). One number serves all neuroids.

    Parameters
    ----------
    drawn, values : r under resampled presentations, and as measured.
    folds : of the presentations. Fewer than three have no thirds; all is then taken for noise, except that of a single
        fold, which shares no pair. Draws within folds of fewer than five spread too far already, and stay as they are.
    predict : returns the predictions (row, neuroid) of the test rows of one fold.
    """
    if len(folds) < 2 or np.median([len(fold.test) for fold in folds]) < _FEWEST_TO_WIDEN:
        return drawn
    noise = 1.0 if len(folds) < 3 else _share_of_noise(folds, predict)
    return np.clip(values + np.sqrt(1 + noise) * (drawn - values), -1, 1)


def _share_of_noise(folds: Sequence[Fold], predict: Callable[[Fold], np.ndarray]) -> float:
    """Return which part of the variance of predictions is due to the training rows, 0 to 1."""
    first, second, left = (np.concatenate([fold.test for fold in folds[k::3]]) for k in range(3))
    r = np.asarray(pearson(*(predict(Fold(rows, left)) for rows in (first, second))))
    alike = max(float(np.where(np.isfinite(r), r, 0.0).mean()), 0.0)
    more = np.mean([len(fold.train) for fold in folds]) / len(first)
    return 1 - float(more * alike / (1 + (more - 1) * alike))


def _widen(drawn: np.ndarray, presentations: int) -> np.ndarray:
    """Return draws (draw, neuroid), spread as far as few presentations need it."""
    return drawn if presentations >= FEW_STIMULI else np.clip(stretch_draws(drawn, presentations), -1, 1)


def _by_fold(predicted: Array, truth: Array, sizes: Sequence[int]) -> np.ndarray:
    ends = np.cumsum(sizes)
    parts = [pearson(predicted[e - s : e], truth[e - s : e]) for e, s in zip(ends, sizes, strict=True)]
    return np.stack([as_numpy(p) for p in parts])
