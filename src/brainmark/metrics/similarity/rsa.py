"""Representational similarity: RDMs of a model against RDMs of subjects, and what a perfect model could reach."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.core.registry import metric
from brainmark.metrics._arrays.backend import as_numpy, to_device
from brainmark.metrics._arrays.inputs import (
    Recording,
    check_filled,
    check_numbers,
    check_pair,
    check_same_stimuli,
    find_counted,
    recordings,
    subject_names,
    take_complete,
)  # fmt: skip
from brainmark.metrics._arrays.shapes import Bool, Float, Real
from brainmark.metrics.similarity.crossnobis import crossnobis_rdm, noise_precision
from brainmark.metrics.similarity.rdm import Compare, Distance, compare_rdms, rdm_matrix, upper
from brainmark.metrics.similarity.rdm_resampling import resample_rdms
from brainmark.metrics.similarity.rdm_subjects import as_correlation, compare_truth, from_correlation, nili_bounds
from brainmark.metrics.statistics.resampling import draws, resample


def rdm_ceiling(
    compare: Compare = "spearman",
    resamples: int = 1000,
    seed: int = 0,
    distance: Distance | Literal["crossnobis"] = "correlation",
    halvings: int = 10,
) -> Ceiling | None:
    """Return the ceiling of `rdm`: the similarity that the true model would have with each subject.

    A subject's value is the similarity of its RDM with the mean of the others (standardised first, so that none
    dominates), divided by the square root of the reliability of that mean; the reliability follows from the mean
    similarity between two subjects by the Spearman-Brown formula. This is exact for Pearson correlation when subjects
    measure one true RDM with independent noise, of whatever size in each.

    The bounds are those of Nili et al. (2014, PLoS Comput. Biol.), see `nili_bounds`; a score is divided by neither,
    but by the estimate above. They rest on the mean of the RDMs as measured. For Spearman correlation the mean of
    their ranks gives a slightly higher upper bound (human IT of Kriegeskorte et al. 2008: .666 instead of .661): the
    upper bound is a convention, not a maximum.

    For a recording with its repetitions the similarities between RDMs of halves, and of quarters, of the trials are
    extrapolated to all trials (the formula of Spearman and Brown alone is too low where noise is strong: the noise of
    a dissimilarity falls faster than with the number of trials).

    Parameters
    ----------
    compare, resamples, seed : as in `rdm`; the same seed gives the same draws.
    distance, halvings : of a recording; crossnobis distances have no ceiling.

    Raises
    ------
    InvalidMeasurement : fewer than two subjects; a recording without repetitions.
    """
    if distance == "crossnobis":
        return None

    def ceiling(target: xr.DataArray) -> Comparison:
        check_filled(target, "target")
        check_numbers(target.values, "target", missing=True)
        if "neuroid" in target.dims:
            return _recording_ceiling(target, compare, distance, halvings, resamples, seed)
        mean = target.mean("repetition", skipna=True) if "repetition" in target.dims else target
        rdms = _subject_rdms(mean)
        if len(rdms) < 2:
            raise InvalidMeasurement("a ceiling of RDMs needs at least two subjects; the target has one")

        def statistic(counts: np.ndarray) -> np.ndarray:
            return compare_truth(rdms, counts, compare)

        found = resample(statistic, rdms.shape[1], resamples, seed, subject_names(mean))
        lower, above = nili_bounds(upper(rdms), compare)
        agree = np.isfinite(found.values.values).all()
        return replace(
            found,
            bounds=(lower, above),
            notes=() if agree else ("subjects do not agree more than by chance: no ceiling",),
            details={"lower bound": lower, "upper bound": above},
        )

    return ceiling


@metric(
    "rdm", summary="Correlates the dissimilarity matrix of a population with that of each subject.",
    cite="kriegeskorte2008", compares="dissimilarities", ceiling=rdm_ceiling, on_device=True, tags=("similarity",),
)  # fmt: skip
def rdm(
    distance: Distance | Literal["crossnobis"] = "correlation",
    compare: Compare = "spearman",
    resamples: int = 1000,
    seed: int = 0,
) -> Metric:
    """Compare the RDM of a population with the RDM of each subject (Kriegeskorte et al. 2008).

    The metric takes a recording (presentation x neuroid), or a dissimilarity, as prediction, and a dissimilarity
    (presentation x other [x subject]) as target; NaN off the diagonal means "not measured". The target may be a
    recording too: its RDM is then computed as the model's, over the neuroids that were measured throughout.

    Parameters
    ----------
    distance : of two patterns, see `brainmark.metrics.similarity.rdm.rdm_matrix`; ``crossnobis``, of a target that is a
        recording with its repetitions, is unbiased by their noise and in its units (`crossnobis_rdm`), and compared
        with squared Euclidean distances of the model.
    compare : of two RDMs, see `brainmark.metrics.similarity.rdm.compare_rdms`.
    resamples : bootstrap draws of conditions; 0: no replicates.
    seed : of the draws.

    Returns
    -------
    Comparison with one value a subject.
    """

    def metric(prediction: Recording, target: Recording) -> Comparison:
        prediction, target = recordings(prediction, target)
        check_pair(prediction, target)
        prediction, target = _match_names(prediction, target)
        ids = np.asarray(target.coords["stimulus_id"].values).astype(str)
        model, notes = _model_rdm(prediction, ids, "squared_euclidean" if distance == "crossnobis" else distance)
        others, left_out = _target_rdms(target, distance)
        vector = upper(model)
        values = [compare_rdms(vector, upper(other), compare) for other in others]

        def statistic(counts: np.ndarray) -> np.ndarray:
            return resample_rdms(model, others, counts, compare)

        return resample(
            statistic, len(ids), resamples, seed, subject_names(target), value=np.array(values), notes=notes + left_out
        )

    return metric


def _recording_ceiling(
    target: xr.DataArray, compare: Compare, distance: Distance, halvings: int, resamples: int, seed: int
) -> Comparison:
    """Return the ceiling of a recording from parts of its trials."""
    if set(target.dims) != {"presentation", "neuroid", "repetition"}:
        raise InvalidMeasurement(f"a ceiling needs (presentation, neuroid, repetition), not {tuple(target.dims)}")
    known = find_counted(target)
    trials = target.transpose("repetition", "presentation", "neuroid").values[..., known].astype(float)
    made = np.isfinite(trials).sum(axis=0)
    fewest = int(made.min())
    if fewest < 2:
        raise InvalidMeasurement("no neuroid has two repetitions of every stimulus")
    counts = draws(trials.shape[1], resamples, seed)
    whole = np.ones((1, trials.shape[1]), counts.dtype)
    halves: list[np.ndarray] = []
    quarters: list[np.ndarray] = []
    for k in range(halvings):
        # Draws rest on two halvings: the scatter between halvings is small next to that between stimuli.
        weights = np.concatenate([whole, counts]) if k < 2 else whole
        generator = np.random.default_rng([seed, 3, k])
        halves.append(_between_parts(part_trials(trials, 2, generator, equal=True), distance, weights, compare))
        if fewest >= 4:
            parts = part_trials(trials, 4, generator, equal=True)
            pairs = (parts[:2], parts[2:])[: 1 if k < 2 else 2]  # draws are costly: one pair of quarters does
            quarters.append(np.mean([_between_parts(pair, distance, weights, compare) for pair in pairs], axis=0))
    shares = tuple(float(np.mean(1 / np.maximum(made // k, 1)) / np.mean(1 / made)) for k in (2, 4))
    values, replicates = (
        from_correlation(
            _extrapolate([r[rows] for r in halves[:used]], [r[rows] for r in quarters[:used]], *shares), compare
        )
        for rows, used in ((slice(0, 1), halvings), (slice(1, None), 2))
    )
    note = "fewer than 4 trials of a stimulus: the ceiling may be too low where noise is strong"
    return Comparison(
        xr.DataArray(values, dims=("subject",), coords={"subject": ["all"]}),
        replicates=replicates[:, None] if resamples else None,
        center="mean",
        notes=() if fewest >= 4 else (note,),
    )


def _between_parts(parts: list[np.ndarray], distance: Distance, weights: np.ndarray, compare: Compare) -> np.ndarray:
    """Return the similarity (draw,) of the RDMs of two independent parts of the trials."""
    one, other = (as_numpy(rdm_matrix(to_device(part), distance)) for part in parts)
    return as_correlation(resample_rdms(one, other[None], weights, compare)[:, 0], compare)


def _extrapolate(halves: list[np.ndarray], quarters: list[np.ndarray], half_of: float, quarter_of: float) -> np.ndarray:
    """Return what the true RDM reaches with that of all trials, (draw,), from similarities between halves and quarters.

    With m trials, 1 / r - 1 = a / m + b / m^2: noise meets the signal, and itself. Neither term is negative.
    All trials are `half_of` times as many as those of a half (2, but for odd numbers), `quarter_of` times of a quarter.
    """
    r = np.mean(halves, axis=0)
    defined = r > 0
    half = (1 / np.where(defined, r, 1) - 1) / half_of
    own = np.zeros_like(half)  # b / m^2 of all trials
    if quarters:
        q = np.mean(quarters, axis=0)
        quarter = np.where(q > 0, 1 / np.where(q > 0, q, 1) - 1, np.inf) / quarter_of
        own = np.clip((quarter - half) / (quarter_of - half_of), 0, half / half_of)
    return np.where(defined, 1 / np.sqrt(1 + half - (half_of - 1) * own), np.nan)


def part_trials(
    trials: Real[np.ndarray, "repetition presentation neuroid"],
    parts: int,
    generator: np.random.Generator,
    equal: bool = False,
) -> list[Float[np.ndarray, "presentation neuroid"]]:
    """Average random parts of the trials (repetition, presentation, neuroid), each to (presentation, neuroid).

    The trials in which a neuroid was measured are shared out anew for each presentation, as evenly as they can be, and
    alike for neuroids that were measured in the same trials; NaN: no trial of a neuroid in that part. With `equal`,
    trials that are left over when all parts have as many are left out.
    """
    made = np.isfinite(trials)
    if (made == made[..., :1]).all():
        made = made[..., :1]
    place = np.where(made, generator.random(made.shape[:2])[..., None], 2.0).argsort(axis=0).argsort(axis=0)
    used = made & (place < made.sum(axis=0) // parts * parts) if equal else made
    part = np.where(used, place % parts, -1)
    return [mean_of_trials(trials, part == k) for k in range(parts)]


def mean_of_trials(
    trials: Real[np.ndarray, "repetition presentation neuroid"],
    which: Bool[np.ndarray, "repetition presentation #neuroid"] | None = None,
) -> Float[np.ndarray, "presentation neuroid"]:
    """Return mean (presentation, neuroid) over the trials that were measured (and chosen); NaN where there is none."""
    known = np.isfinite(trials) if which is None else np.isfinite(trials) & which
    number = known.sum(axis=0)
    return np.where(number > 0, np.where(known, trials, 0).sum(axis=0) / np.maximum(number, 1), np.nan)


def _match_names(prediction: xr.DataArray, target: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Match conditions by ``stimulus_id``; where one side has none, they are the same in the same order."""
    if all("stimulus_id" in side.coords for side in (prediction, target)):
        return prediction, target
    check_same_stimuli(prediction, target)
    place = ("presentation", np.arange(target.sizes["presentation"]))
    return prediction.assign_coords(stimulus_id=place), target.assign_coords(stimulus_id=place)


