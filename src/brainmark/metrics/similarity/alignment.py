"""Metrics on whole populations: kernel alignment and Procrustes similarity of a model with a recording."""

from __future__ import annotations

from typing import Literal

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.backend import as_numpy, centre, like, to_device
from brainmark.metrics._arrays.inputs import (
    Recording,
    check_filled,
    check_numbers,
    check_same_stimuli,
    find_counted,
    recordings,
    take_complete,
)
from brainmark.metrics._arrays.scale import rescale
from brainmark.metrics._arrays.shapes import Array, Float, Real
from brainmark.metrics.similarity.geometry import gaussian_kernel, linear_cka, procrustes_similarity
from brainmark.metrics.similarity.rsa import mean_of_trials, part_trials
from brainmark.metrics.statistics.averages import divide
from brainmark.metrics.statistics.correlation import FEWEST_ROWS
from brainmark.metrics.statistics.resampling import resample

Kernel = Literal["linear", "rbf"]


def cka_ceiling(
    halvings: int = 5, resamples: int = 1000, seed: int = 0, unbiased: bool = True, kernel: Kernel = "linear"
) -> Ceiling | None:
    """Return the ceiling of the unbiased linear `cka`: what the noiseless population would reach with its trial mean.

    Other kinds of `cka` have none.

    Noise that is independent between stimuli leaves the kernel's off-diagonal entries unbiased, so that the true
    population S reaches sqrt(HSIC(S, S) / HSIC(Y, Y)) with the trial mean Y, and HSIC(S, S) is estimated by the HSIC
    between means of two halves of the trials, averaged over random halvings.

    Parameters
    ----------
    halvings : random halvings of the repetitions.
    resamples, seed, unbiased, kernel : as in `cka`; the same seed gives the same draws.

    Raises
    ------
    InvalidMeasurement : the target keeps no repetitions, or a stimulus has one only.
    """
    if kernel != "linear" or not unbiased:
        return None

    def ceiling(target: xr.DataArray) -> Comparison:
        check_filled(target, "target")
        check_numbers(target.values, "target", missing=True)
        if set(target.dims) != {"presentation", "neuroid", "repetition"}:
            raise InvalidMeasurement(
                f"a ceiling of CKA needs (presentation, neuroid, repetition), not {tuple(target.dims)}"
            )
        known = find_counted(target)
        trials = target.transpose("repetition", "presentation", "neuroid").values[..., known].astype(float)
        if np.isfinite(trials).sum(axis=0).min() < 2:
            raise InvalidMeasurement("no neuroid has two repetitions of every stimulus")
        halves = [part_trials(trials, 2, np.random.default_rng([seed, 3, k])) for k in range(halvings)]
        mean = _kernel(to_device(mean_of_trials(trials)))
        pairs = [(_kernel(to_device(a)), _kernel(to_device(b))) for a, b in halves]

        def values(counts: np.ndarray) -> np.ndarray:
            signal = np.mean([resample_hsic(a, b, counts) for a, b in pairs], axis=0)
            ratio = divide(signal, resample_hsic(mean, mean, counts))
            return np.sqrt(np.where(ratio > 0, ratio, np.nan))[:, None]

        return resample(values, len(mean), resamples, seed, "population")

    return ceiling


@metric(
    "cka", summary="Aligns the linear kernels of two populations, without bias from the number of neuroids.",
    cite="kornblith2019", compares="recordings", ceiling=cka_ceiling, ceiling_over=("repetition",),
    on_device=True, tags=("similarity",),
    version=2,
)  # fmt: skip
def cka(
    unbiased: bool = True, resamples: int = 1000, seed: int = 0, kernel: Kernel = "linear", width: float = 1.0
) -> Metric:
    """Compare a model's population with a recorded one by centred kernel alignment.

    Parameters
    ----------
    unbiased : see `brainmark.metrics.similarity.geometry.linear_cka`.
    resamples : bootstrap draws of stimuli; 0: no replicates.
    seed : of the draws.
    kernel : ``linear``, or ``rbf``: Gaussian with a standard deviation of `width` medians of the distances between
        stimuli (`brainmark.metrics.similarity.geometry.gaussian_kernel`).

    Returns
    -------
    Comparison with one value for the population. Neuroids that lack a stimulus are left out.
    """

    def metric(prediction: Recording, target: Recording) -> Comparison:
        (x, y), notes = _pair(prediction, target, 4 if unbiased else 2)
        linear = kernel == "linear"
        k, m = (_kernel(side) if linear else as_numpy(gaussian_kernel(side, width)) for side in (x, y))

        def statistic(counts: np.ndarray) -> np.ndarray:
            return resample_cka(k, m, counts, unbiased)

        whole = linear_cka(x, y, unbiased) if linear else None
        return resample(statistic, len(x), resamples, seed, "population", whole, notes=notes, pairs=unbiased)

    return metric


@metric(
    "procrustes",
    summary="Cosine of the angle between two populations after the best rotation of one into the other.",
    cite="williams2021", compares="recordings", chance=None, on_device=True, tags=("similarity",),
)  # fmt: skip
def procrustes(whiten: float = 0.0, resamples: int = 100, seed: int = 0) -> Metric:
    """Compare a model's population with a recorded one by their Procrustes similarity (the cosine of the angle).

    It grows with neuroids / stimuli even for unrelated populations: read it next to the shuffled control. `whiten` as
    in `procrustes_similarity`, other parameters as in `cka`; each draw costs a singular value decomposition.
    """

    def metric(prediction: Recording, target: Recording) -> Comparison:
        (x, y), notes = _pair(prediction, target)

        def statistic(counts: np.ndarray) -> np.ndarray:
            return np.array([_weigh_procrustes(x, y, count, whiten) for count in counts])

        whole = procrustes_similarity(x, y, whiten)
        return resample(statistic, len(x), resamples, seed, "population", value=whole, notes=notes)

    return metric


