"""Metrics over time after a stimulus: predictivity bin by bin, and when an object is recognised."""

from __future__ import annotations

from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import InvalidMeasurement, NotApplicable
from brainmark.core.libraries import np, scipy, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import along_presentations, check_filled, check_numbers, check_same_stimuli
from brainmark.metrics._arrays.shapes import Float, Integer, Real, Shaped
from brainmark.metrics.behavior.judgements import judgement_correlation
from brainmark.metrics.behavior.patterns import pairwise_shares, sensitivities
from brainmark.metrics.similarity.crossnobis import shrinkage
from brainmark.metrics.statistics.splits import Fold, Splitter, Stratified

TEN_STRATIFIED_FOLDS = Stratified("object")


@metric(
    "solution_times", summary="Correlates when a population over time solves each stimulus with when a brain does.",
    cite="kar2019", compares="solution times", chance=None, domain="vision", tags=("temporal",),
)  # fmt: skip
def solution_times(
    truth: str = "label",
    threshold: str = "threshold",
    splits: Splitter | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Metric:
    """Correlate when a population solves each image with when a brain does (Kar et al. 2019, Nat. Neurosci.).

    In every time bin a linear classifier is trained on the population and tested on left-out images; an image is solved
    when the sensitivity i1 of its predicted label reaches what primates reach with it. The model's times correlate
    (Spearman) with the brain's over the images that both solve.

    The prediction is a recording (presentation, neuroid, time_bin), the target holds the brain's solution times in ms
    (presentation,), NaN: never solved.

    Parameters
    ----------
    truth, threshold : coordinates of the target along presentation: the label of each image, and the sensitivity i1 of
        primates with it.
    splits : of images for training and testing; None: ten folds of equal label shares.
    resamples : bootstrap draws of images; 0: no replicates.
    seed : of the draws.

    Returns
    -------
    Comparison with one value; NaN if fewer than three images are solved, or all at once. ``details`` has the share of
    images that the model solves: a weak one is judged on easy images only.

    Raises
    ------
    NotApplicable : the answer is alike in all time bins: a model without dynamics has no solution times.
    InvalidMeasurement : other images on both sides, or in another order; NaN in the prediction.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        check_filled(prediction, "prediction")
        check_filled(target, "target")
        check_numbers(target.values, "target", missing=True)
        if set(prediction.dims) != {"presentation", "neuroid", "time_bin"}:
            raise InvalidMeasurement(
                f"solution times need (presentation, neuroid, time_bin), not {tuple(prediction.dims)}"
            )
        check_same_stimuli(prediction, target)
        labels, needed = along_presentations(target, truth), along_presentations(target, threshold).astype(float)
        values = prediction.transpose("time_bin", "presentation", "neuroid").values
        check_numbers(values, "prediction")
        if len(values) < 2 or (values == values[:1]).all():
            raise NotApplicable("the model answers alike in all time bins: without dynamics it has no solution times")
        middle = _middle(prediction)
        reached = sensitivity_over_time(values, labels, splits)
        solved = first_crossing(reached, needed, middle)
        both = np.isfinite(solved) & np.isfinite(target.values.astype(float))
        # Draws are over all images, so that they pair with those of other metrics; images not solved drop out of them.
        measured = target.copy(data=np.where(both, target.values.astype(float), np.nan))
        filled = target.copy(data=np.where(both, solved, 0.0))
        nothing = Comparison(
            xr.DataArray([np.nan], dims=("judgement",)),
            replicates=np.full((resamples, 1), np.nan) if resamples else None,
        )
        found = judgement_correlation("spearman", resamples, seed)(filled, measured) if both.any() else nothing
        return Comparison(
            found.values,
            replicates=found.replicates,
            center="mean",
            details={"share of images solved": float(np.isfinite(solved).mean()), "images compared": float(both.sum())},
        )

    return metric


def sensitivity_over_time(
    values: Real[np.ndarray, "time_bin presentation neuroid"],
    labels: Shaped[np.ndarray, " presentation"],
    splits: Splitter | None = None,
) -> Float[np.ndarray, "time_bin presentation"]:
    """Return the image-level sensitivity i1 (time_bin, presentation) of labels decoded from a population.

    Parameters
    ----------
    values : (time_bin, presentation, neuroid)
    labels : (presentation,)
    splits : of presentations; they see the labels as ``object``. None: ten folds of equal label shares.
    """
    classes, truth = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InvalidMeasurement("a classifier needs at least two labels")
    folds = (splits or TEN_STRATIFIED_FOLDS)(len(labels), {"object": np.asarray(labels)})
    result = np.full(values.shape[:2], np.nan)
    for t, population in enumerate(values):
        shares = np.full((len(labels), len(classes)), np.nan)
        for fold in folds:
            shares[fold.test] = discriminant_probabilities(population, truth, fold, len(classes))
        tested = np.isfinite(shares).all(axis=1)
        pairwise = pairwise_shares(shares[tested], truth[tested])
        result[t, tested] = sensitivities(pairwise, truth[tested], "i1")
    return result


def discriminant_probabilities(
    population: Real[np.ndarray, "presentation neuroid"],
    truth: Integer[np.ndarray, " presentation"],
    fold: Fold,
    classes: int,
) -> Float[np.ndarray, "test class"]:
    """Return the probability of each class for the test rows: linear discriminants with a shrunk covariance.

    The covariance within classes is shrunk towards its mean variance by Ledoit & Wolf's estimate; classes are equally
    likely beforehand. Classes without a training row get probability 0.

    Parameters
    ----------
    population : (presentation, neuroid)
    truth : (presentation,) class of each row, 0 to `classes` - 1.
    fold : training and test rows.
    """
    x, y = population[fold.train].astype(float), truth[fold.train]
    table = (y[:, None] == np.arange(classes)).astype(float)
    number = table.sum(axis=0)
    means = table.T @ x / np.maximum(number, 1)[:, None]
    within = x - means[y]
    level, share = shrinkage(within)
    if not level > 0:
        return np.full((len(fold.test), classes), 1 / classes)
    # (share level I + (1 - share) W'W / n)^-1 (means' - grand mean), by Woodbury where neuroids outnumber rows.
    centred = means - means[number > 0].mean(axis=0)
    ridge = max(share, 1e-6) * level
    weights = _ridge_solve(within * np.sqrt((1 - share) / len(x)), ridge, centred)
    scores = (population[fold.test] - means[number > 0].mean(axis=0)) @ weights.T - 0.5 * (centred * weights).sum(
        axis=1
    )
    return scipy.special.softmax(np.where(number > 0, scores, -np.inf), axis=1)


def _ridge_solve(root: np.ndarray, ridge: float, right: np.ndarray) -> np.ndarray:
    """Return the rows of ``right (root' root + ridge I)^-1``, in the smaller of the two sizes of `root`."""
    rows, columns = root.shape
    if columns <= rows:
        return np.linalg.solve(root.T @ root + ridge * np.eye(columns), right.T).T
    inner = np.linalg.solve(root @ root.T + ridge * np.eye(rows), root @ right.T)
    return (right - inner.T @ root) / ridge


def first_crossing(
    reached: Real[np.ndarray, "time_bin presentation"],
    needed: Real[np.ndarray, " presentation"],
    times: Real[np.ndarray, " time_bin"],
) -> Float[np.ndarray, " presentation"]:
    """Return the first time at which each column reaches what it needs, (presentation,); NaN: never.

    `reached` is (time_bin, presentation); between the last bin below and the first at or above, time is interpolated
    linearly. Solved in the first bin: the time of that bin.
    """
    with np.errstate(invalid="ignore"):
        above = reached >= needed
    first = above.argmax(axis=0)
    each = np.arange(reached.shape[1])
    before = np.maximum(first - 1, 0)
    low, high = reached[before, each], reached[first, each]
    rise = high - low
    part = np.where((first > 0) & (rise > 0), (needed - low) / np.where(rise > 0, rise, 1), 1.0)
    time = times[before] + np.where(np.isfinite(part), part, 1.0) * (times[first] - times[before])
    return np.where(above.any(axis=0), time, np.nan)


def _middle(prediction: xr.DataArray) -> np.ndarray:
    start, end = (np.asarray(prediction.coords[c].values, float) for c in ("time_bin_start", "time_bin_end"))
    return (start + end) / 2
