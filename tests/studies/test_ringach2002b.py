"""Ringach 2002: shapes of receptive fields, as shipped."""

from __future__ import annotations

import numpy as np

from brainmark.core import datasets
from brainmark.studies import ringach2002b


def test_the_margins_of_receptive_field_shape_are_those_of_the_joint_table() -> None:
    counts, edges = ringach2002b.joint_counts()
    assert counts.shape == (5, 5)
    assert counts[1, 0] == 8  # short and narrow; (nx, ny), not the other way
    assert counts[2, 3] == 17
    np.testing.assert_allclose(edges, 10 ** np.linspace(-1, 0.2, 6), rtol=1e-5)
    shares = datasets["Ringach2002b.nx"].load().measurement.values / 79
    np.testing.assert_allclose(shares, [0.038, 0.278, 0.532, 0.152, 0], atol=0.0006)
    np.testing.assert_array_equal(datasets["Ringach2002b.ny"].load().measurement.values, counts.sum(axis=0))
