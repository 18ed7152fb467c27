"""The ceiling of published fMRI benchmarks with many subjects: extrapolation over random pools (Pereira 2018)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from brainmark.brainscore.metrics.ceilings import Extrapolated
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr


@dataclass(frozen=True)
class SampledExtrapolation:
    """Extrapolation of `Extrapolated` from ten random pools of each size, with five draws of held-out subjects.

    All draws come from two generators of seed 0. The published draws also follow the order in which Python iterates
    over a set of subjects' names, which differs from process to process for text; here it is their sorted order, as
    it is there for small integers.

    Attributes
    ----------
    metric : (pool, subject) -> comparison with splits.
    coordinate : along neuroid, that names subjects.
    pools : different ordered draws of subjects of each size; two of them may hold the same subjects.
    held_out : draws of a subject to predict from the others of a pool, with replacement.
    bootstraps : samples per neuroid.
    """

    metric: Callable[[xr.DataArray, xr.DataArray], Comparison]
    coordinate: str = "subject"
    pools: int = 10
    held_out: int = 5
    bootstraps: int = 100

    def __call__(self, target: xr.DataArray) -> Comparison:
        """Return the ceiling of each neuroid of a target (presentation, neuroid).

        Raises
        ------
        InvalidMeasurement : no such coordinate, or too few subjects for ten different draws of two.
        """
        if self.coordinate not in target.coords:
            raise InvalidMeasurement(f"target has no coordinate {self.coordinate!r} along neuroid")
        subjects = np.asarray(target.coords[self.coordinate].values)
        names = np.unique(subjects)
        if len(names) * (len(names) - 1) < self.pools or len(names) < 3:
            raise InvalidMeasurement(f"{len(names)} subjects are too few for {self.pools} draws of two")
        sizes = np.arange(2, len(names) + 1)
        pools, held_out = np.random.RandomState(0), np.random.RandomState(0)
        collected = [self._collect(target, subjects, names, int(size), pools, held_out) for size in sizes]
        whole = Extrapolated(self.metric, self.coordinate, self.bootstraps)
        return whole.extrapolated(target, sizes, collected)

    def _collect(
        self,
        target: xr.DataArray,
        subjects: np.ndarray,
        names: np.ndarray,
        size: int,
        pools: np.random.RandomState,
        held_out: np.random.RandomState,
    ) -> np.ndarray:
        """Scores (pool x split, neuroid) of pools of a size; NaN where a neuroid's subject was not held out."""
        drawn: set[tuple[int, ...]] = set()
        while len(drawn) < self.pools:
            drawn.add(tuple(pools.choice(len(names), size=size, replace=False).tolist()))
        rows: dict[str, np.ndarray] = {}
        for pool in drawn:  # in the order of the set, as published: it decides who is held out
            members = np.sort(np.array(pool))
            chosen = members[np.unique(held_out.choice(size, size=self.held_out))]
            rows[str(tuple(names[list(pool)].tolist()))] = self._score(target, subjects, names, members, chosen)
        return np.concatenate([rows[key] for key in sorted(rows)])

    def _score(
        self, target: xr.DataArray, subjects: np.ndarray, names: np.ndarray, members: np.ndarray, chosen: np.ndarray
    ) -> np.ndarray:
        """Scores (split, neuroid) of the chosen members of a pool, each predicted by the other members."""
        scores = np.full((1, len(subjects)), np.nan)
        for subject in chosen:
            own = np.flatnonzero(subjects == names[subject])
            others = np.flatnonzero(np.isin(subjects, names[members[members != subject]]))
            result = self.metric(target.isel(neuroid=others), target.isel(neuroid=own))
            splits = result.splits if result.splits is not None else result.values.expand_dims("split")
            if len(scores) != splits.sizes["split"]:
                scores = np.repeat(scores[:1], splits.sizes["split"], axis=0)
            scores[:, own] = splits.values
        return scores