def resample_cka(
    k: Float[np.ndarray, "stimulus stimulus"],
    m: Float[np.ndarray, "stimulus stimulus"],
    counts: Real[np.ndarray, "draw stimulus"],
    unbiased: bool = True,
) -> Float[np.ndarray, " draw"]:
    """Return CKA (draw,) of two kernel matrices (stimulus, stimulus) under resampled stimuli, see `resample_hsic`."""
    cross, own_k, own_m = (resample_hsic(a, b, counts, unbiased) for a, b in ((k, m), (k, k), (m, m)))
    return divide(cross, np.sqrt(np.where((own_k > 0) & (own_m > 0), own_k * own_m, 0)))


def resample_hsic(
    k: Float[np.ndarray, "stimulus stimulus"],
    m: Float[np.ndarray, "stimulus stimulus"],
    counts: Real[np.ndarray, "draw stimulus"],
    unbiased: bool = True,
) -> Float[np.ndarray, " draw"]:
    """Return HSIC (draw,) of two kernel matrices when stimulus i stands counts[:, i] times.

    The unbiased estimator is a mean over pairs, triples and quadruples of different stimuli. Copies of one stimulus
    are not different stimuli: tuples that hold two of them are left out, or every draw would overrate the alignment.
    NaN where too few different stimuli were drawn: fewer than four, or three for the biased estimator.

    Raises
    ------
    InvalidMeasurement : fewer than four stimuli, or two for the biased estimator.
    """
    c = np.asarray(counts, float)
    fewest = 4 if unbiased else 2
    if len(k) < fewest:
        raise InvalidMeasurement(f"HSIC of {len(k)} stimuli; at least {fewest} are needed")
    if not unbiased:
        total = c.sum(axis=1)
        rows_k, rows_m = c @ k, c @ m
        plain = ((c @ (k * m)) * c).sum(axis=1) / total**2
        rows = (c * rows_k * rows_m).sum(axis=1) / total**3
        found = plain - 2 * rows + (c * rows_k).sum(axis=1) * (c * rows_m).sum(axis=1) / total**4
        return np.where((c > 0).sum(axis=1) < FEWEST_ROWS, np.nan, found)  # any two stimuli are aligned
    hollow = 1 - np.eye(len(k))
    ones = _tuples(hollow, hollow, c)
    sums = _tuples(k * hollow, m * hollow, c)
    pairs, triples, quadruples = (divide(s, np.where(ones[2] > 0, n, 0)) for s, n in zip(sums, ones, strict=True))
    return pairs - 2 * triples + quadruples


def _tuples(k: np.ndarray, m: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sums (draw,) of k_ij m_ij, k_ij m_il and k_ij m_lq over tuples of different stimuli; zero diagonals."""
    product = k * m
    rows_k, rows_m = c @ k, c @ m if m is not k else c @ k
    pairs = ((c @ product) * c).sum(axis=1)
    own = rows_k * rows_m - (c**2) @ product  # for stimulus i: sum over j, l different from i and from each other
    triples = (c * own).sum(axis=1)
    # All (i, j), (l, q) less those that share one stimulus (in 4 ways) or both (in 2 ways).
    shared = (c**2 * own).sum(axis=1)
    both = (((c**2) @ product) * c**2).sum(axis=1)
    quadruples = (c * rows_k).sum(axis=1) * (c * rows_m).sum(axis=1) - 4 * shared - 2 * both
    return pairs, triples, quadruples


def _weigh_procrustes(x: Array, y: Array, count: np.ndarray, whiten: float) -> float:
    """Return the Procrustes similarity of the resampled patterns, from those that were drawn, weighted."""
    drawn = np.flatnonzero(count)
    if len(drawn) < FEWEST_ROWS:
        return np.nan
    weight, rows = like(count[drawn, None] / count.sum(), x), like(drawn, x)
    scaled = [weight**0.5 * (side[rows] - (weight * side[rows]).sum(axis=0)) for side in (x, y)]
    return procrustes_similarity(scaled[0], scaled[1], whiten, centred=True)


def _pair(prediction: Recording, target: Recording, fewest: int = 2) -> tuple[tuple[Array, Array], tuple[str, ...]]:
    """Return centred patterns (stimulus, neuroid) of both sides over the same stimuli, at least `fewest` of them.

    Return also what was left out.

    Metrics compare the same stimuli in the same order, as far as ``stimulus_id`` tells.
    """
    prediction, target = recordings(prediction, target)
    (x, left_out), (y, also) = take_complete(prediction, "prediction"), take_complete(target, "target")
    check_same_stimuli(prediction, target)
    if len(x) < fewest:
        raise InvalidMeasurement(f"populations are compared over at least {fewest} stimuli, not {len(x)}")
    x, y = (centre(rescale(to_device(side))[0]) for side in (x, y))
    return (x, y), left_out + also


def _kernel(x: Array) -> np.ndarray:
    centred = x - x.mean(axis=0)
    return as_numpy(centred @ centred.T).astype(float)
