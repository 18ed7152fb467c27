"""Resampling of stimuli: every statistic of one benchmark rests on the same draws."""

from __future__ import annotations

from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Integer

_BLOCK = 2**18  # presentations drawn at a time


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