def _model_rdm(prediction: xr.DataArray, ids: np.ndarray, distance: Distance) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the RDM of the model, (condition, condition), in the order of the target, with what to note about it."""
    if "repetition" in prediction.dims:
        prediction = prediction.mean("repetition", skipna=True)
    if {"presentation", "other"} == set(prediction.dims):
        return _subject_rdms(prediction.isel(_positions(prediction, "stimulus_id", "presentation", ids)))[0], ()
    if {"presentation", "neuroid"} != set(prediction.dims):
        raise InvalidMeasurement(
            f"an RDM needs a recording with the dimensions (presentation, neuroid), not {tuple(prediction.dims)}"
        )
    prediction = prediction.isel(_positions(prediction, "stimulus_id", "presentation", ids))
    features = prediction.transpose("presentation", "neuroid").values
    features = features if features.dtype == np.float32 else features.astype(np.float64)
    matrix = np.asarray(as_numpy(rdm_matrix(to_device(features), distance)), float)
    flat = np.flatnonzero(np.isnan(matrix).sum(axis=1) == len(matrix) - 1)
    if not len(flat):
        return matrix, ()
    lacking = "length" if distance == "cosine" else "variance"
    first = str(ids[flat[0]])
    return matrix, (
        f"{len(flat)} of {len(ids)} presentations have a pattern without {lacking} (the first is {first!r}): "
        "pairs with them are left out",
    )


def _positions(array: xr.DataArray, coordinate: str, dim: str, ids: np.ndarray) -> dict[Any, np.ndarray]:
    """Return where `ids` stand along `dim`."""
    if coordinate not in array.coords:
        raise InvalidMeasurement(f"{dim!r} has no coordinate {coordinate!r} that names its conditions")
    given = np.asarray(array.coords[coordinate].values).astype(str)
    if given.shape == ids.shape and (given == ids).all():
        return {dim: np.arange(len(ids))}
    place = {name: i for i, name in enumerate(given)}
    for names in (given, ids):
        single, times = np.unique(names, return_counts=True)
        if (times > 1).any():
            twice = str(single[times > 1][0])
            raise InvalidMeasurement(
                f"{coordinate} {twice!r} stands several times: conditions cannot be matched by name"
            )
    missing = [name for name in ids if name not in place]
    if missing or len(given) != len(ids):
        raise InvalidMeasurement(
            f"coordinate {coordinate!r} has {len(given)} entries; {len(ids)} were expected"
            + (f", among them {str(missing[0])!r}" if missing else "")
        )
    return {dim: np.array([place[name] for name in ids])}


def _target_rdms(
    target: xr.DataArray, distance: Distance | Literal["crossnobis"]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the RDMs (subject, condition, condition) of a dissimilarity, or of a recording; what to note about it."""
    if "neuroid" not in target.dims:
        return _subject_rdms(target), ()
    if distance == "crossnobis":
        trials, notes = take_complete(target, "target", "repetition")
        return crossnobis_rdm(trials, noise_precision(trials))[None], notes
    values, notes = take_complete(target, "target")
    return as_numpy(rdm_matrix(to_device(values.astype(float)), distance))[None], notes


