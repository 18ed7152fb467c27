"""Controls on a mapping: folds that let neighbours leak, and the null of permuted presentations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from brainmark.core.comparison import Comparison, center
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.metrics._arrays.inputs import Recording, recordings
from brainmark.metrics._arrays.shapes import Float
from brainmark.metrics.regression.predictivity import TEN_FOLDS, Predictivity, paired
from brainmark.metrics.statistics.splits import Contiguous, Splitter

TEN_BLOCKS = Contiguous(10)
WARN_GAP = 0.05  # in r: more than this is not the noise of another choice of folds in usual data


@dataclass(frozen=True)
class Gap:
    """Shuffled against contiguous folds of the same metric.

    A difference above 0 is what temporal autocorrelation lends to a mapping when neighbours train and test.
    """

    shuffled: Comparison
    contiguous: Comparison

    @property
    def value(self) -> float:
        """Shuffled less contiguous score; a prediction that is constant in contiguous folds explains nothing there."""
        apart = self.contiguous.aggregate()
        return self.shuffled.aggregate() - (apart if math.isfinite(apart) else 0.0)

    @property
    def warning(self) -> str | None:
        """What to tell the reader, if the gap is large."""
        if not self.value > WARN_GAP:
            return None
        return (
            f"shuffled folds score {self.value:.2f} higher than contiguous ones: neighbouring presentations resemble "
            "each other, and part of the shuffled score is their autocorrelation"
        )


def shuffled_minus_contiguous(
    metric: Predictivity,
    prediction: Recording,
    target: Recording,
    shuffled: Splitter = TEN_FOLDS,
    contiguous: Splitter = TEN_BLOCKS,
) -> Gap:
    """Score a prediction under both kinds of folds. `target` rows are in the order in which they were presented."""
    return Gap(*(replace(metric, splits=s)(prediction, target) for s in (shuffled, contiguous)))


@dataclass(frozen=True, eq=False)
class Permutation:
    """A score and what it is when presentations do not correspond.

    Attributes
    ----------
    value : centre over units.
    null : (permutations,) the same with permuted presentations.
    units_null : (permutations, unit).
    p : share of permutations, the true order among them, that score at least as high, or have no defined score;
        NaN where the true order has none.
    """

    value: float
    null: Float[np.ndarray, " permutation"]
    units_null: Float[np.ndarray, "permutation unit"]
    p: float


def permutation_test(
    metric: Predictivity,
    prediction: Recording,
    target: Recording,
    permutations: int = 200,
    seed: int = 0,
    how: Literal["shuffle", "shift"] = "shuffle",
    within: str | None = None,
) -> Permutation:
    """Test the hypothesis that prediction and target are not related.

    The whole metric, mapping and choice of penalties included, is computed for each permutation, on products of the
    features that are computed once.

    Parameters
    ----------
    metric : a mapping; its replicates are not computed.
    permutations : how many; the smallest p is 1 / (permutations + 1).
    seed : of the permutations.
    how : "shuffle" exchanges any presentations; "shift" moves all by the same random number of places (circular),
        which keeps the autocorrelation of sequences.
    within : coordinate along presentation; presentations are exchanged among those with the same label alone.

    Raises
    ------
    InvalidMeasurement : fewer than 20 permutations, an unknown label.
    """
    if permutations < 20:
        raise InvalidMeasurement(f"{permutations} permutations cannot tell a p of .05")
    metric = replace(metric, resamples=0)
    prediction, target = recordings(prediction, target)
    x, y = paired(prediction, target)
    features = metric.prepared(x)
    value = metric.compare(features, y, prediction, target)
    generator = np.random.default_rng([seed, 3])
    blocks = _blocks(within, prediction, target, len(y))
    units = np.empty((permutations, y.shape[1]))
    for k in range(permutations):
        order = np.arange(len(y))
        for block in blocks:
            moved = generator.permutation(block) if how == "shuffle" else np.roll(block, _step(generator, len(block)))
            order[block] = moved
        units[k] = metric.compare(features, y[order], prediction, target).values.values
    null = center(units, value.center)
    observed = value.aggregate()
    lower = int(np.sum(null < observed - 1e-12))
    p = (1 + permutations - lower) / (1 + permutations) if math.isfinite(observed) else math.nan
    return Permutation(observed, null, units, p)


def _step(generator: np.random.Generator, size: int) -> int:
    return int(generator.integers(1, size)) if size > 1 else 0


def _blocks(within: str | None, prediction: xr.DataArray, target: xr.DataArray, n: int) -> Sequence[np.ndarray]:
    if within is None:
        return [np.arange(n)]
    source = next((a for a in (target, prediction) if within in a.coords), None)
    if source is None:
        raise InvalidMeasurement(f"presentations have no coordinate {within!r} to permute within")
    codes = np.unique(source.coords[within].values.astype(str), return_inverse=True)[1]
    return [np.flatnonzero(codes == c) for c in range(int(codes.max()) + 1)]
