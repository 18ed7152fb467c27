"""Patterns of core object recognition: how hard objects and images are, and what they are confused with.

The shares compared are those of a two-alternative task: how often `choice` was taken when it was offered next to the
true object, (presentation, choice); NaN where it was not offered. From them come sensitivities d' on four levels
(Rajalingham et al. 2018, J. Neurosci. 38:7255): o1 (one value an object), o2 (object x distractor), i1 (image),
i2 (image x distractor); their variants o2n, i1n, i2n have the mean of the coarser level subtracted.
"""

from __future__ import annotations

from itertools import cycle
from typing import Literal, get_args

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, scipy, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.inputs import check_filled, check_numbers
from brainmark.metrics._arrays.shapes import Float, Integer, Real
from brainmark.metrics.behavior.answers import label_table, probabilities
from brainmark.metrics.statistics.averages import divide, known_mean, weighted_mean
from brainmark.metrics.statistics.ceilings import spearman_brown
from brainmark.metrics.statistics.correlation import weighted_pearson
from brainmark.metrics.statistics.resampling import resample

Level = Literal["o1", "o2", "i1", "i2", "o2n", "i1n", "i2n"]

_TOO_MANY_EXTREMES = 0.05
_LARGEST = 5.0  # |d'| beyond it cannot be told apart with the trials of any experiment


def sensitivities(
    shares: Real[np.ndarray, "presentation choice"],
    truth: Integer[np.ndarray, " presentation"],
    level: Level = "i2n",
    weights: Real[np.ndarray, " presentation"] | None = None,
) -> Float[np.ndarray, " *cell"]:
    """Return the sensitivities d' = z(hit rate) - z(false-alarm rate), clipped at +-5.

    Parameters
    ----------
    shares : (presentation, choice), how often `choice` was taken instead of the true object; NaN: not offered. The
        entry of the true object itself does not count.
    truth : (presentation,) index of the true object among the choices.
    level : i: the hits of an image, o: of all images of an object; 2: against each distractor, 1: on average over them.
        False alarms are those of the other objects' images. n: less the mean over the images of the same object
        (i1n), of the same object and distractor (i2n), or over the distractors of the object (o2n).
    weights : (presentation,) how often each presentation counts in the means; None: once.

    Returns
    -------
    (object,) for o1, (object, distractor) for o2, (presentation,) for i1, (presentation, distractor) for i2; NaN where
    nothing was measured.
    """
    if level not in get_args(Level):
        raise ValueError(f"unknown level {level!r}: use one of {', '.join(get_args(Level))}")
    objects = shares.shape[1]
    w = np.ones(len(shares)) if weights is None else np.asarray(weights, float)
    member = (truth[:, None] == np.arange(objects)) * w[:, None]
    errors = np.where(truth[:, None] == np.arange(objects), np.nan, shares)  # (presentation, distractor)
    by_pair = weighted_mean(member, errors)  # (true object, distractor): rate of taking the distractor
    if level.endswith(("2", "2n")):
        hits = 1 - (errors if level.startswith("i") else by_pair)
        alarms = by_pair.T if level.startswith("o") else by_pair.T[truth]
    else:
        image = known_mean(errors)
        own = image if level.startswith("i") else weighted_mean(member, image[:, None])[:, 0]
        hits = 1 - own
        # Over the images of all other objects, on which this one was offered.
        per_object = divide(*(np.nansum(w[:, None] * v, axis=0) for v in (errors, np.isfinite(errors))))
        alarms = per_object if level.startswith("o") else per_object[truth]
    values = np.clip(_z(hits) - _z(alarms), -_LARGEST, _LARGEST)
    if level == "i2n":
        return values - weighted_mean(member, values)[truth]
    if level == "i1n":
        return values - weighted_mean(member, values[:, None])[truth, 0]
    return values - known_mean(values)[:, None] if level == "o2n" else values


def _z(rate: Float[np.ndarray, " *cell"]) -> Float[np.ndarray, " *cell"]:

    return np.clip(
        scipy.special.ndtri(rate), -2 * _LARGEST, 2 * _LARGEST
    )  # finite: two certain answers have a difference of 0


def pairwise_shares(
    given: Real[np.ndarray, "presentation choice"], truth: Integer[np.ndarray, " presentation"]
) -> Float[np.ndarray, "presentation choice"]:
    """Return the probability (presentation, choice) of each choice rather than the true object, p / (p + p_true)."""
    both = given + given[np.arange(len(given)), truth][:, None]
    return np.where(both > 0, given / np.where(both > 0, both, 1), 0.5)