def _subject_rdms(target: xr.DataArray) -> np.ndarray:
    """Return RDMs (subject, condition, condition) with a checked symmetry.

    There is one subject if the target has no such axis.
    """
    required = {"presentation", "other"}
    if not required <= set(target.dims) <= required | {"subject"}:
        raise InvalidMeasurement(f"RDMs have the dimensions (presentation, other[, subject]), not {tuple(target.dims)}")
    ids = np.asarray(target.coords["stimulus_id"].values).astype(str)
    target = target.isel(_positions(target, "other_id", "other", ids))
    if "subject" not in target.dims:
        target = target.expand_dims("subject")
    rdms = target.transpose("subject", "presentation", "other").values.astype(float)
    mirror = rdms.swapaxes(1, 2)
    scale = np.nanmax(np.abs(rdms), initial=0.0)
    if not np.allclose(rdms, mirror, rtol=0, atol=1e-6 * scale, equal_nan=True):
        s, i, j = np.argwhere(~np.isclose(rdms, mirror, rtol=0, atol=1e-6 * scale, equal_nan=True))[0]
        raise InvalidMeasurement(
            f"the RDM of subject {s} is not symmetric: {rdms[s, i, j]} between {str(ids[i])!r} and {str(ids[j])!r}, "
            f"{rdms[s, j, i]} the other way round"
        )
    return rdms
