"""Runs of a scanner: which volumes share a clock, which words act on them, and folds that keep apart in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np
from brainmark.metrics._arrays.shapes import Integer, Real, Shaped
from brainmark.metrics.statistics.splits import Contiguous, Fold, Labels

BORDERS = ("session", "run")
"""Coordinates of volumes and of words that say to which run they belong."""


def label_runs(
    coords: Mapping[str, Shaped[np.ndarray, " row"]], names: tuple[str, ...] = BORDERS
) -> Shaped[np.ndarray, " row"] | None:
    """Return the run of each row as text, by those of the coordinates `names` that there are; None: there are none."""
    there = [np.asarray(coords[name]).astype(str) for name in names if name in coords]
    return np.array(["/".join(row) for row in zip(*there, strict=True)]) if there else None


def number_runs(
    start: Real[np.ndarray, " time_bin"], label: Shaped[np.ndarray, " time_bin"] | None
) -> Integer[np.ndarray, " time_bin"]:
    """Return the number of the run (time_bin,) of each volume.

    Parameters
    ----------
    start : when each volume begins, in ms.
    label : its run; None: all are of one clock.

    Raises
    ------
    InvalidMeasurement : time does not go on within a run, as where runs have clocks of their own and no labels.
    """
    run = np.zeros(len(start), int) if label is None else np.unique(label, return_inverse=True)[1]
    for one in range(int(run.max()) + 1):
        rows = np.flatnonzero(run == one)
        back = np.flatnonzero(~(np.diff(start[rows]) > 0))
        if len(back):
            before, at = rows[back[0]], rows[back[0] + 1]
            where = "the target" if label is None else f"run {label[at]!r} of the target"
            raise InvalidMeasurement(
                f"{where}: volume {at} begins at {start[at]:g} ms, not after volume {before} at {start[before]:g} ms; "
                "give volumes in order, and of runs with clocks of their own a coordinate 'run' along time_bin and "
                "along presentation"
            )
    return run


def assign_words(
    onset: Real[np.ndarray, " word"],
    words: Mapping[str, Shaped[np.ndarray, " word"]],
    start: Real[np.ndarray, " time_bin"],
    volumes: Mapping[str, Shaped[np.ndarray, " time_bin"]],
) -> tuple[Integer[np.ndarray, " word"], Integer[np.ndarray, " time_bin"]]:
    """Return the run of each word (-1: of none that was measured), and that of each volume.

    Where volumes say their run and words do not, words belong to the run that goes on when they begin.

    Parameters
    ----------
    onset, start : when words and volumes begin, in ms.
    words, volumes : coordinates along presentation, and along time_bin.

    Raises
    ------
    InvalidMeasurement : the runs cannot be told apart, or no word is of a run that was measured.
    """
    shared = tuple(name for name in BORDERS if name in words and name in volumes)
    run = number_runs(start, label_runs(volumes))
    if shared:
        spoken, measured = label_runs(words, shared), label_runs(volumes, shared)
        assert spoken is not None
        assert measured is not None
        code = dict(zip(measured.tolist(), run.tolist(), strict=True))
        found = np.array([code.get(one, -1) for one in spoken.tolist()])
        if (found < 0).all():
            raise InvalidMeasurement(
                f"no word is of a run that was measured: words are of {_some(spoken)}, volumes of {_some(measured)}"
            )
        return found, run
    if run.any():
        if not (np.diff(start) > 0).all():
            raise InvalidMeasurement(
                "runs of the target have clocks of their own, and words do not say of which run they are: give the "
                "stimuli a column 'run'"
            )
        return run[np.clip(np.searchsorted(start, onset, side="right") - 1, 0, None)], run
    label = label_runs(words)
    if label is not None and len(set(label.tolist())) > 1 and not (np.diff(onset) >= 0).all():
        raise InvalidMeasurement(
            f"words are of several runs ({_some(label)}) with clocks of their own, and volumes do not say of which run "
            "they are: give the target a coordinate 'run' along time_bin"
        )
    return np.zeros(len(onset), int), run


@dataclass(frozen=True)
class BlocksInTime:
    """K folds of neighbouring volumes, with a gap in time between training and test within each run.

    In a whole run it is `Contiguous`. Where volumes are left out, the gap is as long in time, not in rows; volumes of
    other runs are far, wherever their rows stand.

    Attributes
    ----------
    folds : blocks.
    gap : so many times the length of a volume, on either side of a test block, are left out of training.
    """

    folds: int = 5
    gap: int = 0

    def __call__(self, n: int, labels: Labels | None = None) -> tuple[Fold, ...]:
        """Return the folds, in the order of runs and time; labels are the coordinates of volumes.

        Raises
        ------
        InvalidMeasurement : too few volumes, or time does not go on.
        """
        times = labels or {}
        if not {"time_bin_start", "time_bin_end"} <= set(times):
            return Contiguous(self.folds, self.gap)(n, labels)
        if self.gap < 0:
            raise InvalidMeasurement(f"a gap of {self.gap} would train on test volumes: give 0 or more")
        start, end = (np.asarray(times[f"time_bin_{side}"], float) for side in ("start", "end"))
        run = number_runs(start, label_runs(times))
        order = np.argsort(run, kind="stable")
        reach = (self.gap + 0.5) * (end - start)  # half a volume: starts may be rounded
        folds: list[Fold] = []
        for _, rows in Contiguous(self.folds)(n):
            test = order[rows]
            near = np.zeros(n, bool)
            for one in np.unique(run[test]):
                mine, tested = np.flatnonzero(run == one), start[test[run[test] == one]]
                near[mine] = _distance(start[mine], tested) < reach[mine]
            if near.all():
                raise InvalidMeasurement(f"a gap of {self.gap} volumes leaves none to train on")
            folds.append(Fold(np.flatnonzero(~near), np.sort(test)))
        return tuple(folds)


def _distance(times: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Return how far each time is from the nearest of some others."""
    after = np.searchsorted(ascending, times)
    before = ascending[np.maximum(after - 1, 0)]
    return np.minimum(np.abs(times - before), np.abs(times - ascending[np.minimum(after, len(ascending) - 1)]))


def _some(labels: np.ndarray) -> str:
    names = sorted(set(labels.tolist()))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
