"""Splitters: which presentations train a mapping and which test it.

A splitter is a small frozen object that is called with the number of presentations and their labels (the coordinates
along presentation), and returns folds. The same splitter, presentations and labels always give the same folds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Integer

Labels: TypeAlias = "Mapping[str, np.ndarray]"


class Fold(NamedTuple):
    """Positions of the presentations that train, and of those that test."""

    train: Integer[np.ndarray, " train"]
    test: Integer[np.ndarray, " test"]


class Splitter(Protocol):
    """Anything that divides presentations into folds."""

    def __call__(self, n: int, labels: Labels | None = None) -> tuple[Fold, ...]:
        """Return the folds of `n` presentations."""
        ...


@dataclass(frozen=True)
class Shuffled:
    """K folds of presentations in random order; each presentation is tested once.

    Each fold tests `fewest` presentations at least: there are fewer folds where `n` allows no more.
    """

    folds: int = 10
    seed: int = 0
    fewest: int = 1

    def __call__(self, n: int, labels: Labels | None = None) -> tuple[Fold, ...]:
        """Return the folds; sizes differ by one at most."""
        folds = self.folds if self.fewest == 1 else min(self.folds, max(n // self.fewest, 2))
        if n < folds * self.fewest and self.fewest > 1:
            raise InvalidMeasurement(
                f"{n} presentations are too few for cross-validation: two folds that test {self.fewest} each "
                f"need {2 * self.fewest}"
            )
        _enough(n, folds, "presentations")
        order = np.random.default_rng(self.seed).permutation(n)
        return _complements(n, np.array_split(order, folds))


@dataclass(frozen=True)
class Contiguous:
    """K folds of neighbouring presentations, for recordings in which neighbours in time resemble each other.

    `gap` presentations (0 or more) on either side of a test block are left out of training as well.
    """

    folds: int = 10
    gap: int = 0

    def __call__(self, n: int, labels: Labels | None = None) -> tuple[Fold, ...]:
        """Return the folds, in order."""
        _enough(n, self.folds, "presentations")
        if self.gap < 0:
            raise InvalidMeasurement(f"a gap of {self.gap} would train on test presentations: give 0 or more")
        folds: list[Fold] = []
        for test in np.array_split(np.arange(n), self.folds):
            train = np.arange(n)
            train = train[(train < test[0] - self.gap) | (train > test[-1] + self.gap)]
            _trains(train, f"a gap of {self.gap}")
            folds.append(Fold(train, test))
        return tuple(folds)


@dataclass(frozen=True)
class Grouped:
    """K folds that never part presentations with the same label (passage, story, object, session ...)."""

    by: str
    folds: int = 10
    seed: int = 0

    def __call__(self, n: int, labels: Labels | None = None) -> tuple[Fold, ...]:
        """Return the folds; groups are dealt, largest first, to the fold that has fewest presentations."""
        group = _codes(self.by, n, labels)
        sizes = np.bincount(group)
        _enough(len(sizes), self.folds, f"groups of {self.by!r}")
        shuffled = np.random.default_rng(self.seed).permutation(len(sizes))
        filled, fold_of = np.zeros(self.folds, int), np.empty(len(sizes), int)
        for g in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
            fold_of[g] = np.argmin(filled)
            filled[fold_of[g]] += sizes[g]
        return _complements(n, [np.flatnonzero(fold_of[group] == k) for k in range(self.folds)])


@dataclass(frozen=True)
class Stratified:
    """K folds in random order, in which every label is spread over the folds as evenly as it can be."""

    by: str
    folds: int = 10
    seed: int = 0

    def __call__(self, n: int, labels: Labels | None = None) -> tuple[Fold, ...]:
        """Return the folds; sizes differ by one at most."""
        _enough(n, self.folds, "presentations")
        group = _codes(self.by, n, labels)
        shuffled = np.random.default_rng(self.seed).permutation(n)
        order = shuffled[np.argsort(group[shuffled], kind="stable")]
        return _complements(n, [order[k :: self.folds] for k in range(self.folds)])


@dataclass(frozen=True)
class LeaveOut:
    """One fold for each label: everything with that label is tested by what has another (leave-category-out)."""

    by: str

    def __call__(self, n: int, labels: Labels | None = None) -> tuple[Fold, ...]:
        """Return the folds in the order of the labels, sorted as text."""
        group = _codes(self.by, n, labels)
        count = int(group.max()) + 1
        _enough(count, 2, f"labels of {self.by!r}")
        return _complements(n, [np.flatnonzero(group == k) for k in range(count)])


@dataclass(frozen=True)
class Random:
    """Independent random splits (Monte Carlo); presentations may be tested several times or never."""

    splits: int = 10
    train: float = 0.9
    seed: int = 0

    def __call__(self, n: int, labels: Labels | None = None) -> tuple[Fold, ...]:
        """Return the splits; the test part is rounded up."""
        if self.splits < 1:
            raise InvalidMeasurement(f"cross-validation needs at least one split, not {self.splits}")
        test = int(np.ceil(n * (1 - self.train) - 1e-9))
        if not 0 < test < n:
            raise InvalidMeasurement(
                f"a training share of {self.train} leaves {n - test} of {n} presentations to train"
            )
        generator = np.random.default_rng(self.seed)
        orders = [generator.permutation(n) for _ in range(self.splits)]
        return tuple(Fold(np.sort(order[test:]), np.sort(order[:test])) for order in orders)


def _complements(n: int, tests: list[np.ndarray]) -> tuple[Fold, ...]:
    folds: list[Fold] = []
    for test in tests:
        train = np.ones(n, bool)
        train[test] = False
        _trains(train, "one fold")
        folds.append(Fold(np.flatnonzero(train), np.sort(test)))
    return tuple(folds)


def _codes(by: str, n: int, labels: Labels | None) -> np.ndarray:
    if labels is None or by not in labels:
        raise InvalidMeasurement(
            f"presentations have no coordinate {by!r} to split by; they have {sorted(labels or ())}"
        )
    values = np.asarray(labels[by])
    if values.shape != (n,):
        raise InvalidMeasurement(f"coordinate {by!r} has {values.shape} entries for {n} presentations")
    return np.unique(values.astype(str), return_inverse=True)[1]


def _enough(count: int, folds: int, what: str) -> None:
    if folds < 2:
        raise InvalidMeasurement(f"cross-validation needs at least 2 folds, not {folds}")
    if count < folds:
        raise InvalidMeasurement(f"{folds} folds need at least as many {what}; there are {count}")


def _trains(train: np.ndarray, what: str) -> None:
    """Return the training rows as positions; `train` is a mask or a list of positions."""
    if not (train.any() if train.dtype == bool else train.size):
        raise InvalidMeasurement(f"{what} leaves no presentation to train on")
