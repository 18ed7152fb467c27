"""Haemodynamic delay: turns features of words into regressors for the volumes of a scanner.

The prediction is word by word, (presentation, neuroid) or (presentation,), with the onsets of the words as a
coordinate; the target is one run, (time_bin, neuroid[, repetition]). The response to a word begins when it is heard and
peaks seconds later: with a known response (`Canonical`) each unit of the model becomes one regressor, with `Delays` one
for each delay, so that the shape is fitted as well. Volumes then take the place of presentations.

Neighbouring volumes resemble each other. Folds are blocks in time, with a gap of the length of the response between
training and test; the draws for the interval are of blocks, too.

Several runs follow one another along time_bin. A coordinate ``run`` (and ``session``) along time_bin, and along
presentation, says what belongs together: words act on volumes of their own run only. Volumes may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, scipy, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import check_filled, check_numbers, group_columns, unit_coordinates
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.language.reading import partial_correlations
from brainmark.metrics.regression.banded import UniqueVariance
from brainmark.metrics.regression.predictivity import Predictivity, ridge
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.statistics.resampling import resample
from brainmark.metrics.statistics.splits import Shuffled, Splitter
from brainmark.metrics.time.runs import BlocksInTime, assign_words

BLOCK = 16
"""Volumes of 2 s in a canonical response: the gap between training and test, and what is drawn together."""
FIVE_BLOCKS = BlocksInTime(5, gap=BLOCK)


@dataclass(frozen=True)
class Canonical:
    """Response to a moment: the difference of two gamma densities (Friston et al. 1998, NeuroImage 7:30).

    Attributes
    ----------
    peak, undershoot : shapes of the densities; with a scale of 1 s, the modes lie one second before.
    ratio : of undershoot to peak.
    length : in s, after which there is no response.
    """

    peak: float = 6.0
    undershoot: float = 16.0
    ratio: float = 1 / 6
    length: float = 32.0

    def at(self, seconds: Real[np.ndarray, " *grid"]) -> Float[np.ndarray, " *grid"]:
        """Return the response so many seconds after the event, in arbitrary units; 0 before it and after `length`."""
        seconds = np.asarray(seconds, float)
        inside = (seconds >= 0) & (seconds <= self.length)
        return np.where(
            inside,
            scipy.stats.gamma.pdf(seconds, self.peak) - self.ratio * scipy.stats.gamma.pdf(seconds, self.undershoot),
            0.0,
        )

    def weigh(
        self, after: Real[np.ndarray, "time_bin word"], length: Real[np.ndarray, "time_bin 1"]
    ) -> list[Float[np.ndarray, "time_bin word"]]:
        """Return the weights of the words, sampled where volumes begin; see `make_regressors`."""
        del length
        return [self.at(-after / 1000)]


@dataclass(frozen=True)
class Delays:
    """Finite impulse response: what was heard in a volume acts on later ones, each delay with weights of its own.

    Attributes
    ----------
    bins : delays in volumes (Huth et al. 2016, Nature 532:453, take 1 to 4 volumes of 2 s): so many times the length of
        a volume, whether or not the volumes between were measured.
    """

    bins: tuple[int, ...] = (1, 2, 3, 4)

    def weigh(
        self, after: Real[np.ndarray, "time_bin word"], length: Real[np.ndarray, "time_bin 1"]
    ) -> list[Float[np.ndarray, "time_bin word"]]:
        """Return for each delay which words fall into the volume so long before; see `make_regressors`."""
        if min(self.bins) < 0:
            raise InvalidMeasurement(f"a response cannot come before the word: delays {self.bins}")
        return [((after >= -d * length) & (after < (1 - d) * length)).astype(float) for d in self.bins]


Response = Canonical | Delays
CANONICAL = Canonical()


def make_regressors(
    response: Response,
    values: Real[np.ndarray, "word _"],
    onsets: Real[np.ndarray, " word"],
    start: Real[np.ndarray, " time_bin"],
    end: Real[np.ndarray, " time_bin"],
) -> Float[np.ndarray, "time_bin _"]:
    """Return the values of words as a haemodynamic response spreads them over volumes, (time_bin, p x delays).

    `response.weigh` takes the onsets after the beginning of each volume, (time_bin, word), and the lengths of the
    volumes, (time_bin, 1), all in ms; it returns weights (time_bin, word), one array for each delay.
    """
    weights = response.weigh(onsets[None, :] - start[:, None], (end - start)[:, None])
    return np.concatenate([one @ values for one in weights], axis=1)


@dataclass(frozen=True)
class Haemodynamic:
    """Metric: apply a metric of recordings to volumes, after the words' values were delayed.

    Attributes
    ----------
    metric : of recordings (presentation, neuroid), volumes in the place of presentations.
    response : the delay.
    onset : coordinate of the prediction along presentation, ms on the clock of the target.
    """

    metric: Metric
    response: Response = CANONICAL
    onset: str = "onset"

    def __call__(self, prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        """Compare words with volumes.

        Raises
        ------
        InvalidMeasurement : no onsets, other dimensions; what the metric refuses.
        """
        return self.compare(delay(prediction, target, self.response, self.onset), target)

    def compare(self, regressors: Real[np.ndarray, "time_bin _"], target: xr.DataArray) -> Comparison:
        """Compare regressors (time_bin, p) that are delayed already; of a mapping, the folds' effect is a detail."""
        features, volumes = _features(regressors), as_presentations(target)
        found = self.metric(features, volumes)
        if not isinstance(self.metric, Predictivity):
            return found
        folds = getattr(self.metric.splits, "folds", 5)
        mixed = replace(self.metric, splits=Shuffled(folds, self.metric.seed), resamples=0)(features, volumes)
        apart = np.nan_to_num(found.aggregate())  # what is constant in contiguous folds explains nothing there
        more = {"r with shuffled folds": mixed.aggregate(), "gap": mixed.aggregate() - apart}
        return replace(found, details={**found.details, **more})


