"""Image-level behaviour as published (Rajalingham & Issa et al. 2018, J. Neurosci. 38:7255, with later changes).

People choose between the right object and a distractor; a model gives probabilities of all objects. Both become a
sensitivity index d' for every image and distractor, and are correlated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from brainmark.brainscore.metrics.assemblies import by_split
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement, UnknownName
from brainmark.core.libraries import np, pd, scipy, xr
from brainmark.core.registry import metric
from brainmark.core.vocabulary import MetricExample, add_comparison, add_noise
from brainmark.metrics._arrays.inputs import check_filled, check_numbers
from brainmark.metrics._arrays.shapes import Float, Integer
from brainmark.metrics.statistics.averages import known_mean, weighted_mean
from brainmark.metrics.statistics.correlation import pearson

_CAP = 5.0  # d' is clipped to this


class _Table(NamedTuple):
    """Chance of choosing each object (image, choice) over the right one, and the position of the right one (image,)."""

    p: np.ndarray
    truth: np.ndarray
    images: np.ndarray
    choices: np.ndarray


@dataclass(frozen=True)
class ImageLevel:
    """Metric ``i1``, ``i1n``, ``i2`` or ``i2n``; with `objects` the metric ``o1`` or ``o2``.

    Attributes
    ----------
    collapse : average over distractors (i1); over the other objects (o1).
    normalize : take off the mean of all images of an object (the n-variants).
    repetitions : times that the trials of people are halved at random, seed 0; a model is compared with the first half.
    objects : sensitivity for pairs of objects instead of images.
    """

    collapse: bool = False
    normalize: bool = True
    repetitions: int = 2
    objects: bool = False

    def __call__(self, prediction: xr.DataArray, trials: xr.DataArray) -> Comparison:
        """Correlate a model's d' with people's.

        Parameters
        ----------
        prediction : probabilities (presentation, choice), one presentation an image.
        trials : chosen label of each trial (presentation,) with coordinates ``stimulus_id``, ``truth`` (the label of
            the image), ``sample_obj`` and ``dist_obj`` (the two labels offered).

        Raises
        ------
        InvalidMeasurement : a half of the trials lacks images or choices of the model.
        """
        coded = _CodedTrials.of(trials)
        halves = [coded.table(first, self.objects) for first, _ in _draw_halves(trials.size, self.repetitions)]
        model = self._indices(_tabulate_model(prediction, coded))
        return self._compare([(model, self._indices(half)) for half in halves], trials)

    def ceiling(self, trials: xr.DataArray) -> Comparison:
        """Correlate the d' of random halves of the trials; no correction for their length."""
        coded = _CodedTrials.of(trials)
        pairs = [
            (self._indices(coded.table(first, self.objects)), self._indices(coded.table(second, self.objects)))
            for first, second in _draw_halves(trials.size, self.repetitions)
        ]
        return self._compare(pairs, trials)

    def _compare(self, pairs: list[tuple[_Indices, _Indices]], trials: xr.DataArray) -> Comparison:
        values = np.array([[_correlate(one, other)] for one, other in pairs])
        made = by_split(values, trials, dim="population")
        error = float(np.std(values))  # published: not divided by the root of their number
        return replace(made, details=made.details | {"error": error})

    def _indices(self, table: _Table) -> _Indices:
        if self.objects:
            d = object_dprimes(table.p, table.truth)
            return _Indices(known_mean(d.T) if self.collapse else d, table.images, table.choices)
        d = dprimes(table.p, table.truth)
        if self.normalize:
            d = d - _average_by_object(d, table.truth)[table.truth]
        if self.collapse:
            d = known_mean(d)
        return _Indices(d, table.images, table.choices)


class _Indices(NamedTuple):
    d: np.ndarray
    images: np.ndarray
    choices: np.ndarray