def choice_pattern_ceiling(
    level: Level = "i2n", truth: str = "label", halvings: int = 10, resamples: int = 200, seed: int = 0
) -> Ceiling:
    """Return the correlation that a noiseless model can reach with the pattern of all trials.

    Trials (presentation, choice, repetition), 1: taken, 0: the true object was taken, NaN: not offered, are halved at
    random; the halves' patterns correlate by r, the whole has the reliability 2 r / (1 + r) (averaged over halvings
    before it is corrected), of which the ceiling is the square root. With few trials in a cell many shares are 0 or 1
    and their clipped d' no noisy copies of the true ones: the ceiling may then be off by a tenth, which is noted.

    Parameters as in `choice_pattern`; `halvings` random halvings.
    """

    def ceiling(target: xr.DataArray) -> Comparison:
        if set(target.dims) != {"presentation", "choice", "repetition"}:
            raise InvalidMeasurement(
                f"a ceiling of choices needs (presentation, choice, repetition), not {tuple(target.dims)}"
            )
        check_filled(target, "target")
        check_numbers(target.values, "target", missing=True)
        trials = target.transpose("presentation", "choice", "repetition").values.astype(float)
        if not np.isin(trials[np.isfinite(trials)], (0, 1)).all():
            raise InvalidMeasurement("trials hold 1 where the choice was taken, 0 where it was not, and NaN")
        true = _truth(target, truth)
        generator = np.random.default_rng([seed, 3])
        halves = [_split(trials, generator) for _ in range(halvings)]
        once = [_correlate(*pair, true, level, np.ones(len(trials))) for pair in halves]
        turn = cycle(halves)  # each draw takes the next halving: their scatter is part of the ceiling's error
        extreme = _extreme(halves)
        note = f"{extreme:.0%} of the shares in half of the trials are 0 or 1: the ceiling may be off by a tenth"

        def statistic(counts: np.ndarray) -> np.ndarray:
            return _root_of_reliability(np.array([[_correlate(*next(turn), true, level, count)] for count in counts]))

        return resample(
            statistic,
            len(trials),
            resamples,
            seed,
            {"pattern": [level]},
            value=_root_of_reliability(np.array([np.mean(once)])),
            notes=(note,) if extreme > _TOO_MANY_EXTREMES else (),
            details={"shares of 0 or 1": extreme},
        )

    return ceiling


@metric(
    "choice_pattern",
    summary="Correlates which images and distractors are hard for a model and for people (i1, i2n, o2, ...).",
    cite="rajalingham2018", compares="choices", ceiling=choice_pattern_ceiling, ceiling_over=("repetition",),
    tags=("behavior",),
)  # fmt: skip
def choice_pattern(level: Level = "i2n", truth: str = "label", resamples: int = 200, seed: int = 0) -> Metric:
    """Correlate the sensitivities of a model with those of people (Rajalingham et al. 2018).

    The prediction holds probabilities (presentation, choice), the target the share of trials on which each choice was
    taken when it was offered next to the true object, NaN where it was not.

    Parameters
    ----------
    level : see `sensitivities`.
    truth : coordinate of the target along presentation that names the true object.
    resamples : bootstrap draws of presentations; 0: no replicates.
    seed : of the draws.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        true = _truth(target, truth)
        sides = pairwise_shares(probabilities(prediction, target), true), _shares(target)

        def statistic(counts: np.ndarray) -> np.ndarray:
            return np.array([_correlate(*sides, true, level, count) for count in counts])

        return resample(statistic, len(true), resamples, seed, {"pattern": [level]})

    return metric


def _extreme(halves: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the share of cells that are 0 or 1."""
    values = np.array(halves)
    values = values[np.isfinite(values)]
    return float(((values == 0) | (values == 1)).mean()) if values.size else 0.0


def _root_of_reliability(r: Float[np.ndarray, " *cell"]) -> Float[np.ndarray, " *cell"]:
    return np.sqrt(spearman_brown(r))


def _split(
    trials: Float[np.ndarray, "presentation choice repetition"], generator: np.random.Generator
) -> tuple[Float[np.ndarray, "presentation choice"], Float[np.ndarray, "presentation choice"]]:
    """Split the trials of each cell into two random halves and return their shares; a single trial goes to either."""
    made = np.isfinite(trials)
    rank = np.where(made, generator.random(trials.shape), 2.0).argsort(axis=2).argsort(axis=2)
    number = made.sum(axis=2, keepdims=True)
    size = (number + (generator.random(number.shape) < 0.5)) // 2
    first = made & (rank < size)
    return known_mean(np.where(first, trials, np.nan)), known_mean(np.where(made & ~first, trials, np.nan))


def _correlate(
    one: Float[np.ndarray, "presentation choice"],
    other: Float[np.ndarray, "presentation choice"],
    truth: Integer[np.ndarray, " presentation"],
    level: Level,
    count: Real[np.ndarray, " presentation"],
) -> float:
    """Correlate two patterns over the cells that both have, with presentations counting `count` times (Pearson)."""
    drawn = np.flatnonzero(count)
    weights = count[drawn].astype(float)
    x, y = (sensitivities(side[drawn], truth[drawn], level, weights) for side in (one, other))
    w = weights if level.startswith("i") else np.ones(len(x))
    w = np.broadcast_to(w.reshape(-1, *[1] * (x.ndim - 1)), x.shape)
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 3:
        return np.nan
    return float(weighted_pearson(x[known], y[known], w[known][None])[0])


def _truth(target: xr.DataArray, name: str) -> Integer[np.ndarray, " presentation"]:
    """Return the index of the true object among the choices, (presentation,)."""
    return label_table(target, name).argmax(axis=1)


def _shares(target: xr.DataArray) -> Float[np.ndarray, "presentation choice"]:
    if set(target.dims) != {"presentation", "choice"}:
        raise InvalidMeasurement(f"shares of choices have (presentation, choice), not {tuple(target.dims)}")
    shares = target.transpose("presentation", "choice").values.astype(float)
    if np.nanmin(shares) < 0 or np.nanmax(shares) > 1:
        raise InvalidMeasurement(
            f"shares of choices lie between 0 and 1, not between {np.nanmin(shares):g} and {np.nanmax(shares):g}"
        )
    return shares
