"""Ceilings: what the best possible model could reach, given the noise of the recordings."""

from __future__ import annotations

from collections.abc import Iterator

from brainmark.core.comparison import Ceiling, Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.metrics._arrays.backend import all_finite, as_numpy
from brainmark.metrics._arrays.inputs import check_filled, check_numbers, group_columns, unit_coordinates
from brainmark.metrics._arrays.scale import rescale
from brainmark.metrics._arrays.shapes import Array, Bool, Float, Integer, Real
from brainmark.metrics.statistics.correlation import pearson_of_blocks, resample_pearson
from brainmark.metrics.statistics.resampling import draws

_TOGETHER = 10  # halvings whose halves are in memory at the same time
_CACHED = 64  # presentations whose halves are correlated together


def spearman_brown(
    r: Float[np.ndarray, " *cell"],
    first: float | Real[np.ndarray, " ..."] = 1.0,
    second: float | Real[np.ndarray, " ..."] = 1.0,
    whole: float | Real[np.ndarray, " ..."] = 2.0,
) -> Float[np.ndarray, " *cell"]:
    """Return the reliability of a mean over `whole` repetitions; NaN where r <= 0 (no reliable signal).

    Of twice as many it is 2r / (1 + r) (Spearman 1910, Brown 1910). Parts that are not two equal halves, as one and two
    of three repetitions, correlate less (Horst 1951): r = 1 / sqrt((1 + v / first) (1 + v / second)) is solved for v,
    the noise of one repetition in units of the signal.

    Parameters
    ----------
    r : correlation of the means over `first` and over `second` repetitions.
    first, second, whole : numbers of repetitions; `harmonic_mean` where presentations differ in them.
    """
    r = np.asarray(r, float)
    known = np.where(r > 0, r, 1.0)
    noise = (np.sqrt(4 * first * second + ((first - second) * known) ** 2) - (first + second) * known) / 2  # r v
    return np.where(r > 0, known / (known + noise / whole), np.nan)


def harmonic_mean(
    numbers: Real[np.ndarray, " presentation"], weights: Real[np.ndarray, "draw presentation"] | None = None
) -> Float[np.ndarray, " draw"]:
    """Return the number of repetitions that leaves the mean noise of presentations with `numbers` (0: left out).

    `weights` says how often each presentation counts in each draw; None: one draw, each once.
    """
    made = np.asarray(numbers) > 0
    each = np.ones((1, int(made.sum()))) if weights is None else np.asarray(weights, float)[:, made]
    total = each.sum(axis=1)
    return np.where(total > 0, total, 1.0) / np.where(total > 0, each @ (1 / np.asarray(numbers, float)[made]), 1.0)


def split_half(halvings: int = 30, resamples: int = 1000, seed: int = 0, block: int = 1) -> Ceiling:
    """Return the ceiling of a correlation with the mean response: the square root of its split-half reliability.

    The repetitions of each presentation are halved at random, the halves averaged and correlated over presentations.
    These r are averaged over halvings first and corrected after (Spearman 1910, Brown 1910): the correction is concave,
    and would turn the scatter of single halvings into a bias. A noise-free model reaches r = sqrt(reliability) with the
    mean over all repetitions; its r is divided by that.

    The ceiling takes a target (presentation, neuroid, repetition) and has a value for each neuroid; NaN: not measured.
    Neuroids whose halves correlate by 0 or less have no value, and are marked (`Comparison.no_signal`).
    Presentations with fewer than two repetitions of a neuroid do not count for its ceiling.

    Parameters
    ----------
    halvings : number of random halvings.
    resamples : bootstrap samples of presentations, on the draws that metrics use; 0: none.
    seed : of draws and halvings.
    block : neighbouring presentations that are drawn together.

    Raises
    ------
    InvalidMeasurement : no repetitions.
    """

    def ceiling(target: xr.DataArray) -> Comparison:
        check_filled(target, "target")
        if set(target.dims) != {"presentation", "neuroid", "repetition"}:
            raise InvalidMeasurement(
                f"target has dimensions {tuple(str(d) for d in target.dims)}; a split-half ceiling needs "
                "(presentation, neuroid, repetition)"
            )
        check_numbers(target.values, "target", missing=True)
        trials = target.transpose("presentation", "neuroid", "repetition").values
        counts = draws(trials.shape[0], resamples, seed, block)
        half, drawn, parts, wholes = correlate_halves(trials, halvings, seed, counts)
        reliability = spearman_brown(half, parts[0], parts[0], wholes[0])
        lost = int(np.isnan(reliability).sum())
        replicates = np.sqrt(spearman_brown(drawn, parts[1:], parts[1:], wholes[1:]))
        return Comparison(
            values=xr.DataArray(np.sqrt(reliability), dims="neuroid", coords=unit_coordinates(target)),
            replicates=replicates if resamples else None,
            no_signal=half <= 0 if (half <= 0).any() else None,
            notes=(f"{lost} of {len(half)} neuroids have no reliable signal (split-half r <= 0)",) if lost else (),
            details={} if lost == len(half) else {"reliability": float(np.nanmedian(reliability))},
        )

    return ceiling


