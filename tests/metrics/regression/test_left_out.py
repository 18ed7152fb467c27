"""Least squares of all folds from one factorisation."""

from __future__ import annotations

import numpy as np
import pytest

from brainmark.metrics.regression.features import prepare
from brainmark.metrics.regression.left_out import predict_left_out
from brainmark.metrics.statistics.splits import Fold, Random


def population(p: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(p)
    x = rng.standard_normal((70, p)) + 2
    return x, x[:, :5] @ rng.standard_normal((5, 3)) + 3 * rng.standard_normal((70, 3))


@pytest.mark.parametrize("p", [20, 150])
def test_least_squares_from_one_factorisation(p: int) -> None:
    x, y = population(p)
    folds = Random(4, 0.8, seed=1)(70)
    expected = []
    for train, test in folds:
        mean, offset = x[train].mean(axis=0), y[train].mean(axis=0)
        weights = np.linalg.lstsq(x[train] - mean, y[train] - offset, rcond=None)[0]
        expected.append((x[test] - mean) @ weights + offset)
    found = predict_left_out(prepare(x), y, folds)
    assert found is not None
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-9)


@pytest.mark.parametrize("p", [20, 150])
def test_one_factorisation_is_not_trusted_where_rounding_decides(p: int) -> None:
    x, y = population(p)
    folds = Random(4, 0.8, seed=1)(70)
    same = np.concatenate([x[:, :-1], x[:, :1]], axis=1) if p == 20 else np.concatenate([x[:1], x[:-1]])
    same = same if p == 20 else np.concatenate([same[1:2], same[1:]])  # two equal features, or presentations
    assert predict_left_out(prepare(same), y, folds) is None
    assert predict_left_out(prepare(x), y, [Fold(np.arange(30), np.arange(40, 50))]) is None
