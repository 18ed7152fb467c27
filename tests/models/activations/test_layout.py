from __future__ import annotations

import pytest

from brainmark.models.activations.layout import decide_order


@pytest.mark.parametrize(
    ("across", "down", "shape", "order"),
    [
        ((0.0, 0.1, 1.0), (0.0, 0.9, 0.1), (8, 7, 7), (1, 2, 3)),
        ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (7, 7, 8), (3, 1, 2)),
        ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (7, 7, 7), (1, 3, 2)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (8, 7, 7), (1, 2, 3)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (7, 7, 8), (3, 1, 2)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (7, 7, 7), (1, 2, 3)),
        ((0.3, 0.0, 0.0), (0.0, 0.0, 0.0), (2, 7, 7), (1, 2, 3)),  # few channels, by accident
        ((0.0, 0.02, 0.02), (0.0, 0.3, 0.3), (4, 49, 49), None),  # attention weights: both are tokens, row by row
        ((0.0, 0.1, 0.4), (0.0, 0.1, 0.7), (2, 16, 16), None),
        ((0.0, 0.1, 0.0), (0.0, 0.9, 0.0), (4, 49, 16), None),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (4, 49, 16), None),
    ],
)
def test_an_order_is_what_changes_move_along(across, down, shape, order):
    assert decide_order(across, down, shape) == order


def test_without_a_change_a_map_has_the_proportions_of_the_picture():
    still = (0.0, 0.0, 0.0)
    assert decide_order(still, still, (9, 32, 16), proportion=2.0) == (1, 2, 3)
    assert decide_order(still, still, (32, 16, 9), proportion=2.0) == (3, 1, 2)
    assert decide_order(still, still, (32, 9, 16), proportion=2.0) is None
