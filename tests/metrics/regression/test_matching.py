from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.optimize import linprog

from brainmark.core import InvalidMeasurement
from brainmark.metrics.regression import matching
from brainmark.metrics.regression.features import prepare
from brainmark.metrics.regression.matching import (
    SoftMatching,
    cross_correlation,
    match_units,
    single_unit,
    transport,
)
from brainmark.metrics.regression.predictivity import ols
from brainmark.metrics.statistics.splits import Shuffled

RNG = np.random.default_rng(0)


def recording(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(
        values, dims=("presentation", "neuroid"), coords={"neuroid_id": ("neuroid", np.arange(values.shape[1]))}
    )


def test_the_partner_is_found_among_many() -> None:
    x = RNG.standard_normal((200, 40))
    y = x[:, [7, 7, 30]] * [2.0, 0.5, 3.0] + 0.3 * RNG.standard_normal((200, 3))
    comparison = single_unit(resamples=20)(recording(x), recording(y))
    expected = np.array([2, 0.5, 3]) / np.hypot([2, 0.5, 3], 0.3)
    np.testing.assert_allclose(comparison.values, expected, atol=0.03)
    folds = Shuffled(4)(200)
    rows = np.concatenate([f.test for f in folds])
    chosen = match_units(x, y, folds)
    np.testing.assert_allclose(chosen - x[rows][:, [7, 7, 30]], -x.mean(0)[[7, 7, 30]] + np.zeros((200, 3)), atol=1e-12)


def test_a_mirrored_unit_is_no_partner() -> None:
    x = RNG.standard_normal((150, 1))
    assert single_unit(resamples=0)(recording(x), recording(-x)).aggregate() == pytest.approx(-1.0)


def test_rotation_destroys_single_units_but_not_regression() -> None:
    x = RNG.standard_normal((300, 12))
    rotated = x @ np.linalg.qr(RNG.standard_normal((12, 12)))[0]
    assert single_unit(resamples=0)(recording(rotated), recording(x)).aggregate() < 0.8
    assert SoftMatching(resamples=0)(recording(rotated), recording(x)).aggregate() < 0.8
    assert ols(resamples=0)(recording(rotated), recording(x)).aggregate() > 0.999


def test_one_to_one_gives_no_unit_twice_and_is_best() -> None:
    x = RNG.standard_normal((60, 5))
    y = x[:, [0, 0, 1]] + 0.5 * RNG.standard_normal((60, 3))
    fold = Shuffled(2)(60)[:1]
    taken = match_units(x, y, fold, "one-to-one")
    r = cross_correlation(x[fold[0].train], y[fold[0].train])
    best = max(permutations(range(5), 3), key=lambda units: sum(r[u, j] for j, u in enumerate(units)))
    np.testing.assert_allclose(taken, (x - x.mean(0))[fold[0].test][:, best], atol=1e-12)
    assert len(set(best)) == 3
    with pytest.raises(InvalidMeasurement, match="2 < 3"):
        match_units(x[:, :2], y, fold, "one-to-one")
    with pytest.raises(InvalidMeasurement, match="dual=False"):
        match_units(prepare(x, dual=True), y, fold)


def test_constant_units_are_not_chosen() -> None:
    x = RNG.standard_normal((80, 3))
    x[:, 0] = 4.0
    assert cross_correlation(x, x)[0].tolist() == [-1, -1, -1]
    assert np.isfinite(single_unit(resamples=0)(recording(x), recording(-x[:, 1:])).values).all()


@pytest.mark.parametrize(("p", "q"), [(4, 7), (9, 5), (6, 6)])
def test_transport_is_the_linear_programme(p: int, q: int) -> None:
    r = RNG.standard_normal((p, q))
    plan = transport(r)
    np.testing.assert_allclose(plan.sum(0), 1 / q, atol=1e-9)
    np.testing.assert_allclose(plan.sum(1), 1 / p, atol=1e-9)
    equal = [np.zeros((p, q)) for _ in range(p + q)]
    for i in range(p):
        equal[i][i] = 1
    for j in range(q):
        equal[p + j][:, j] = 1
    best = linprog(-r.ravel(), A_eq=[e.ravel() for e in equal], b_eq=[1 / p] * p + [1 / q] * q)
    assert (plan * r).sum() == pytest.approx(-best.fun)


def test_soft_matching_is_symmetric_and_ignores_order() -> None:
    x = RNG.standard_normal((120, 8))
    y = x[:, :5] + RNG.standard_normal((120, 5))
    metric = SoftMatching(resamples=30)
    forward, back = metric(recording(x), recording(y)), metric(recording(y), recording(x))
    assert forward.aggregate() == pytest.approx(back.aggregate(), abs=1e-9)
    shuffled = metric(recording(x[:, RNG.permutation(8)]), recording(y))
    np.testing.assert_allclose(shuffled.values, forward.values, atol=1e-9)
    assert forward.replicates is not None
    assert forward.replicates.mean() == pytest.approx(forward.aggregate(), abs=0.05)
    same = metric(recording(x), recording(x))
    np.testing.assert_allclose(same.values, 1.0)


@pytest.mark.parametrize("stimuli", [25, 40])
def test_small_folds_do_not_shrink_the_replicates_of_soft_matching(stimuli: int) -> None:
    """Draws that leave two stimuli of a fold have no r: they count neither here nor there."""
    x = np.random.default_rng(2).standard_normal((stimuli, 4))
    y = x + 0.1 * np.random.default_rng(3).standard_normal(x.shape)
    found = SoftMatching(resamples=200)(recording(x), recording(y))
    assert found.replicates is not None
    assert found.values.values.min() > 0.85  # r over three stimuli scatters
    assert np.nanmedian(found.replicates, axis=0).min() > 0.85


def test_soft_matching_of_strangers_is_zero() -> None:
    values = [
        SoftMatching(resamples=0)(
            recording(RNG.standard_normal((60, 12))), recording(RNG.standard_normal((60, 9)))
        ).aggregate()
        for _ in range(20)
    ]
    assert abs(np.mean(values)) < 0.03


@pytest.mark.parametrize("library", [np.asarray, torch.asarray])
def test_partners_do_not_depend_on_how_many_units_pass_together(
    library: Callable[[np.ndarray], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(5)
    x, y = generator.normal(size=(40, 300)), generator.normal(size=(40, 7))
    x[:, 150:] = x[:, :150]  # of two equal ones the first is taken
    x[:, 0], y[:, 3] = 1.0, 2.0
    x -= x.mean(axis=0)
    folds = Shuffled(4, seed=1)(40)
    slow = [x[f.test][:, cross_correlation(x[f.train], y[f.train]).argmax(axis=0)] for f in folds]
    for part in slow:
        part[:, 3] = np.nan  # has no partner
    monkeypatch.setattr(matching, "_CACHED", 64)
    found = match_units(library(x), library(y), folds)
    np.testing.assert_allclose(np.asarray(found), np.concatenate(slow), atol=1e-9)