def ceiling_in_volumes(ceiling: Ceiling, nuisance: Sequence[str] = ()) -> Ceiling:
    """Apply a ceiling of recordings to volumes, after the nuisance was taken from every repetition."""

    def over_volumes(target: xr.DataArray) -> Comparison:
        volumes = as_presentations(target)
        if nuisance:
            design = np.column_stack([np.ones(target.sizes["time_bin"]), _standardize(_nuisance(target, nuisance))])
            first = volumes.transpose("presentation", ...)
            flat = first.values.reshape(len(design), -1).astype(float)
            for rows, columns in group_columns(flat):  # volumes that were not measured stay unknown
                part = flat[rows[:, None], columns]
                fitted = design[rows] @ np.linalg.lstsq(design[rows], part, rcond=1e-10)[0] if len(rows) else 0.0
                flat[rows[:, None], columns] = part - fitted
            volumes = first.copy(data=flat.reshape(first.shape))
        return ceiling(volumes)

    return over_volumes


def volumes_ceiling(nuisance: Sequence[str] = (), resamples: int = 1000, seed: int = 0) -> Ceiling:
    """Return the split-half ceiling of volumes, drawn in blocks, after the nuisance was taken from every repetition."""
    return ceiling_in_volumes(split_half(resamples=resamples, seed=seed, block=BLOCK), nuisance)


@metric(
    "bold_ridge",
    summary="Cross-validated r of each time course, predicted from words delayed as blood flow is, by ridge.",
    cite="friston1998 huth2016", compares="series", ceiling=volumes_ceiling, ceiling_over=("repetition",),
    domain="language", on_device=True, tags=("regression", "temporal"),
    version=2,
)  # fmt: skip
def bold_ridge(
    response: Response | None = None, splits: Splitter | None = None, resamples: int = 1000, seed: int = 0
) -> Haemodynamic:
    """Return ridge regression over volumes; `splits` None: five blocks in time with a gap."""
    mapping = replace(ridge(splits=splits or FIVE_BLOCKS, resamples=resamples, seed=seed), block=BLOCK)
    return Haemodynamic(mapping, response or CANONICAL)


