"""Comparisons of RDMs under resampled conditions, exact and without building a single resampled RDM.

A draw gives condition i a count c_i; the pair (i, j) then stands c_i c_j times in the resampled RDM, and pairs of a
condition with its own copies are left out (their dissimilarity is zero by construction, not by measurement), as
rsatoolbox does. Moments are therefore quadratic forms ``c' D c`` (one matrix product for all draws), and midranks
are cumulative sums of the weights ``c_i c_j`` in the order of the values.
"""

from __future__ import annotations

from collections.abc import Iterator

from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.similarity.rdm import COMPARISONS, Compare, upper
from brainmark.metrics.similarity.rdm_whitened import whiten_rdms
from brainmark.metrics.statistics.averages import divide
from brainmark.metrics.statistics.correlation import FEWEST_ROWS

_BLOCK_BYTES = 2**19  # of one (pairs, draws) array: stays in the cache


def resample_rdms(
    one: Real[np.ndarray, "condition condition"],
    others: Real[np.ndarray, "rdm condition condition"],
    counts: Real[np.ndarray, "draw condition"],
    compare: Compare = "spearman",
) -> Float[np.ndarray, "draw rdm"]:
    """Return the similarity of one RDM with several others, under resampled conditions.

    Parameters
    ----------
    one : (condition, condition), symmetric; NaN off the diagonal: not measured.
    others : (rdm, condition, condition), the same.
    counts : (draw, condition), how often each condition was drawn.
    compare : as `compare_rdms`.

    Returns
    -------
    (draw, rdm); NaN where a draw leaves the comparison undefined, as with fewer than three different pairs.
    """
    counts = np.asarray(counts, float)
    found = _compare_draws(one, others, counts, compare)
    for which in _same_pairs(one, others):
        few = _drawn_pairs(np.isfinite(one) & np.isfinite(others[which[0]]), counts) < FEWEST_ROWS
        found[few[:, None] & np.isin(np.arange(len(others)), which)] = np.nan
    return found