def dprimes(
    p: Float[np.ndarray, "image choice"], truth: Integer[np.ndarray, " image"]
) -> Float[np.ndarray, "image choice"]:
    """Return the sensitivity d' of every image and distractor.

    Parameters
    ----------
    p : (image, choice), chance of choosing the distractor rather than the object of the image; NaN: not known, and
        where the choice is the object.
    truth : (image,), the column of the object.

    Returns
    -------
    (image, choice): z(1 - p) less z of the mean p over images of the distractor for which the object was chosen,
    clipped to -5 .. 5. NaN where both are certain in the same way; `brainmark.metrics.behavior.patterns` has 0 there.
    """
    false_alarms = _average_by_object(p, truth)  # (object, choice)
    with np.errstate(invalid="ignore"):
        d = scipy.special.ndtri(1 - p) - scipy.special.ndtri(false_alarms.T[truth])
    return np.clip(d, -_CAP, _CAP)


def object_dprimes(
    p: Float[np.ndarray, "image choice"], truth: Integer[np.ndarray, " image"]
) -> Float[np.ndarray, "choice choice"]:
    """Return the sensitivity d' of every pair of objects (choice, choice), the same in both directions.

    It is NaN on the diagonal.

    z of the mean chance that images of one object are told from the other, less z of the mean chance of taking images
    of the other for it. Parameters as in `dprimes`.
    """
    false_alarms = _average_by_object(p, truth)
    with np.errstate(invalid="ignore"):
        return np.clip(scipy.special.ndtri(1 - false_alarms.T) - scipy.special.ndtri(false_alarms), -_CAP, _CAP)


def _average_by_object(
    values: Float[np.ndarray, "image choice"], truth: Integer[np.ndarray, " image"]
) -> Float[np.ndarray, "choice choice"]:
    """Average over the images of each object, (choice, choice); NaN does not count."""
    return weighted_mean((truth[:, None] == np.arange(values.shape[1])).astype(float), values)


@dataclass(frozen=True)
class _CodedTrials:
    """Trials with labels as numbers."""

    image: np.ndarray
    chosen: np.ndarray
    offered: tuple[np.ndarray, np.ndarray]
    truth: np.ndarray  # of each image
    images: np.ndarray
    choices: np.ndarray

    @classmethod
    def of(cls, trials: xr.DataArray) -> _CodedTrials:
        lacking = {"stimulus_id", "truth", "sample_obj", "dist_obj"} - set(map(str, trials.coords))
        if trials.ndim != 1 or lacking:
            raise InvalidMeasurement(
                f"trials have dimensions {trials.dims} and lack {', '.join(sorted(lacking)) or '-'}"
            )
        image, images = pd.factorize(trials.coords["stimulus_id"].values, sort=True)
        labels = [trials.coords[c].values for c in ("sample_obj", "dist_obj", "truth")]
        chosen, choices = pd.factorize(trials.values, sort=True)
        index = pd.Index(choices)
        sample, other, truth = (index.get_indexer(pd.Index(v)) for v in labels)
        if (truth < 0).any():
            raise InvalidMeasurement("some objects were never chosen: their images have no d'")
        of_image = np.empty(len(images), int)
        of_image[image[::-1]] = truth[::-1]
        return cls(image, chosen, (sample, other), of_image, np.asarray(images), np.asarray(choices))

    def table(self, rows: np.ndarray, pooled: bool) -> _Table:
        """Return choices over offers of each object, from some trials; `pooled` over images, of which some may lack."""
        shape = len(self.images), len(self.choices)
        lacking = len(np.unique(self.image[rows])) < shape[0] and not pooled
        if lacking or len(np.unique(self.chosen[rows])) < shape[1]:
            raise InvalidMeasurement("half of the trials lacks images or choices that the other half has")
        chosen, offered = np.zeros(shape), np.zeros(shape)
        np.add.at(chosen, (self.image[rows], self.chosen[rows]), 1)
        for label in self.offered:
            inside = rows[label[rows] >= 0]
            np.add.at(offered, (self.image[inside], label[inside]), 1)
        p = np.where(offered > 0, chosen / np.maximum(offered, 1), np.nan)
        p[np.arange(shape[0]), self.truth] = np.nan
        return _Table(p, self.truth, self.images, self.choices)


