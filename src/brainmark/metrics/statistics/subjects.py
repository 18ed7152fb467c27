"""Ceilings between subjects: how well the mean of all others predicts one."""

from __future__ import annotations

from brainmark.core.comparison import Ceiling, Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.metrics._arrays.inputs import check_filled, check_numbers, unit_coordinates
from brainmark.metrics.statistics.averages import known_mean
from brainmark.metrics.statistics.correlation import pearson, resample_pearson
from brainmark.metrics.statistics.resampling import draws


def leave_one_subject_out(resamples: int = 1000, seed: int = 0, block: int = 1) -> Ceiling:
    """Return the ceiling of a correlation with single subjects: each one's r with the mean of all others.

    The ceiling takes a target (presentation, subject); NaN: not measured. Its `bounds` are the means of r with the
    others (lower: the mean of few is noisy) and with all, the subject itself included (upper), as Nili et al. 2014
    bound RDMs.

    Parameters
    ----------
    resamples, seed : of presentations, on the draws that metrics use.
    block : neighbouring presentations that are drawn together.

    Raises
    ------
    InvalidMeasurement : other dimensions, fewer than two subjects.
    """

    def ceiling(target: xr.DataArray) -> Comparison:
        check_filled(target, "target")
        check_numbers(target.values, "target", missing=True)
        if set(target.dims) != {"presentation", "subject"} or target.sizes["subject"] < 2:
            raise InvalidMeasurement(
                f"target has sizes {dict(target.sizes)}; leaving one subject out needs (presentation, subject), "
                "and two subjects at least"
            )
        y = np.asarray(target.transpose("presentation", "subject").values, float)
        counts = draws(len(y), resamples, seed, block)
        count = y.shape[1]
        lower, upper = np.full(count, np.nan), np.full(count, np.nan)
        replicates = np.full((resamples, count), np.nan)
        for s in range(count):
            others, everyone = known_mean(np.delete(y, s, axis=1)), known_mean(y)
            rows = np.flatnonzero(np.isfinite(y[:, s]) & np.isfinite(others))
            if len(rows) < 3:
                continue
            own = y[rows, s][:, None]
            lower[s] = pearson(own, others[rows, None])[0]
            upper[s] = pearson(own, everyone[rows, None])[0]
            replicates[:, s] = resample_pearson(own, others[rows, None], [len(rows)], counts[:, rows], False)[:, 0]
        return Comparison(
            values=xr.DataArray(lower, dims="subject", coords=unit_coordinates(target, "subject")),
            replicates=replicates if resamples else None,
            center="mean",
            bounds=(float(known_mean(lower[None])[0]), float(known_mean(upper[None])[0])),
        )

    return ceiling
