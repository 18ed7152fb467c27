from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from brainmark.metrics.statistics.inference import false_discovery_rate, holm


@pytest.mark.parametrize("dependent", [False, True])
def test_false_discovery_rate_is_that_of_scipy(dependent: bool) -> None:
    p = np.random.default_rng(0).uniform(size=50) ** 2
    expected = stats.false_discovery_control(p, method="by" if dependent else "bh")
    np.testing.assert_allclose(false_discovery_rate(p, dependent), expected, rtol=1e-12)
    with_gap = np.insert(p, 7, np.nan)
    found = false_discovery_rate(with_gap, dependent)
    assert np.isnan(found[7])
    np.testing.assert_allclose(np.delete(found, 7), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="between 0 and 1"):
        false_discovery_rate(np.array([0.1, 1.2]))


def test_holm_is_the_step_down_procedure() -> None:
    found = holm(np.array([0.04, np.nan, 0.01, 0.03, 0.9]))
    np.testing.assert_allclose(found, [0.09, np.nan, 0.04, 0.09, 0.9])  # 2 x .04 < 3 x .03: no p falls behind
    np.testing.assert_allclose(holm(np.array([0.5, 0.6])), [1, 1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(np.array([-0.1]))
