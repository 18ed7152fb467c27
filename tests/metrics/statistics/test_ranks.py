from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from brainmark.metrics.statistics import ranks as module
from brainmark.metrics.statistics.ranks import midranks, rank_products, rank_products_among

GENERATOR = np.random.default_rng(3)
NORMAL = GENERATOR.normal(size=40_000)
KINDS = {
    "normal": NORMAL,
    "single precision": NORMAL.astype(np.float32),
    "whole numbers": np.round(3 * NORMAL),
    "equal": np.full(40_000, 0.1),
    "two": np.where(NORMAL > 0, 1.0, -1.0),
    "one far away": np.append(NORMAL, 1e200),
    "some far away": np.append(NORMAL, 1e9 * NORMAL[:30]),
    "beyond the range of differences": np.clip(NORMAL, -1.7, 1.7) * 1e308,
    "no longer normal": np.abs(NORMAL) * 5e-320,
    "infinite": np.append(NORMAL, [np.inf, -np.inf]),
    "few": NORMAL[:50],
    "none": NORMAL[:0],
}


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_are_those_of_scipy(kind: str) -> None:
    np.testing.assert_array_equal(midranks(KINDS[kind]), rankdata(KINDS[kind]))


def test_keys_that_hide_an_order_are_put_right() -> None:
    # Neighbours differ by less than a 2^32nd of the range; runs of equal keys hold ties and disorder at once.
    values = np.repeat(np.linspace(0, 1, 15_000), 3) + GENERATOR.integers(0, 3, 45_000) * 1e-12
    found = module._sort_by_counting(values)
    assert found is None  # too many: sorted by comparison
    values = np.append(values[:300], 2 + GENERATOR.random(60_000))
    found = module._sort_by_counting(values)
    assert found is not None
    np.testing.assert_array_equal(found[0], np.argsort(values, kind="stable"))
    ordered = np.sort(values)
    np.testing.assert_array_equal(found[1], np.flatnonzero(ordered[1:] == ordered[:-1]))
    assert len(found[1]) > 50


@pytest.mark.parametrize("count", [30, 30_000, 150_000])
@pytest.mark.parametrize("ties", [False, True])
def test_products_give_the_rank_correlation(count: int, ties: bool) -> None:
    generator = np.random.default_rng(count)
    x = generator.normal(size=count)
    y = x + generator.normal(size=count)
    if ties:
        x = np.round(x, 1)
    xy, xx, yy = rank_products(x, y)
    assert xy / np.sqrt(xx * yy) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert xx == pytest.approx(((rankdata(x) - (count + 1) / 2) ** 2).sum(), rel=1e-12)
    assert yy == pytest.approx((count**3 - count) / 12, rel=1e-12)


@pytest.mark.parametrize("kind", ["normal", "whole numbers", "equal", "few"])
def test_ranks_among_some_are_those_of_sorting_them_alone(kind: str) -> None:
    x = KINDS[kind]
    y = np.round(x + GENERATOR.normal(size=len(x)), 1)
    parts = [GENERATOR.random(len(x)) < share for share in (0.9, 0.5, 0.1)] + [np.ones(len(x), bool)]
    found = rank_products_among(x, y, [part.copy for part in parts])
    assert found == [pytest.approx(rank_products(x[part], y[part]), rel=1e-13) for part in parts]
