"""Splits of the published scores: scikit-learn's random splits, drawn in the same order from the same generator.

NumPy guarantees that the streams of `RandomState` never change, so these splits are fixed for ever; newer generators
would give others.
"""

from __future__ import annotations

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Shaped
from brainmark.metrics.statistics.splits import Fold


def shuffle_splits(
    n: int, splits: int = 10, train_size: float | None = 0.9, seed: int | None = 1, test_size: float | None = None
) -> tuple[Fold, ...]:
    """Return random splits of `n` rows, those of scikit-learn's ``ShuffleSplit``; rows stand in the order drawn."""
    train, test = _count_rows(n, train_size, test_size)
    generator = np.random.RandomState(seed)
    orders = [generator.permutation(n) for _ in range(splits)]
    return tuple(Fold(order[test : test + train], order[:test]) for order in orders)


def split_by_strata(
    labels: Shaped[np.ndarray, " presentation"],
    splits: int = 10,
    train_size: float | None = 0.9,
    seed: int | None = 1,
    test_size: float | None = None,
) -> tuple[Fold, ...]:
    """Return random splits with equal shares of every label, those of scikit-learn's ``StratifiedShuffleSplit``.

    Which rows are drawn depends on the order in which the labels sort: other names, other splits.

    Raises
    ------
    InvalidMeasurement : a label that stands only once, or fewer training or test rows than labels.
    """
    names, code, counts = np.unique(labels, return_inverse=True, return_counts=True)
    train, test = _count_rows(len(labels), train_size, test_size)
    if counts.min() < 2:
        raise InvalidMeasurement(f"label {str(names[counts.argmin()])!r} stands once; splits by label need it twice")
    if min(train, test) < len(names):
        raise InvalidMeasurement(f"{train} training and {test} test rows cannot hold all {len(names)} labels")
    members = np.split(np.argsort(code, kind="stable"), np.cumsum(counts)[:-1])
    generator = np.random.RandomState(seed)
    return tuple(_draw_stratified(members, counts, train, test, generator) for _ in range(splits))


def random_splits(
    n: int,
    labels: Shaped[np.ndarray, " presentation"] | None,
    splits: int = 10,
    train_size: float | None = 0.9,
    seed: int = 1,
    test_size: float | None = None,
) -> tuple[Fold, ...]:
    """Return stratified splits where there are labels, else shuffled ones."""
    if labels is None:
        return shuffle_splits(n, splits, train_size, seed, test_size)
    return split_by_strata(labels, splits, train_size, seed, test_size)


def fold_groups(groups: Shaped[np.ndarray, " presentation"], folds: int = 10, seed: int = 1234) -> tuple[Fold, ...]:
    """Return folds of whole groups in random order, those of scikit-learn's ``GroupKFold(shuffle=True)`` (from 1.6)."""
    names = np.unique(groups)
    if len(names) < folds:
        raise InvalidMeasurement(f"{folds} folds need at least as many groups; there are {len(names)}")
    order = np.random.RandomState(seed).permutation(names)
    held_out = [np.isin(groups, part) for part in np.array_split(order, folds)]
    return tuple(Fold(np.flatnonzero(~test), np.flatnonzero(test)) for test in held_out)


def _draw_stratified(
    members: list[np.ndarray], counts: np.ndarray, train: int, test: int, generator: np.random.RandomState
) -> Fold:
    """Draw one split: the shares of the labels first, then rows of each label, then the order of all."""
    to_train = _draw_shares(counts, train, generator)
    to_test = _draw_shares(counts - to_train, test, generator)
    drawn: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for rows, a, b in zip(members, to_train, to_test, strict=True):
        rows = rows[generator.permutation(len(rows))]
        drawn[0].append(rows[:a])
        drawn[1].append(rows[a : a + b])
    return Fold(*(generator.permutation(np.concatenate(part)) for part in drawn))


def _draw_shares(counts: np.ndarray, total: int, generator: np.random.RandomState) -> np.ndarray:
    """Return the rows that each label gives to `total`: its share rounded down, and one more for the largest rests.

    Among equal rests, chance decides.
    """
    exact = counts / counts.sum() * total
    taken = np.floor(exact)
    missing = int(total - taken.sum())
    rest = exact - taken
    for value in np.unique(rest)[::-1]:
        if missing <= 0:
            break
        equal = np.flatnonzero(rest == value)
        more = generator.choice(equal, size=min(len(equal), missing), replace=False)
        taken[more] += 1
        missing -= len(more)
    return taken.astype(int)


def _count_rows(n: int, train_size: float | None, test_size: float | None) -> tuple[int, int]:
    """Return the rows that train and that test: shares of training are rounded down, those of testing up."""
    train = None if train_size is None else int(np.floor(train_size * n))
    test = None if test_size is None else int(np.ceil(test_size * n))
    if train is None:
        test = int(np.ceil(0.1 * n)) if test is None else test
        train = n - test
    elif test is None:
        test = n - train
    if train < 1 or test < 1 or train + test > n:
        raise InvalidMeasurement(f"{n} rows cannot be split into {train} to train and {test} to test")
    return train, test
