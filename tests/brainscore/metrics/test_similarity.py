"""The published similarities against slow formulas, on labelled recordings in other orders."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

from brainmark.brainscore import metrics as bs
from brainmark.brainscore.metrics import similarity as module
from brainmark.brainscore.metrics.splits import split_by_strata

COUNT = 60
GENERATOR = np.random.default_rng(5)
LATENT = GENERATOR.normal(size=(COUNT, 4))
X, Y = (LATENT @ GENERATOR.normal(size=(4, k)) + 1 + GENERATOR.normal(size=(COUNT, k)) for k in (80, 9))
OBJECTS = np.array([f"object{i % 4}" for i in range(COUNT)])


def recording(values: np.ndarray, order: np.ndarray | None = None) -> xr.DataArray:
    order = np.arange(len(values)) if order is None else order
    coords = {
        "stimulus_id": ("presentation", np.array([f"image{i}" for i in order])),
        "object_name": ("presentation", OBJECTS[order]),
    }
    return xr.DataArray(values[order], dims=("presentation", "neuroid"), coords=coords)


def rdm(x: np.ndarray, y: np.ndarray) -> float:
    pairs = np.triu_indices(len(x), 1)
    return float(spearmanr(1 - np.corrcoef(x)[pairs], 1 - np.corrcoef(y)[pairs]).statistic)


def cka(x: np.ndarray, y: np.ndarray, unbiased: bool) -> float:
    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        n = len(k)
        if not unbiased:
            centring = np.eye(n) - 1 / n
            return float(np.trace(k @ centring @ m @ centring))
        k, m = (v - np.diag(np.diag(v)) for v in (k, m))
        ones = k.sum() * m.sum() / ((n - 1) * (n - 2))
        return float(((k * m).sum() + ones - 2 / (n - 2) * (k.sum(0) @ m.sum(0))) / (n * (n - 3)))

    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


SLOW = {
    "rdm": rdm,
    "cka": lambda x, y: cka(x, y, unbiased=True),
    "cka_biased": lambda x, y: cka(x, y, unbiased=False),
}
WHOLE = {"rdm": bs.rdm(), "cka": bs.cka(), "cka_biased": bs.cka(unbiased=False)}
SUBSAMPLED = {"rdm": bs.rdm_cv(), "cka": bs.cka_cv(), "cka_biased": bs.cka_cv(unbiased=False)}


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_whole_populations_in_any_order(name: str, dtype: type) -> None:
    order = np.random.default_rng(0).permutation(COUNT)
    found = WHOLE[name](recording(X.astype(dtype), order), recording(Y.astype(dtype)))
    expected = SLOW[name](X.astype(dtype).astype(float), Y.astype(dtype).astype(float))
    assert found.aggregate() == pytest.approx(expected, abs=1e-10 if dtype is np.float64 else 1e-6)


@pytest.mark.parametrize("name", SLOW)
def test_subsets_are_those_of_the_target(name: str) -> None:
    order = np.random.default_rng(1).permutation(COUNT)
    found = SUBSAMPLED[name](recording(X, order), recording(Y))
    folds = split_by_strata(OBJECTS, 10, None, 1, test_size=0.9)
    expected = [[SLOW[name](X[fold.test], Y[fold.test])] for fold in folds]
    assert found.splits is not None
    np.testing.assert_allclose(found.splits.values, expected, atol=1e-10)


def test_single_precision_of_many_presentations_gives_the_same_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MANY", 10)
    found = bs.rdm()(recording(X.astype(np.float32)), recording(Y.astype(np.float32)))
    assert found.aggregate() == pytest.approx(rdm(X.astype(np.float32), Y.astype(np.float32)), abs=1e-6)


@pytest.mark.parametrize("metric", [*WHOLE.values(), *SUBSAMPLED.values()])
def test_a_constant_side_has_no_similarity(metric: module.Whole | module.Subsampled) -> None:
    constant = np.full((COUNT, 5), 0.25)
    assert np.isnan(metric(recording(constant), recording(Y)).aggregate())
    assert np.isnan(metric(recording(X), recording(constant)).aggregate())


def test_patterns_at_equal_distances_get_the_published_zero() -> None:
    for equal in (np.eye(COUNT), np.zeros((COUNT, 3)) + np.eye(COUNT)[:, :1]):  # no estimated variance
        assert bs.cka()(recording(equal), recording(Y)).aggregate() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["rdm", "rdm_cv"])
def test_ties_are_ranked_as_published(name: str) -> None:
    """Few units that are on or off have few distances: rounding by the published steps ranks those that are equal."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((COUNT, 9)) > 0, np.round(rng.standard_normal((COUNT, 5)))
    x, y = x[(x != x[:, :1]).any(axis=1)][:40], y[(y != y[:, :1]).any(axis=1)][:40]
    ids = np.array([f"im{i}" for i in range(40)])
    order = rng.permutation(40)

    def side(values: np.ndarray, order: np.ndarray) -> xr.DataArray:
        return xr.DataArray(
            values[order], dims=("presentation", "neuroid"), coords={"stimulus_id": ("presentation", ids[order])}
        )

    def published(rows: np.ndarray) -> float:
        rows = rows[np.argsort(ids[rows])]
        pairs = np.triu_indices(len(rows), 1)
        return float(spearmanr(*((1 - np.corrcoef(v[rows]))[pairs] for v in (x, y)))[0])

    if name == "rdm":
        found = bs.rdm()(side(x, order), side(y, np.arange(40))).values.values
        expected = [published(np.arange(40))]
    else:
        found = bs.rdm_cv(None)(side(x, order), side(y, np.arange(40))).splits.values[:, 0]
        expected = [published(fold.test) for fold in bs.shuffle_splits(40, 10, None, 1, test_size=0.9)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
