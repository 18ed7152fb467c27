from __future__ import annotations

import numpy as np
import pytest

from brainmark.core import InvalidMeasurement
from brainmark.metrics.statistics.splits import Contiguous, Grouped, LeaveOut, Random, Shuffled, Splitter, Stratified

N = 103
LABELS = {"object": np.array([f"o{i % 7}" for i in range(N)]), "story": np.repeat(np.arange(21), 5)[:N]}
EVERY: list[Splitter] = [
    Shuffled(10),
    Contiguous(10),
    Grouped("story", 10),
    Stratified("object", 10),
    LeaveOut("object"),
]


@pytest.mark.parametrize("splitter", EVERY, ids=lambda s: type(s).__name__)
def test_every_presentation_is_tested_once_and_never_in_its_own_training(splitter: Splitter) -> None:
    folds = splitter(N, LABELS)
    assert sorted(np.concatenate([f.test for f in folds])) == list(range(N))
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        assert len(fold.train) + len(fold.test) == N
        assert (np.diff(fold.test) > 0).all()


@pytest.mark.parametrize("splitter", EVERY, ids=lambda s: type(s).__name__)
def test_folds_are_the_same_each_time(splitter: Splitter) -> None:
    for one, two in zip(splitter(N, LABELS), splitter(N, LABELS), strict=True):
        np.testing.assert_array_equal(one.test, two.test)


@pytest.mark.parametrize("splitter", [Shuffled(10), Contiguous(10), Stratified("object", 10), Grouped("story", 10)])
def test_folds_are_about_equal(splitter: Splitter) -> None:
    sizes = [len(f.test) for f in splitter(N, LABELS)]
    assert max(sizes) - min(sizes) <= (5 if isinstance(splitter, Grouped) else 1)


def test_seeds_give_other_folds() -> None:
    assert not np.array_equal(Shuffled(5, 0)(N)[0].test, Shuffled(5, 1)(N)[0].test)
    assert not np.array_equal(
        Stratified("object", 5, 0)(N, LABELS)[0].test, Stratified("object", 5, 1)(N, LABELS)[0].test
    )


def test_contiguous_blocks_keep_their_neighbours_out_of_training() -> None:
    for fold in Contiguous(4, gap=3)(40):
        assert np.array_equal(fold.test, np.arange(fold.test[0], fold.test[-1] + 1))
        assert np.abs(fold.train[:, None] - fold.test).min() == 4


def test_groups_stay_together() -> None:
    for fold in Grouped("story", 4)(N, LABELS):
        assert not set(LABELS["story"][fold.train]) & set(LABELS["story"][fold.test])


def test_large_groups_are_dealt_first_so_that_folds_are_alike() -> None:
    """In another order the last group, of 12, would fall to a fold that is full already."""
    story = np.repeat([f"s{k}" for k in range(13)], [1] * 12 + [12])
    for seed in range(20):
        sizes = [len(fold.test) for fold in Grouped("story", 2, seed)(24, {"story": story})]
        assert sizes == [12, 12]


def test_strata_are_spread_evenly() -> None:
    for fold in Stratified("object", 10)(N, LABELS):
        counts = np.unique(LABELS["object"][fold.test], return_counts=True)[1]
        assert counts.max() - counts.min() <= 1


def test_leave_out_tests_one_category_at_a_time() -> None:
    folds = LeaveOut("object")(N, LABELS)
    assert [set(LABELS["object"][f.test]) for f in folds] == [{f"o{i}"} for i in range(7)]


def test_random_splits() -> None:
    folds = Random(splits=6, train=0.9, seed=1)(N)
    assert len(folds) == 6
    assert all(len(f.test) == 11 and len(f.train) == 92 for f in folds)
    assert len({tuple(f.test) for f in folds}) == 6


@pytest.mark.parametrize(
    ("splitter", "n", "message"),
    [
        (Shuffled(10), 9, "10 folds need at least as many presentations; there are 9"),
        (Shuffled(1), 9, "at least 2 folds"),
        (Grouped("story", 10), 30, "groups of 'story'; there are 6"),
        (Contiguous(2, gap=30), 30, "a gap of 30 leaves no presentation"),
        (Contiguous(3, gap=-1), 30, "a gap of -1 would train on test presentations"),
        (LeaveOut("object"), 1, "at least as many labels"),
        (Random(splits=0), 30, "at least one split, not 0"),
        (Random(train=1.0), 30, "a training share of 1.0"),
        (Stratified("area"), 30, "no coordinate 'area' to split by; they have .*'object', 'story'"),
    ],
)
def test_impossible_splits_say_why(splitter: Splitter, n: int, message: str) -> None:
    with pytest.raises(InvalidMeasurement, match=message):
        splitter(n, {k: v[:n] for k, v in LABELS.items()})
