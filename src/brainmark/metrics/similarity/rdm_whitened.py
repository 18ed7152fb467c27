"""Whitened comparison of RDMs: weighs dissimilarities by how their estimation errors covary.

Under noise that is independent between conditions, the errors of distances (i, j) and (k, l) have the covariance V = 4
if they are the same pair, 1 if they share a condition, 0 otherwise (Diedrichsen et al. 2021, eq. 14, arXiv 2007.02789).
With M the incidence matrix of conditions and pairs, V = 2 I + M'M, so that its inverse needs a system of the size of
the conditions only. Resampled conditions that are copies of each other have equal rows, which keeps the system at that
size and solvable in closed form where every pair was measured.
"""

from __future__ import annotations

from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Float, Real


def whiten_rdms(
    one: Real[np.ndarray, "condition condition"],
    others: Real[np.ndarray, "rdm condition condition"],
    counts: Real[np.ndarray, "draw condition"],
    centred: bool,
) -> Float[np.ndarray, "draw rdm"]:
    """Return the whitened cosine (or Pearson) similarity under resampled conditions.

    Parameters
    ----------
    one : (condition, condition), symmetric; NaN: not measured.
    others : (rdm, condition, condition)
    counts : (draw, condition), how often each condition was drawn; pairs of copies are left out.
    centred : subtract the mean dissimilarity first (whitened Pearson).

    Returns
    -------
    (draw, rdm); NaN where a draw leaves it undefined.
    """
    counts = np.asarray(counts, float)
    return np.stack(
        [_compare_whitened(np.asarray(one, float), np.asarray(o, float), counts, centred) for o in others], axis=1
    )


def _compare_whitened(
    one: Float[np.ndarray, "condition condition"],
    other: Float[np.ndarray, "condition condition"],
    counts: Real[np.ndarray, "draw condition"],
    centred: bool,
) -> Float[np.ndarray, " draw"]:
    known = np.isfinite(one) & np.isfinite(other)
    np.fill_diagonal(known, val=False)
    # A shift changes no correlation, and keeps the differences below exact.
    level = [side[known].mean() if centred and known.any() else 0.0 for side in (one, other)]
    x, y = (np.where(known, side - mean, 0.0) for side, mean in zip((one, other), level, strict=True))
    unit = known.astype(float)
    solve = _solve_closed if known.sum() == known.size - len(known) else _solve_each
    sides = [x, y, unit]
    row_sums = [counts @ side for side in sides]
    solutions = [solve(sums, counts, unit) for sums in row_sums]

    def product(a: int, b: int) -> np.ndarray:
        """Return x_a' V^-1 x_b over the resampled pairs."""
        plain = ((counts @ (sides[a] * sides[b])) * counts).sum(axis=1) / 2
        return (plain - (counts * solutions[a] * row_sums[b]).sum(axis=1)) / 2

    xx, yy, xy = product(0, 0), product(1, 1), product(0, 1)
    if centred:  # subtracting a constant m from x changes products bilinearly; no resampled RDM is needed
        pairs = (row_sums[2] * counts).sum(axis=1)
        enough = pairs > 0
        mx, my = (
            np.where(enough, (sums * counts).sum(axis=1) / np.where(enough, pairs, 1), 0.0) for sums in row_sums[:2]
        )
        x1, y1, ones = product(0, 2), product(1, 2), product(2, 2)
        xx, yy, xy = (
            xx - 2 * mx * x1 + mx**2 * ones,
            yy - 2 * my * y1 + my**2 * ones,
            xy - mx * y1 - my * x1 + mx * my * ones,
        )
    length = np.sqrt(np.clip(xx, 0, None)) * np.sqrt(np.clip(yy, 0, None))
    floors = (1e-13 * (np.abs(side).max(initial=0) * counts.sum(axis=1)) ** 2 for side in (x, y))
    defined = np.all([own > floor for own, floor in zip((xx, yy), floors, strict=True)], axis=0)
    return np.where(defined, np.clip(xy / np.where(defined, length, 1), -1, 1), np.nan)


def _solve_closed(sums: np.ndarray, counts: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Solve (2 I + M M') z = sums when all pairs of different conditions were measured, (draw, condition).

    M M' is diagonal (the degrees N - c) plus one between different conditions, so z = (sums - t) / (2 + N - 2 c) with
    t = sum of c z. Where a condition takes c = N / 2 + 1 of the draw, its row says t = sums instead.
    """
    total = counts.sum(axis=1, keepdims=True)
    slope = 2 + total - 2 * counts
    half = np.abs(slope) < 1e-9  # of no more than one condition in a draw
    slope = np.where(half, 1.0, slope)
    share = np.where(half, 0.0, counts / slope)
    t = (share * sums).sum(axis=1, keepdims=True) / (1 + share.sum(axis=1, keepdims=True))
    t = np.where(half.any(axis=1, keepdims=True), (half * sums).sum(axis=1, keepdims=True), t)
    z = np.where(half, 0.0, (sums - t) / slope)
    rest = t - (counts * z).sum(axis=1, keepdims=True)
    return np.where(half, rest / np.where(half, counts, 1.0), z)


def _solve_each(sums: np.ndarray, counts: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Solve the same system when some pairs are missing."""
    size = counts.shape[1]
    result = np.empty_like(sums)
    for d, count in enumerate(counts):
        system = known * count[None, :] + np.diag(2 + known @ count)
        result[d] = np.linalg.solve(system, sums[d]) if size else sums[d]
    return result
