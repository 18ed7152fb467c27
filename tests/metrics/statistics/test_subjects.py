from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.core import InvalidMeasurement
from brainmark.metrics.statistics.subjects import leave_one_subject_out


def raters(n: int, subjects: int, noise: float, seed: int = 0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n, 1)) + np.sqrt(noise) * rng.standard_normal((n, subjects))
    return xr.DataArray(
        values, dims=("presentation", "subject"), coords={"subject": [f"s{i}" for i in range(subjects)]}
    )


def test_leaving_one_subject_out() -> None:
    """r of one rater (noise v) with the mean of k others: 1 / sqrt((1 + v)(1 + v / k))."""
    found = leave_one_subject_out(resamples=20)(raters(4000, 8, noise=2.0))
    assert found.aggregate() == pytest.approx(1 / np.sqrt(3 * (1 + 2 / 7)), abs=0.01)
    assert found.bounds is not None
    assert found.bounds[0] == pytest.approx(found.aggregate())
    # with itself in the mean of 8: covariance 1 + v / 8
    assert found.bounds[1] == pytest.approx((1 + 2 / 8) / np.sqrt(3 * (1 + 2 / 8)), abs=0.01)
    assert found.values.coords["subject"].values.tolist() == [f"s{i}" for i in range(8)]


def test_raters_that_saw_other_items_are_compared_on_those_they_share() -> None:
    target = raters(300, 4, noise=1.0)
    target.values[:150, 0] = np.nan
    target.values[0, :] = np.nan
    found = leave_one_subject_out(resamples=0)(target)
    own, others = target.values[150:, 0], target.values[150:, 1:].mean(1)
    assert float(found.values[0]) == pytest.approx(np.corrcoef(own, others)[0, 1])
    with pytest.raises(InvalidMeasurement, match="two subjects at least"):
        leave_one_subject_out()(target.isel(subject=[0]))
