"""How published values are made of a metric and its ceiling, for `core.Benchmark.published`."""

from __future__ import annotations

import math
from collections.abc import Mapping

from brainmark.brainscore.metrics.assemblies import aggregate
from brainmark.brainscore.metrics.behavior import behavior_ceiled
from brainmark.brainscore.metrics.ceilings import explained_variance, ratio
from brainmark.brainscore.metrics.times import Bin
from brainmark.core.comparison import Comparison, Published
from brainmark.core.libraries import np, xr


def _value(comparison: Comparison) -> float:
    return aggregate(comparison).value


def _explained(score: Comparison, ceiling: Comparison) -> float:
    return explained_variance(aggregate(score), aggregate(ceiling)).value


def _explained_over_time(score: Comparison, ceiling: Comparison) -> float:
    """Mean r^2 over mean reliability; bins without either do not count."""
    r, reliability = (np.asarray(c.values.values, float) for c in (score, ceiling))
    known = np.isfinite(r) & np.isfinite(reliability)
    return float((r[known] ** 2).mean() / reliability[known].mean()) if known.any() else math.nan


def _bounded(score: Comparison, ceiling: Comparison) -> float:
    return min(max(ratio(aggregate(score), aggregate(ceiling)).value, 0.0), 1.0)


EXPLAINED_VARIANCE = Published(_value, _explained)
"""Recordings: r^2 / reliability, each the median over neuroids of a split, averaged over splits."""

OVER_TIME = Published(Comparison.aggregate, _explained_over_time)
"""Recordings with time bins: published is one value a bin (see `Score.units`); the whole is ours."""

IMAGE_LEVEL = Published(_value, lambda score, ceiling: behavior_ceiled(score, ceiling).value)
"""Image-level behaviour: r / sqrt(ceiling) in each halving of the trials, averaged."""

BOUNDED_RATIO = Published(_value, _bounded)
"""Error consistency: score / ceiling within 0 and 1."""

RATIO = Published(_value, lambda score, ceiling: ratio(aggregate(score), aggregate(ceiling)).value)
"""Object solution times: score / ceiling."""

PLAIN = Published(_value, lambda score, _: _value(score))
"""Accuracy: as it is."""


def over_bins(parts: Mapping[Bin, Comparison]) -> Comparison:
    """Put the comparisons of time bins together: the published value of each."""
    edges = {f"time_bin_{edge}": ("time_bin", [b[k] for b in parts]) for k, edge in enumerate(("start", "end"))}
    values = [aggregate(part).value for part in parts.values()]
    notes = tuple(dict.fromkeys(note for part in parts.values() for note in part.notes))
    return Comparison(xr.DataArray(values, dims="time_bin", coords=edges), center="mean", notes=notes)