@metric(
    "bold_unique", summary="Held-out variance of time courses that delayed words explain beyond nuisance regressors.",
    cite="friston1998 deheer2017", compares="series", domain="language", chance=None,
    tags=("regression", "temporal", "nuisance"),
)  # fmt: skip
@dataclass(frozen=True)
class UniqueInVolumes:
    """Metric: held-out variance of volumes that a model explains beyond nuisance regressors (`UniqueVariance`).

    Attributes
    ----------
    nuisance : coordinates of the target along time_bin, delayed already; none: the delayed number of words.
    splits, resamples, seed, block : see `UniqueVariance`.
    """

    nuisance: Sequence[str] = ()
    response: Response = CANONICAL
    splits: Splitter | None = None
    resamples: int = 1000
    seed: int = 0
    block: int = BLOCK

    def __call__(self, prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        """Compare words with volumes.

        Raises
        ------
        InvalidMeasurement : the same values for all words; what `UniqueVariance` and `delay` refuse.
        """
        regressors = delay(prediction, target, self.response)
        if not bool((prediction.max("presentation") > prediction.min("presentation")).any()):  # NaN aside
            raise InvalidMeasurement("the prediction is the same for all words")
        nuisance = _nuisance(target, self.nuisance)
        if not self.nuisance:
            words = prediction.isel(neuroid=slice(0, 1)) if "neuroid" in prediction.dims else prediction
            nuisance = delay(words.copy(data=np.ones(words.shape)), target, self.response)
        nuisance = _standardize(nuisance)
        metric = UniqueVariance(
            {"nuisance": nuisance}, self.splits or FIVE_BLOCKS, self.resamples, self.seed, 8, self.block
        )
        return metric(_features(regressors), as_presentations(target))


@metric(
    "bold_partial",
    summary="Correlates one delayed value a word (surprisal) with time courses, given nuisance regressors.",
    cite="friston1998", compares="timed judgements", ceiling=volumes_ceiling, ceiling_over=("repetition",),
    domain="language", tags=("temporal", "nuisance"),
)  # fmt: skip
@dataclass(frozen=True)
class PartialInVolumes:
    """Metric: correlation of one delayed value a word (surprisal) with volumes, without the nuisance on both sides.

    Values count as they differ from their mean over words: that there are words at all is what the nuisance is for.

    Attributes
    ----------
    nuisance : coordinates of the target along time_bin, delayed already; none: Pearson's r.
    resamples, seed, block : draws of volumes.
    """

    nuisance: Sequence[str] = ()
    response: Response = CANONICAL
    resamples: int = 1000
    seed: int = 0
    block: int = BLOCK

    def __call__(self, prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        """Compare one value a word, (presentation,), with volumes (time_bin, neuroid)."""
        if prediction.dims != ("presentation",) or not isinstance(self.response, Canonical):
            raise InvalidMeasurement(f"one value a word and one regressor are correlated, not {tuple(prediction.dims)}")
        x = delay(prediction - prediction.mean("presentation", skipna=True), target, self.response)[:, 0]
        volumes = as_presentations(target).transpose("presentation", "neuroid").values
        check_numbers(volumes, "target", missing=True)
        removed = list(_nuisance(target, self.nuisance).T)
        everyone = np.arange(len(x))

        def partial(removed: list[np.ndarray], counts: np.ndarray) -> np.ndarray:
            courses = volumes.T.astype(float)
            return np.stack([partial_correlations(removed, x, y, everyone, counts) for y in courses], axis=1)

        raw = partial([], np.ones((1, len(x))))

        def statistic(counts: np.ndarray) -> np.ndarray:
            return partial(removed, counts)

        return resample(
            statistic,
            len(x),
            self.resamples,
            self.seed,
            unit_coordinates(target),
            block=min(self.block, len(x)),
            center="median",
            details={"r": float(np.nanmedian(raw))} if np.isfinite(raw).any() else {},
        )


def delay(
    prediction: xr.DataArray, target: xr.DataArray, response: Response = CANONICAL, onset: str = "onset"
) -> Float[np.ndarray, "time_bin _"]:
    """Return the regressors (time_bin, p) of words' values; a word without a value (NaN) has the mean of the others.

    Raises
    ------
    InvalidMeasurement : the prediction has no onsets, the target is no run, or what `runs.assign_words` refuses.
    """
    if onset not in prediction.coords or prediction.coords[onset].dims != ("presentation",):
        raise InvalidMeasurement(
            f"prediction has no coordinate {onset!r} along 'presentation': which gives the time of each word"
        )
    if "time_bin" not in target.dims or "presentation" in target.dims:
        raise InvalidMeasurement(f"target has dimensions {tuple(target.dims)}; a run must have (time_bin, neuroid)")
    check_filled(prediction, "prediction")
    if not {"presentation"} <= set(prediction.dims) <= {"presentation", "neuroid"}:
        raise InvalidMeasurement(f"prediction has dimensions {tuple(prediction.dims)}, not (presentation[, neuroid])")
    wide = prediction if "neuroid" in prediction.dims else prediction.expand_dims("neuroid", axis=1)
    values = np.asarray(wide.transpose("presentation", "neuroid").values, float)
    check_numbers(values, "prediction", missing=True)
    silent = np.isnan(values)
    if silent.any():
        known = np.where(silent, 0, values).sum(axis=0) / np.maximum((~silent).sum(axis=0), 1)
        values = np.where(silent, known, values)
    start, end = (np.asarray(target.coords[f"time_bin_{side}"].values, float) for side in ("start", "end"))
    onsets = np.asarray(prediction.coords[onset].values, float)
    if not np.isfinite(onsets).all():
        word = int(np.flatnonzero(~np.isfinite(onsets))[0])
        raise InvalidMeasurement(f"prediction: {onset!r} of word {word} is {onsets[word]}; give its time in ms")
    of_words, of_volumes = assign_words(onsets, _along(prediction, "presentation"), start, _along(target, "time_bin"))
    runs = np.unique(of_volumes)
    if len(runs) == 1 and (of_words == runs[0]).all():
        return make_regressors(response, values, onsets, start, end)
    parts = [(np.flatnonzero(of_volumes == run), of_words == run) for run in runs]
    series = [make_regressors(response, values[heard], onsets[heard], start[rows], end[rows]) for rows, heard in parts]
    made = np.empty((len(start), series[0].shape[1]))
    for (rows, _), part in zip(parts, series, strict=True):
        made[rows] = part
    return made


def _along(array: xr.DataArray, dim: str) -> dict[str, np.ndarray]:
    return {str(name): coord.values for name, coord in array.coords.items() if coord.dims == (dim,)}


def as_presentations(target: xr.DataArray) -> xr.DataArray:
    """Return a run (time_bin, neuroid[, repetition]) with its volumes as presentations."""
    volumes = target.rename(time_bin="presentation")
    names = [f"volume {k + 1}" for k in range(target.sizes["time_bin"])]
    return volumes.assign_coords(stimulus_id=("presentation", names))


def _features(regressors: Real[np.ndarray, "time_bin _"]) -> xr.DataArray:
    count, width = regressors.shape
    return xr.DataArray(
        regressors,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", [f"volume {k + 1}" for k in range(count)]),
            "neuroid_id": ("neuroid", [f"regressor {k + 1}" for k in range(width)]),
        },
    )


def _nuisance(target: xr.DataArray, names: Sequence[str]) -> Float[np.ndarray, "time_bin _"]:
    for name in names:
        if name not in target.coords or target.coords[name].dims != ("time_bin",):
            raise InvalidMeasurement(f"target has no coordinate {name!r} along 'time_bin'")
    columns = [np.asarray(target.coords[name].values, float) for name in names]
    return np.stack(columns, axis=1) if columns else np.empty((target.sizes["time_bin"], 0))


def _standardize(columns: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    spread = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
