from __future__ import annotations

import numpy as np
import pytest

from brainmark.metrics.statistics import resampling as module
from brainmark.metrics.statistics.resampling import draws


def test_draws_are_multinomial_counts() -> None:
    counts = draws(50, 4000, seed=3)
    assert counts.shape == (4000, 50)
    assert (counts.sum(1) == 50).all()
    assert np.abs(counts.mean(0) - 1).max() < 0.08
    assert counts.var(0).mean() == pytest.approx(1 - 1 / 50, rel=0.05)


def test_draws_are_the_same_for_metric_and_ceiling_and_differ_between_seeds() -> None:
    assert np.array_equal(draws(30, 20, 1), draws(30, 20, 1))
    assert np.array_equal(draws(30, 20, 1)[:5], draws(30, 5, 1))
    assert not np.array_equal(draws(30, 20, 1), draws(30, 20, 2))


@pytest.mark.parametrize(("n", "block"), [(7, 10), (7, 3), (50, 2**18)])
def test_each_draw_is_one_sample_from_the_generator(n: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    generator = np.random.default_rng(4)
    expected = [np.bincount(generator.integers(n, size=n), minlength=n) for _ in range(9)]
    np.testing.assert_array_equal(draws(n, 9, 4), expected)


def test_draws_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one presentation"):
        draws(0, 10)


def test_blocks_are_drawn_as_a_whole() -> None:
    counts = draws(40, 300, seed=1, block=8)
    assert (counts.sum(1) == 40).all()
    assert np.abs(counts.mean(0) - 1).max() < 0.35
    steps = (np.diff(np.concatenate([counts, counts[:, :1]], axis=1)) != 0).sum(1)
    assert steps.max() <= 2 * 5  # five blocks have ten borders at most


def test_a_block_of_one_changes_nothing() -> None:
    np.testing.assert_array_equal(draws(30, 20, 1, block=1), draws(30, 20, 1))
    with pytest.raises(ValueError, match="block of 31"):
        draws(30, 20, 1, block=31)