def _drawn_pairs(known: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return how many different pairs of conditions (draw,) a draw holds: copies of a pair are not further pairs."""
    drawn = (counts > 0).astype(float)
    number = drawn.sum(axis=1)
    if known.sum() - np.diagonal(known).sum() == known.size - len(known):
        return number * (number - 1) / 2
    between = known.astype(float)
    np.fill_diagonal(between, 0)
    return ((drawn @ between) * drawn).sum(axis=1) / 2


def _compare_draws(one: np.ndarray, others: np.ndarray, counts: np.ndarray, compare: Compare) -> np.ndarray:
    """Return the similarities (draw, rdm), of whatever was drawn."""
    if compare in ("pearson", "cosine"):
        one, others = np.asarray(one, float), np.asarray(others, float)
        return _moments(one, others, counts, centred=compare == "pearson")
    if compare in ("spearman", "rho-a"):
        return _compare_ranks(upper(np.asarray(one, float)), upper(np.asarray(others, float)), counts, compare)
    if compare in ("whitened-pearson", "whitened-cosine"):
        return whiten_rdms(one, others, counts, centred=compare == "whitened-pearson")
    return _expand(one, others, counts, compare)


def _moments(one: np.ndarray, others: np.ndarray, counts: np.ndarray, centred: bool) -> np.ndarray:
    """Compute Pearson or cosine from quadratic forms ``c' D c``, all in one product of matrices; (draw, rdm)."""
    result = np.empty((len(counts), len(others)))
    size = len(one)
    for which in _same_pairs(one, others):
        known = np.isfinite(one) & np.isfinite(others[which[0]])
        np.fill_diagonal(known, val=False)
        # A shift changes no correlation, and keeps the differences below exact.
        x, *ys = (
            np.where(known, m - (m[known].mean() if centred and known.any() else 0.0), 0.0)
            for m in (one, *others[which])
        )
        sides = [known, x, x * x] + [side for y in ys for side in (y, y * y, x * y)]
        stack = np.concatenate(sides, axis=1, dtype=float)
        forms = np.empty((len(counts), len(sides)))
        step = max(1, 16 * _BLOCK_BYTES // (8 * stack.shape[1]))
        for start in range(0, len(counts), step):
            block = counts[start : start + step]
            products = (block @ stack).reshape(len(block), len(sides), size)
            forms[start : start + step] = np.matmul(products, block[:, :, None])[:, :, 0]
        weight, sx, xx = forms[:, :3].T
        for k, (sy, yy, xy) in zip(which, forms[:, 3:].reshape(len(counts), -1, 3).transpose(1, 2, 0), strict=True):
            rounding = np.finfo(float).eps * 1e3 * weight
            floors = rounding * (x * x).mean(), rounding * (ys[which.index(k)] ** 2).mean()
            if centred:
                with np.errstate(invalid="ignore", divide="ignore"):
                    parts = xy - sx * sy / weight, xx - sx * sx / weight, yy - sy * sy / weight
            else:
                parts = xy, xx, yy
            result[:, k] = _ratio(*parts, *floors)
    return result


def _ratio(xy: np.ndarray, xx: np.ndarray, yy: np.ndarray, least_x: np.ndarray, least_y: np.ndarray) -> np.ndarray:
    length = np.sqrt(np.clip(xx, 0, None)) * np.sqrt(np.clip(yy, 0, None))
    defined = (xx > least_x) & (yy > least_y)  # either may be nothing but rounding
    return np.where(defined, np.clip(xy / np.where(defined, length, 1), -1, 1), np.nan)


class _Order:
    """The order of a vector's values, with its ties, for midranks under changing weights."""

    def __init__(self, values: np.ndarray) -> None:
        self.order = np.argsort(values, kind="stable")
        self.inverse = np.empty_like(self.order)
        self.inverse[self.order] = np.arange(len(values))
        ordered = values[self.order]
        new = np.append(True, ordered[1:] != ordered[:-1])
        self.starts = None if new.all() else np.flatnonzero(new)
        self.group = np.cumsum(new) - 1

    def ranks(self, weights: Real[np.ndarray, "pair draw"]) -> Float[np.ndarray, "pair draw"]:
        """Return the centred midranks (pair, draw) in sorted order, of values that stand `weights` times each."""
        sizes = weights if self.starts is None else np.add.reduceat(weights, self.starts, axis=0)
        ranks = np.cumsum(sizes, axis=0)
        half = ranks[-1] / 2
        ranks -= sizes / 2
        ranks -= half
        return ranks if self.starts is None else ranks.take(self.group, axis=0)


def _compare_ranks(one: np.ndarray, others: np.ndarray, counts: np.ndarray, compare: Compare) -> np.ndarray:
    """Compute Spearman or rho-a with the ranks computed anew for each draw; (draw, rdm)."""
    result = np.full((len(counts), len(others)), np.nan)
    rows, columns = np.triu_indices(counts.shape[1], 1)
    for which in _same_pairs(one, others):
        known = np.flatnonzero(np.isfinite(one) & np.isfinite(others[which[0]]))
        if len(known) < 3:
            continue
        model, targets = _Order(one[known]), [_Order(others[k][known]) for k in which]
        first, second = rows[known][model.order], columns[known][model.order]
        seen_from_model = [model.inverse[t.order] for t in targets]
        for draws, block in _blocks(counts, len(known)):
            weights = block.take(first, axis=0)
            weights *= block.take(second, axis=0)
            x = model.ranks(weights)
            wx = weights * x
            xx = _dot(wx, x)
            total = weights.sum(axis=0)
            for k, target, order in zip(which, targets, seen_from_model, strict=True):
                w = weights.take(order, axis=0)
                y = target.ranks(w)
                xy = _dot(wx.take(order, axis=0), y)
                if compare == "rho-a":
                    result[draws, k] = divide(12 * xy, total**3 - total)
                else:
                    w *= y
                    result[draws, k] = divide(xy, np.sqrt(xx * _dot(w, y)))
    return result


def _blocks(counts: np.ndarray, pairs: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield some draws at a time, as (condition, draw): what is done to a pair is done to neighbours in memory."""
    step = max(1, _BLOCK_BYTES // (8 * pairs))
    for start in range(0, len(counts), step):
        draws = slice(start, start + step)
        yield draws, np.ascontiguousarray(counts[draws].T)


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the sum of products over pairs, (draw,) from (pair, draw) twice."""
    return np.einsum("pd,pd->d", one, other)


def resample_agreement(
    rdms: Real[np.ndarray, "rdm condition condition"],
    counts: Real[np.ndarray, "draw condition"],
    compare: Compare = "spearman",
) -> Float[np.ndarray, " draw"]:
    """Return the mean similarity between two different RDMs of a set, under resampled conditions.

    Parameters
    ----------
    rdms : (rdm, condition, condition)
    counts, compare : as `resample_rdms`.

    Returns
    -------
    (draw,)
    """
    counts, vectors = np.asarray(counts, float), upper(np.asarray(rdms, float))
    size = len(rdms)
    if compare not in ("spearman", "rho-a") or not np.isfinite(vectors).all():
        pairs = [resample_rdms(rdms[s], rdms[s + 1 :], counts, compare).sum(axis=1) for s in range(size - 1)]
        return np.sum(pairs, axis=0) * 2 / (size * (size - 1))
    # The sum over pairs of products is (square of the sum - sum of squares) / 2: one ranking for each RDM.
    rows, columns = np.triu_indices(counts.shape[1], 1)
    orders = [_Order(vector) for vector in vectors]
    result = np.empty(len(counts))
    for draws, block in _blocks(counts, len(rows)):
        weights = block.take(rows, axis=0) * block.take(columns, axis=0)
        total, squares = np.zeros_like(weights), np.zeros(weights.shape[1])
        for order in orders:
            ranks = order.ranks(weights.take(order.order, axis=0)).take(order.inverse, axis=0)
            square = _dot(weights * ranks, ranks)
            if compare == "spearman":
                ranks *= divide(np.ones_like(square), np.sqrt(square))
                square = np.where(square > 0, 1.0, np.nan)
            total += ranks
            squares += square
        products = _dot(weights * total, total) - squares
        number = weights.sum(axis=0)
        scale = 12 / (number**3 - number) if compare == "rho-a" else 1.0
        result[draws] = products * scale / (size * (size - 1))
    result[_drawn_pairs(np.ones(rdms.shape[1:], bool), counts) < FEWEST_ROWS] = np.nan
    return result


def _same_pairs(one: np.ndarray, others: np.ndarray) -> list[list[int]]:
    """Group the other RDMs by which pairs can be compared."""
    groups: dict[bytes, list[int]] = {}
    for k, other in enumerate(others):
        groups.setdefault(np.packbits(np.isfinite(one) & np.isfinite(other)).tobytes(), []).append(k)
    return list(groups.values())


def _expand(one: np.ndarray, others: np.ndarray, counts: np.ndarray, compare: Compare) -> np.ndarray:
    """Compute any comparison from the resampled RDMs themselves."""
    result = np.full((len(counts), len(others)), np.nan)
    rows, columns = np.triu_indices(counts.shape[1], 1)
    model, targets = upper(np.asarray(one, float)), upper(np.asarray(others, float))
    for d, count in enumerate(counts.astype(int)):
        weights = count[rows] * count[columns]
        x = np.repeat(model, weights)
        for k, target in enumerate(targets):
            y = np.repeat(target, weights)
            known = np.isfinite(x) & np.isfinite(y)
            if known.sum() >= 3:
                result[d, k] = COMPARISONS[compare](x[known], y[known])
    return result
