"""Object solution times as published: ``ost`` (Kar et al. 2019; Kubilius, Schrimpf et al. 2019, NeurIPS).

Everything follows the published code but one thing: its decoder starts from weights that TensorFlow's generator draws,
and its short training (760 small steps) does not forget them. Here the same distribution is drawn by NumPy's, so a
score agrees up to the choice of the starting weights, not number for number.
"""

from __future__ import annotations

from dataclasses import dataclass

from brainmark.brainscore.metrics.assemblies import by_split
from brainmark.brainscore.metrics.behavior import dprimes
from brainmark.brainscore.metrics.splits import shuffle_splits
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement, NotApplicable
from brainmark.core.libraries import np, scipy, xr
from brainmark.core.registry import metric
from brainmark.core.vocabulary import MetricExample, add_comparison
from brainmark.metrics._arrays.inputs import check_filled, check_numbers
from brainmark.metrics._arrays.shapes import Float, Integer, Real

_TRUNCATED = 0.87962566103423978  # standard deviation of a standard normal cut off at 2


@dataclass(frozen=True)
class Decoder:
    """A linear softmax decoder of standardised responses, trained by Adam (Kingma & Ba 2015) for a few epochs.

    The loss is the mean cross-entropy of a batch + decay / 2 times the squared weights and biases. Biases start at 1,
    weights at draws of a normal distribution of variance 1 / inputs that is cut off at two standard deviations.
    """

    rate: float = 1e-4
    epochs: int = 40
    batch: int = 64
    decay: float = 0.463
    tolerance: float = 1e-4
    seed: int = 0

    def probabilities(
        self,
        train: Real[np.ndarray, "row neuroid"],
        labels: Integer[np.ndarray, " row"],
        test: Real[np.ndarray, "test neuroid"],
    ) -> Float[np.ndarray, "test class"]:
        """Return the probability of each class for test rows (row, class).

        Parameters
        ----------
        train, test : (row, neuroid)
        labels : (row,) class of each training row, 0, 1, ...
        """
        middle, spread = train.mean(axis=0), train.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        weights = self._fit(((train - middle) / spread).astype(np.float32), labels)
        return scipy.special.softmax(_append_ones(((test - middle) / spread).astype(np.float32)) @ weights, axis=1)

    def _fit(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the weights (neuroid + 1, class); the last row are the biases."""
        classes = int(labels.max()) + 1
        wanted = np.eye(classes, dtype=np.float32)[labels]
        weights = np.vstack([self._draw_weights(x.shape[1], classes), np.ones((1, classes), np.float32)])
        x = _append_ones(x)
        first, second = np.zeros_like(weights), np.zeros_like(weights)
        shuffling, rows, step, loss = np.random.RandomState(0), np.arange(len(x)), 0, np.inf
        for _ in range(self.epochs):
            order = rows.copy()
            shuffling.shuffle(order)
            for start in range(0, len(x), self.batch):
                chosen = order[start : start + self.batch]
                logs = scipy.special.log_softmax(x[chosen] @ weights, axis=1)
                slope = x[chosen].T @ ((np.exp(logs) - wanted[chosen]) / len(chosen)) + self.decay * weights
                loss = -(logs * wanted[chosen]).sum() / len(chosen)
                step += 1
                first += 0.1 * (slope - first)
                second += 0.001 * (slope**2 - second)
                rate = self.rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                weights -= np.float32(rate) * first / (np.sqrt(second) + np.float32(1e-8))
            if loss < self.tolerance:  # of the last batch, as published
                break
        return weights

    def _draw_weights(self, inputs: int, classes: int) -> np.ndarray:

        drawn = scipy.stats.truncnorm.rvs(-2, 2, size=(inputs, classes), random_state=self.seed)
        return (drawn / (np.sqrt(inputs) * _TRUNCATED)).astype(np.float32)


@dataclass(frozen=True)
class SolutionTimes:
    """Metric ``ost``: Spearman correlation of the times at which a model and IT solve images, over random splits.

    Attributes
    ----------
    truth, threshold : coordinates of the target: label of each image; sensitivity that primates reach with it.
    splits, test_size : of the random splits of images; the decoder is trained on the rest.
    """

    truth: str = "image_label"
    threshold: str = "i1"
    splits: int = 10
    test_size: float = 0.1
    decoder: Decoder = Decoder()

    def __call__(self, prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        """Compare a recording (presentation, neuroid, time_bin) with solution times (presentation,) in ms.

        Raises
        ------
        NotApplicable : the recording does not change with time; published is NaN.
        InvalidMeasurement : other dimensions, a coordinate is missing, images differ.
        """
        check_filled(prediction, "prediction")
        check_numbers(prediction.values, "prediction")
        check_numbers(target.values, "target", missing=True)
        values, starts = _order_bins(prediction)
        if values.shape[0] < 2 or (values == values[:1]).all():
            raise NotApplicable("the model answers alike in all time bins: without dynamics it has no solution times")
        for name in (self.truth, self.threshold):
            if name not in target.coords:
                raise InvalidMeasurement(f"the target has no coordinate {name!r}")
        if not np.array_equal(prediction.coords["stimulus_id"].values, target.coords["stimulus_id"].values):
            raise InvalidMeasurement("stimulus_id differs between prediction and target, or stands in another order")
        labels = target.coords[self.truth].values
        needed, measured = target.coords[self.threshold].values.astype(float), target.values.astype(float)
        found: list[float] = []
        solved: list[float] = []
        for train, test in shuffle_splits(len(measured), self.splits, 1 - self.test_size, 1):
            reached = np.stack([self._measure_sensitivity(at, labels, train, test) for at in values])
            times = crossing_times(reached, needed[test], starts)
            solved.append(float(np.isfinite(times).mean()))
            found.append(_correlate_ranks(times, measured[test]))
        made = by_split(np.array(found)[:, None], target, dim="population")
        made.details["share of images solved"] = float(np.mean(solved))
        return made

    def _measure_sensitivity(
        self, at: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray
    ) -> np.ndarray:
        """Return i1 of test images: d' averaged over distractors; false alarms are counted among the test images."""
        names, first = np.unique(labels[train], return_index=True)
        names = names[np.argsort(first)]  # classes count from their first appearance, as the starting weights do
        code = {name: i for i, name in enumerate(names)}
        unknown = next((n for n in labels[test] if n not in code), None)
        if unknown is not None or len(names) < 2:
            raise InvalidMeasurement(
                f"the {len(train)} training stimuli of a split have {len(names)} labels"
                + (f", and {unknown!r} is not among them" if unknown is not None else "; two are needed")
            )
        p = self.decoder.probabilities(at[train], np.array([code[n] for n in labels[train]]), at[test])
        truth = np.array([code[n] for n in labels[test]])
        own = p[np.arange(len(test)), truth][:, None]
        share = p / (p + own)
        share[np.arange(len(test)), truth] = np.nan
        d = dprimes(share, truth)
        known = np.isfinite(d)
        return np.where(known.any(1), np.where(known, d, 0).sum(1) / np.maximum(known.sum(1), 1), np.nan)


def crossing_times(
    reached: Real[np.ndarray, "time_bin image"],
    needed: Real[np.ndarray, " image"],
    times: Real[np.ndarray, " time_bin"],
) -> Float[np.ndarray, " image"]:
    """Return the time (image,) at which what is reached (time_bin, image) first comes to what is needed; NaN: never.

    As published, the line runs from the highest value below the threshold so far, not from the bin before.
    """
    result = np.full(len(needed), np.nan)
    for i, limit in enumerate(needed):
        last: tuple[float, float] | None = None
        for time, value in zip(times, reached[:, i], strict=True):
            if value >= limit:
                result[i] = time if last is None else last[0] + (limit - last[1]) / (value - last[1]) * (time - last[0])
                break
            if value < limit and (last is None or last[1] < value):
                last = time, value
    return result


def _order_bins(prediction: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Return responses (time_bin, presentation, neuroid) and the starts of their bins, in order of time."""
    if set(prediction.dims) != {"presentation", "neuroid", "time_bin"}:
        raise InvalidMeasurement(f"solution times need (presentation, neuroid, time_bin), not {tuple(prediction.dims)}")
    starts = prediction.coords["time_bin_start"].values.astype(float)
    order = np.argsort(starts)
    return prediction.transpose("time_bin", "presentation", "neuroid").values[order], starts[order]


def _correlate_ranks(one: np.ndarray, other: np.ndarray) -> float:

    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 2 or np.ptp(one[known]) == 0 or np.ptp(other[known]) == 0:
        return np.nan
    return float(np.corrcoef(scipy.stats.rankdata(one[known]), scipy.stats.rankdata(other[known]))[0, 1])


def _append_ones(x: np.ndarray) -> np.ndarray:
    return np.hstack([x, np.ones((len(x), 1), x.dtype)])


@add_comparison("object solution times")
def object_times(count: int, generator: np.random.Generator) -> MetricExample:
    """Return neuroids that tell two objects apart from some time on, which differs between images; these times."""
    label, start, units = np.arange(count) % 2, 30.0 * np.arange(6), 200
    ids, onset = [f"image-{i:03d}" for i in range(count)], generator.uniform(0, 150, count)
    coords = {
        "stimulus_id": ("presentation", ids),
        "neuroid_id": ("neuroid", [f"unit-{i}" for i in range(units)]),
        "region": ("neuroid", ["IT"] * units),
        "time_bin_start": ("time_bin", start),
        "time_bin_end": ("time_bin", start + 30),
    }
    signal = (2.0 * label - 1)[:, None] * (start >= onset[:, None])
    noise = generator.standard_normal((count, units, 6))
    values = signal[:, None] * generator.standard_normal((units, 1)) + 0.5 * noise
    columns = {"stimulus_id": ids, "image_label": label.astype(str), "i1": np.full(count, 1.0)}
    target = xr.DataArray(onset, dims="presentation", coords={k: ("presentation", v) for k, v in columns.items()})
    prediction = xr.DataArray(values, dims=("presentation", "neuroid", "time_bin"), coords=coords)
    return MetricExample(prediction, target, chosen=True)


@metric(
    "brainscore-ost",
    summary="Whether a model solves images in the order in which IT does (ost), as Brain-Score publishes it.",
    cite="kar2019", compares="object solution times", domain="vision", chance=None,
    tags=("temporal", "brainscore", "stochastic"),
)  # fmt: skip
def published_solution_times(splits: int = 10) -> SolutionTimes:
    """Return ``ost``."""
    return SolutionTimes(splits=splits)