def correlate_halves(
    trials: Real[Array, "presentation neuroid repetition"],
    halvings: int = 30,
    seed: int = 0,
    counts: Real[np.ndarray, "draw presentation"] | None = None,
) -> tuple[
    Float[np.ndarray, " neuroid"],
    Float[np.ndarray, "draw neuroid"],
    Float[np.ndarray, "_ neuroid"],
    Float[np.ndarray, "_ neuroid"],
]:
    """Return the Pearson r between the means of random halves of the repetitions, averaged over halvings, uncorrected.

    Parameters
    ----------
    trials : (n, q, repetitions); NaN: not measured. Odd numbers of repetitions give halves that differ by one.
    halvings : number of random halvings, drawn anew for every presentation.
    seed : of the halvings.
    counts : (draws, n), resampled presentations.

    Returns
    -------
    r (q,) and r under resampled presentations (draws, q), NaN where there is nothing to correlate; the numbers of
    repetitions in a half, and in the whole, (1 + draws, q): harmonic means over presentations, as measured, then in
    each draw. The whole has the presentations of a single trial too, which no half has.
    """
    trials = as_numpy(trials)
    n, q = trials.shape[:2]
    trials = rescale(trials if trials.dtype.str[1:] in ("f4", "f8") else trials.astype(np.float64))[0]
    counts = np.empty((0, n)) if counts is None else counts
    r, replicates = np.full(q, np.nan), np.full((len(counts), q), np.nan)
    parts, wholes = np.ones((2, 1 + len(counts), q))
    for columns, measured in _alike(trials):
        number = measured.sum(1)
        rows = np.flatnonzero(number >= 2)
        if len(rows) < 3:
            continue
        part_number, whole_number = _numbers(number, counts)
        parts[:, columns], wholes[:, columns] = part_number[:, None], whole_number[:, None]
        whole = len(rows) == n and len(columns) == q and bool(measured.all())
        part = np.swapaxes(trials if whole else np.nan_to_num(trials[rows[:, None], columns]), 1, 2)
        generator = np.random.default_rng([seed, 2])
        total, total_replicates = np.zeros(len(columns)), np.zeros((len(counts), len(columns)))
        for done in range(0, halvings, _TOGETHER):
            first, sizes = _halves(measured[rows], min(_TOGETHER, halvings - done), generator)
            weights = np.concatenate([first, measured[rows, None]], axis=1).astype(part.dtype)
            total += pearson_of_blocks(_half_means(part, weights, *sizes)).sum(axis=0)
            for a, b in _each_half(part, weights, *sizes) if len(counts) else ():
                total_replicates += resample_pearson(a, b, [len(rows)], counts[:, rows], correct=False)
        r[columns], replicates[:, columns] = total / halvings, total_replicates / halvings
    return r, replicates, parts, wholes


