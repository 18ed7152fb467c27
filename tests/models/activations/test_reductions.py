from __future__ import annotations

import numpy as np
import pytest
import torch

from brainmark.models.activations.reductions import AtPositions, MeanOver, SpatialMean, TakeAt


def test_means_and_positions():
    values = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).view(2, 3, 4, 5)
    np.testing.assert_allclose(SpatialMean()(values), values.numpy().mean((2, 3)))
    assert SpatialMean()(values[:, :, 0]) is not None and SpatialMean()(values[..., 0]).shape == (2, 3, 4)
    np.testing.assert_allclose(MeanOver((1, 3))(values), values.numpy().mean((1, 3)))
    np.testing.assert_array_equal(TakeAt(-1)(values), values[:, -1])
    np.testing.assert_array_equal(TakeAt(0, dim=3)(values), values[..., 0])
    with pytest.raises(ValueError, match=r"dims = \(0,\); dimension 0 holds the stimuli"):
        MeanOver((0,))


def test_units_at_some_positions_of_a_map():
    values = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).view(2, 3, 4, 5)
    chosen = AtPositions(np.array([0, 7]))(values)
    np.testing.assert_array_equal(chosen, torch.stack([values[:, :, 0, 0], values[:, :, 1, 2]], 2))
