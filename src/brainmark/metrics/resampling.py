"""Resampling of stimuli: every statistic of one benchmark rests on the same draws."""

from __future__ import annotations

import numpy as np


def draws(n: int, resamples: int, seed: int = 0) -> np.ndarray:
    """Return how often each of `n` presentations is drawn, with replacement, in each bootstrap sample.

    The same `n`, `resamples` and `seed` give the same draws, so that replicate k of a metric and of its ceiling belong
    together; the first draws do not depend on `resamples`.

    Parameters
    ----------
    n : presentations.
    resamples : bootstrap samples.
    seed : of the generator.

    Returns
    -------
    counts : (resamples, n) int16, rows sum to `n` (multinomial with equal probabilities).
    """
    if n < 1 or resamples < 0:
        raise ValueError(f"draws need at least one presentation and no negative number of resamples: {n}, {resamples}")
    generator = np.random.default_rng(seed)
    counts = np.empty((resamples, n), np.int16)
    for k in range(resamples):
        counts[k] = np.bincount(generator.integers(n, size=n), minlength=n)
    return counts