def _numbers(
    number: Integer[np.ndarray, " presentation"], counts: Real[np.ndarray, "draw presentation"]
) -> tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]:
    """Return harmonic means (1 + draws,) of the repetitions in a random half, larger or smaller, and in the whole."""
    if (number == number[0]).all():  # every draw has them
        counts = np.ones((len(counts), 1))
        number = number[:1]
    weights = np.vstack([np.ones((1, len(number))), counts])
    small, large = number // 2, (number + 1) // 2
    half = np.where(small > 0, 2 / (1 / np.maximum(small, 1) + 1 / np.maximum(large, 1)), 0)
    return harmonic_mean(half, weights), harmonic_mean(number, weights)


def _half_means(
    part: Float[np.ndarray, "presentation repetition neuroid"],
    weights: Float[np.ndarray, "presentation _ repetition"],
    size: Integer[np.ndarray, "split presentation"],
    rest: Integer[np.ndarray, "split presentation"],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield means of both halves, (some presentations, halvings, neuroids), in float64.

    Parameters
    ----------
    part : (n, repetitions, neuroids).
    weights : (n, halvings + 1, repetitions), what belongs to the first half of each split, and what was measured.
    size, rest : (halvings, n) of both halves.
    """
    for start in range(0, len(part), _CACHED):
        rows = slice(start, start + _CACHED)
        sums = weights[rows] @ part[rows]
        one = sums[:, :-1] / size.T[rows, :, None]
        other = np.subtract(sums[:, -1:], sums[:, :-1], dtype=np.float64)
        other /= rest.T[rows, :, None]
        yield one, other


def _each_half(
    part: Float[np.ndarray, "presentation repetition neuroid"],
    weights: Float[np.ndarray, "presentation _ repetition"],
    size: Integer[np.ndarray, "split presentation"],
    rest: Integer[np.ndarray, "split presentation"],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield means of both halves of each split, (presentations, neuroids): resampling needs all presentations."""
    sums = weights @ part
    everything = sums[:, -1].astype(np.float64)
    for k, (one, other) in enumerate(zip(size, rest, strict=True)):
        a = sums[:, k].astype(np.float64)
        yield a / one[:, None], (everything - a) / other[:, None]


def _alike(
    trials: Float[np.ndarray, "presentation neuroid repetition"],
) -> list[tuple[Integer[np.ndarray, " _"], Bool[np.ndarray, "presentation repetition"]]]:
    """Group neuroids by the trials in which they were measured: (columns, measured (n, repetitions))."""
    n, q, repetitions = trials.shape
    if all_finite(trials):
        return [(np.arange(q), np.ones((n, repetitions), bool))]
    groups = group_columns(trials.swapaxes(1, 2).reshape(-1, q))
    return [
        (columns, np.bincount(rows, minlength=n * repetitions).astype(bool).reshape(n, -1)) for rows, columns in groups
    ]


def _halves(
    measured: Bool[np.ndarray, "presentation repetition"], halvings: int, generator: np.random.Generator
) -> tuple[
    Bool[np.ndarray, "presentation split repetition"],
    tuple[Integer[np.ndarray, "split presentation"], Integer[np.ndarray, "split presentation"]],
]:
    """Return which measured repetitions fall into the first half (n, halvings, repetitions).

    Return also the sizes of both halves (halvings, n).
    """
    n, repetitions = measured.shape
    keys = np.where(measured[:, None], generator.random((n, halvings, repetitions)), 2.0)
    count = measured.sum(1)[:, None]
    size = (count + generator.integers(2, size=(n, halvings, 1))[:, :, 0]) // 2  # the odd one falls to either half
    last = np.take_along_axis(np.sort(keys, axis=2), size[:, :, None] - 1, axis=2)
    return keys <= last, (size.T, (count - size).T)
