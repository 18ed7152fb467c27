"""Nuisance features that only depend on the order of words; a model should explain more than they do."""

from __future__ import annotations

from collections.abc import Sequence

from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Float, Shaped


def autocorrelation(
    groups: Sequence[object] | Shaped[np.ndarray, " presentation"], sigma: float = 1.0
) -> Float[np.ndarray, "presentation presentation"]:
    """Return the identity of each presentation, blurred over its neighbours within a group: (n, n), block by block.

    The "orthogonal autocorrelated sequences model" (OASM; Feghhi et al. 2024): it knows nothing but which
    presentations were close in time, and predicts any slow signal when folds are shuffled.

    Parameters
    ----------
    groups : label of each presentation, in the order in which they were presented.
    sigma : width in presentations of the Gaussian by which neighbours resemble each other; 0: not at all.
    """
    same = np.equal.outer(np.asarray(groups), np.asarray(groups))
    place = np.tril(same).sum(axis=1)  # how many of the same group came before
    distance = place[:, None] - place[None, :]
    blurred = (distance == 0).astype(float) if sigma == 0 else np.exp(-0.5 * (distance / sigma) ** 2)
    return np.where(same, blurred, 0.0)
