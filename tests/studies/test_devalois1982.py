"""De Valois 1982: histograms of cells, as shipped."""

from __future__ import annotations

import numpy as np
import pytest

from brainmark.core import datasets


def test_orientations_cover_the_circle_once() -> None:
    bins = datasets["DeValois1982.preferred_orientation"].load().measurement
    assert float(bins.coords["bin_end"][-1] - bins.coords["bin_start"][0]) == 180


def test_spatial_frequencies_have_the_published_centre() -> None:
    bins = datasets["DeValois1982.preferred_spatial_frequency"].load().measurement
    cells, edges = bins.values, np.append(bins.coords["bin_start"].values, bins.coords["bin_end"].values[-1])
    median = 2 ** np.interp(0.5, np.append(0, cells.cumsum()) / cells.sum(), np.log2(edges))
    assert median == pytest.approx(2.69, abs=0.01)
    assert cells[edges[:-1] >= 2].sum() / cells.sum() == pytest.approx(0.705, abs=0.001)
