"""Ringach 2002: every figure that is known about the published files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import spearmanr

from brainmark.core.dataset import Dataset
from brainmark.studies import ringach2002

pytestmark = pytest.mark.realdata


def test_ringach_cells_and_medians(study: Callable[[str], Dataset]) -> None:
    measured = {name: study(f"Ringach2002.{name}").measurement for name in ringach2002.PROPERTIES}
    assert {cells.sizes["neuroid"] for cells in measured.values()} == {304}
    expected = {"max_dc": 33.80, "spontaneous": 0.816, "modulation_ratio": 0.571, "circular_variance": 0.599}
    for name, value in expected.items():
        assert float(measured[name].median()) == pytest.approx(value, abs=0.0051 if name == "max_dc" else 0.00051)


def test_ringach_properties_are_in_their_range_and_related(study: Callable[[str], Dataset]) -> None:
    variance = study("Ringach2002.circular_variance").measurement
    ratio = study("Ringach2002.orthogonal_preferred").measurement
    bandwidth = study("Ringach2002.orientation_bandwidth").measurement
    assert 0 <= float(variance.min()) <= float(variance.max()) <= 1
    assert 0 < float(bandwidth.min()) <= float(bandwidth.max()) <= 180
    np.testing.assert_array_equal(variance.coords["neuroid_id"], ratio.coords["neuroid_id"])
    assert spearmanr(variance, ratio).statistic == pytest.approx(0.942, abs=0.001)
    np.testing.assert_allclose(study("Ringach2002.orthogonal_less_variance").measurement, ratio - variance)
    simple = study("Ringach2002.modulation_ratio").measurement > 1
    assert float(simple.mean()) == pytest.approx(0.398, abs=0.0005)


@pytest.mark.parametrize("name", ["circular_variance", "modulation_ratio"])
def test_the_shipped_summary_is_that_of_the_cells(study: Callable[[str], Dataset], name: str) -> None:
    summary = study(f"Ringach2002.summary.{name}").measurement
    edges = np.append(summary.coords["bin_start"].values, summary.coords["bin_end"].values[-1])
    counts, _ = np.histogram(study(f"Ringach2002.{name}").measurement, edges)
    np.testing.assert_array_equal(summary.values, counts)
