"""Resampling of stimuli; every statistic of one benchmark uses the same draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from brainmark.core.comparison import Comparison
from brainmark.core.libraries import np, xr
from brainmark.metrics._arrays.shapes import Integer, Real

_BLOCK = 2**18  # presentations drawn at a time
_TOGETHER = 2**22  # counts of presentations given to a statistic at a time
_MIRRORED = 250  # draws that tell how much of a spread is of pairs alone

Statistic: TypeAlias = "Callable[[np.ndarray], np.ndarray]"
"""How often each presentation counts, (draw, presentation) -> values (draw, unit), or (draw,) of one unit."""


def resample(
    statistic: Statistic,
    size: int,
    resamples: int,
    seed: int,
    unit: str | Mapping[str, object] = "judgement",
    value: Real[np.ndarray, " *unit"] | float | None = None,
    block: int = 1,
    center: Literal["mean", "median"] = "mean",
    notes: tuple[str, ...] = (),
    details: dict[str, float] | None = None,
    pairs: bool = False,
) -> Comparison:
    """Return a statistic of presentations as it was measured, and under resampled presentations.

    Parameters
    ----------
    statistic : of the presentations.
    size : presentations.
    resamples, seed, block : see `draws`; no replicates with 0 resamples.
    unit : what the values are of: a dimension, whose one entry is called "all", or coordinates along it, by name; the
        first is called like the dimension unless it knows its own.
    value : (unit,) as it was measured, where that is not the statistic with every presentation once.
    center, notes, details : of the comparison.
    pairs : the statistic is a polynomial in the counts and rests on pairs of presentations, see `settle_pairs`.
    """
    step = max(1, _TOGETHER // size)
    counts = draws(size, resamples, seed, block)
    parts = [statistic(counts[start : start + step].astype(float)) for start in range(0, resamples, step)]
    if pairs and resamples:
        parts = [settle_pairs(statistic, counts[:_MIRRORED].astype(float), np.concatenate(parts))]
    whole = np.atleast_1d(statistic(np.ones((1, size)))[0] if value is None else value)
    coords = {unit: ["all"]} if isinstance(unit, str) else unit
    dim = next((c.dims[0] if isinstance(c, xr.DataArray) else name for name, c in coords.items()), "neuroid")
    return Comparison(
        xr.DataArray(whole, dims=(dim,), coords=coords),
        replicates=np.concatenate(parts).reshape(resamples, len(whole)) if resamples else None,
        center=center,
        notes=notes,
        details=details or {},
    )


def settle_pairs(
    statistic: Statistic, counts: Real[np.ndarray, "some n"], drawn: Real[np.ndarray, " draw *unit"]
) -> Real[np.ndarray, " draw *unit"]:
    """Return draws of a mean over pairs of presentations, spread as the mean itself would be in other experiments.

    Such a mean varies by what single presentations bring (variance a / n) and by what pairs alone bring (2 b / n^2);
    draws with replacement vary by a / n + 6 b / n^2, as each deviation of a count stands in many pairs (Hoeffding 1948,
    Ann. Math. Stat. 19, 293; Arcones & Gine 1992, Ann. Stat. 20, 655). Populations that have nothing in common have no
    a, so that their draws are 1.7 times too wide. A draw c and its mirror image 2 - c differ in the part that is linear
    in the counts, of variance a / n + 4 b / n^2, and have in common what is of pairs alone, 2 b / n^2.

    Parameters
    ----------
    counts : of some of the draws, from which both parts are found.
    drawn : the values of all draws, which begin with those.
    """
    some, mirrored = drawn[: len(counts)], statistic(2 - counts)
    defined = np.sum(np.isfinite(some) & np.isfinite(mirrored), axis=0) > 0  # all other draws stay as they are
    some, mirrored = np.where(defined, some, 0), np.where(defined, mirrored, 0)
    linear, alone = np.nanvar(some - mirrored, axis=0) / 4, np.nanvar(some + mirrored, axis=0) / 4
    total = linear + alone
    share = np.where(total > 0, (linear - alone) / np.where(total > 0, total, 1), 1)
    middle = np.nanmean(np.where(defined, drawn, 0), axis=0)
    return middle + np.sqrt(np.clip(share, 1 / 3, 1)) * (drawn - middle)


def draws(n: int, resamples: int, seed: int = 0, block: int = 1) -> Integer[np.ndarray, "resample n"]:
    """Return how often each of `n` presentations is drawn, with replacement, in each bootstrap sample.

    The same `n`, `resamples` and `seed` give the same draws, so that replicate k of a metric and of its ceiling belong
    together; the first draws do not depend on `resamples`.

    Parameters
    ----------
    n : presentations.
    resamples : bootstrap samples.
    seed : of the generator.
    block : presentations that are drawn together, because neighbours in time resemble each other (circular blocks,
        Politis & Romano 1992); 1: each by itself.

    Returns
    -------
    counts : (resamples, n) int16, rows sum to `n` (multinomial with equal probabilities).
    """
    if n < 1 or resamples < 0:
        raise ValueError(f"draws need at least one presentation and no negative number of resamples: {n}, {resamples}")
    if not 1 <= block <= n:
        raise ValueError(f"a block of {block} presentations cannot be drawn from {n}")
    generator = np.random.default_rng(seed)
    counts = np.empty((resamples, n), np.int16)
    step = max(1, _BLOCK // n)  # the generator's stream does not depend on how many are drawn at a time
    for start in range(0, resamples, step):
        rows = counts[start : start + step]
        if block == 1:
            drawn = generator.integers(n, size=rows.shape)
        else:
            first = generator.integers(n, size=(len(rows), -(-n // block)))
            drawn = ((first[:, :, None] + np.arange(block)) % n).reshape(len(rows), -1)[:, :n]
        drawn += np.arange(0, rows.size, n)[:, None]
        rows[...] = np.bincount(drawn.reshape(-1), minlength=rows.size).reshape(rows.shape)
    return counts
