"""Comparisons of our functions with those of other libraries: what one is, and how two answers are judged."""

from __future__ import annotations

import importlib.metadata
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Case = tuple[Any, ...]
Both = tuple[Any, Any]


@dataclass(frozen=True)
class Versus:
    """One of our functions next to that of a library.

    Attributes
    ----------
    library : distribution, as installed.
    theirs, ours : the two functions, in words.
    cases : arguments of `compute`, shapes first.
    compute : (generator, *case) -> (our answer, their answer), arrays or numbers; the generator has a seed for each
        case.
    allowed : largest difference that rounding, or an iteration of theirs, explains; see `difference`.
    note : which conventions differ, and how the two are brought together.
    """

    library: str
    theirs: str
    ours: str
    cases: Sequence[Case]
    compute: Callable[..., Both]
    allowed: float
    note: str

    @property
    def name(self) -> str:
        return f"{self.library} {self.theirs}"

    def answers(self) -> Iterator[Answer]:
        """Compute all cases."""
        for case in self.cases:
            label = " ".join(str(part) for part in case)
            seed = zlib.crc32(f"{self.name} {label}".encode())
            one, other = self.compute(np.random.default_rng(seed), *case)
            yield Answer(self, label, np.asarray(one, float), np.asarray(other, float))


@dataclass(frozen=True, eq=False)
class Answer:
    """What both sides found in one case."""

    versus: Versus
    case: str
    ours: np.ndarray
    theirs: np.ndarray

    @property
    def difference(self) -> float:
        """Largest difference, as a share of the largest absolute value that the library found; infinite for shapes,
        or places of NaN, that differ."""
        if self.ours.shape != self.theirs.shape or (np.isnan(self.ours) != np.isnan(self.theirs)).any():
            return math.inf
        size = float(np.nanmax(np.abs(self.theirs), initial=0.0))
        return float(np.nanmax(np.abs(self.ours - self.theirs), initial=0.0)) / (size or 1.0)

    @property
    def agrees(self) -> bool:
        return self.difference <= self.versus.allowed

    @property
    def farthest(self) -> tuple[float, float]:
        """Their and our number where they differ most; the largest, if nowhere."""
        if self.ours.shape != self.theirs.shape:
            return math.nan, math.nan
        apart, size = (np.nan_to_num(np.abs(values)) for values in (self.ours - self.theirs, self.theirs))
        place = int((apart if apart.any() else size).argmax())
        return float(self.theirs.flat[place]), float(self.ours.flat[place])


KNOWN: list[Versus] = []


def versus(
    library: str, theirs: str, ours: str, cases: Sequence[Case], allowed: float = 1e-10, note: str = ""
) -> Callable[[Callable[..., Both]], Callable[..., Both]]:
    """Enter what the decorated function computes, see `Versus`, into `KNOWN`."""

    def enter(compute: Callable[..., Both]) -> Callable[..., Both]:
        KNOWN.append(Versus(library, theirs, ours, tuple(cases), compute, allowed, note))
        return compute

    return enter


def versions(libraries: Sequence[str]) -> str:
    """Names and versions of these distributions, and of what all rest on."""
    names = ["brainmark", *sorted({*libraries} - {"formula"}, key=str.lower), "numpy"]
    return "; ".join(f"{name} {importlib.metadata.version(name)}" for name in dict.fromkeys(names))