def _tabulate_model(prediction: xr.DataArray, trials: _CodedTrials) -> _Table:
    check_filled(prediction, "prediction")
    check_numbers(prediction.values, "prediction")
    images = pd.Index(prediction.coords["stimulus_id"].values)
    if not images.is_unique:
        raise InvalidMeasurement(
            f"stimulus_id {images[images.duplicated()][0]!r} stands more than once in the prediction"
        )
    choices = pd.Index(prediction.coords["choice"].values)
    rows, columns = images.get_indexer(pd.Index(trials.images)), choices.get_indexer(pd.Index(trials.choices))
    if (rows < 0).any() or (columns < 0).any() or len(images) != len(rows) or len(choices) != len(columns):
        raise InvalidMeasurement("the images or choices of the model differ from those of the people")
    p = prediction.transpose("presentation", "choice").values.astype(float)[np.ix_(rows, columns)]
    right = p[np.arange(len(p)), trials.truth]
    with np.errstate(invalid="ignore", divide="ignore"):
        p = p / (p + right[:, None])
    p[np.arange(len(p)), trials.truth] = np.nan
    return _Table(p, trials.truth, trials.images, trials.choices)


def _draw_halves(count: int, repetitions: int) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.RandomState(0)
    halves: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(repetitions):
        order = np.arange(count)
        generator.shuffle(order)
        halves.append((order[: count // 2], order[count // 2 :]))
    return halves


def _correlate(one: _Indices, other: _Indices) -> float:
    x, y = one.d.ravel(), other.d.ravel()
    known = np.isfinite(x) & np.isfinite(y)
    return float(pearson(x[known, None], y[known, None])[0]) if known.sum() > 1 else float("nan")


FORMS = {  # name: averaged over distractors (other objects), less the mean of each object and distractor, of objects
    "i1": ImageLevel(collapse=True, normalize=False),
    "i1n": ImageLevel(collapse=True, normalize=True),
    "i2": ImageLevel(collapse=False, normalize=False),
    "i2n": ImageLevel(collapse=False, normalize=True),
    "o1": ImageLevel(collapse=True, normalize=False, objects=True),
    "o2": ImageLevel(collapse=False, normalize=False, objects=True),
}


@add_comparison("object trials")
def object_trials(count: int, generator: np.random.Generator) -> MetricExample:
    """Return probabilities of 4 objects, and many choices between the right one and another."""
    objects, ids = np.array(["ant", "bee", "cat", "dog"]), np.array([f"image-{i:03d}" for i in range(count)])
    truth = np.arange(count) % 4
    evidence = generator.standard_normal((count, 4)) + 1.5 * np.eye(4)[truth]
    image = np.repeat(np.arange(count), 120)
    other = (truth[image] + 1 + generator.integers(3, size=len(image))) % 4
    right = generator.random(len(image)) < 1 / (1 + np.exp(evidence[image, other] - evidence[image, truth[image]]))
    columns = {"stimulus_id": ids[image], "truth": objects[truth[image]], "sample_obj": objects[truth[image]]}
    columns |= {"dist_obj": objects[other]}
    trials = xr.DataArray(
        objects[np.where(right, truth[image], other)],
        dims="presentation",
        coords={name: ("presentation", values) for name, values in columns.items()},
    )
    shares = np.exp(evidence) / np.exp(evidence).sum(1, keepdims=True)
    coords = {"stimulus_id": ("presentation", ids), "choice": objects}
    answers = xr.DataArray(shares, dims=("presentation", "choice"), coords=coords)
    return MetricExample(answers, trials, chosen=True, disturb=lambda *given: abs(add_noise(*given)))


@metric(
    "brainscore-image-level",
    summary="Which images are taken for which objects (i1 to i2n; o1, o2: objects), as Brain-Score publishes it.",
    cite="rajalingham2018", compares="object trials", domain="vision", tags=("behavior", "brainscore"),
)  # fmt: skip
def image_level(form: str = "i2n") -> ImageLevel:
    """Return the metric of a published name: ``i1`` ... ``o2``. Raises UnknownName."""
    if form not in FORMS:
        raise UnknownName("form of image-level behaviour", form, FORMS)
    return FORMS[form]
