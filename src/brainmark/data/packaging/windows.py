"""What a description adds to trials: the windows in which they count, and the stimuli that they follow in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from brainmark.core.libraries import np
from brainmark.data.packaging.problems import Problems
from brainmark.data.packaging.sessions import Session
from brainmark.data.packaging.stimuli import Found

Order = Literal["table", "number", "name"]
_COUNTED = frozenset({"spikes", "spike", "counts", "count", "events"})  # units of which a longer bin holds more


def take_windows(session: Session, windows: Sequence[tuple[float, float]], problems: Problems) -> Session:
    """Return a session whose responses are those in windows (ms after onset); without any, the session as it is.

    Where there are no time bins, one window says when the response was measured. Time bins are averaged over each
    window by their length, or summed if they are counts; a bin that was not measured leaves its window unmeasured.

    Raises
    ------
    Unusable : bins do not fill a window exactly, or several windows are said of one response.
    """
    if not windows:
        return session
    if not session.time_bins:
        if len(windows) > 1:
            problems.fail(
                f"{session.where}: {len(windows)} windows, but one response a trial; say the one window of it"
            )
        session.time_bins = (windows[0],)
        return session
    edges = np.asarray(session.time_bins, float)
    widths = edges[:, 1] - edges[:, 0]
    parts: list[np.ndarray] = []
    for start, end in windows:
        inside = (edges[:, 0] >= start) & (edges[:, 1] <= end)
        overlap = np.minimum(edges[:, 1], end) - np.maximum(edges[:, 0], start)
        if (overlap[~inside] > 1e-6).any() or not np.isclose(widths[inside].sum(), end - start):
            nearest = sorted(
                {*edges[:, 0].tolist(), *edges[:, 1].tolist()}, key=lambda e: min(abs(e - start), abs(e - end))
            )
            problems.fail(
                f"{session.where}: time bins do not fill the window from {start:g} to {end:g} ms; bins begin and end "
                f"at {', '.join(f'{edge:g}' for edge in sorted(nearest[:4]))} ms, for example"
            )
        counted = str(session.units).strip().lower() in _COUNTED
        weights = np.ones(int(inside.sum())) if counted else widths[inside] / widths[inside].sum()
        parts.append((session.values[:, :, inside] * weights).sum(axis=2))
    session.values = np.stack(parts, axis=2).astype(session.values.dtype)
    session.time_bins = tuple((float(start), float(end)) for start, end in windows)
    return session


def place_in_order(session: Session, found: Found, problems: Problems) -> None:
    """Give the trials of a session, which are numbered, the stimuli that stand at these places.

    Raises
    ------
    Unusable : there are more or fewer stimuli than presentations, or names have no number to be ordered by.
    """
    if session.in_order is None:
        return
    how, count = session.in_order
    names = list(found.listed)
    if how == "number":
        digits = [re.findall(r"\d+", re.split(r"[/\\]", name)[-1].partition(".")[0]) for name in names]
        lacking = [name for name, each in zip(names, digits, strict=True) if not each]
        if lacking:
            problems.fail(f'{session.where}: stimuli_in_order is "number", but {lacking[0]!r} has none')
        numbers = [int(each[-1]) for each in digits]
        twice = [name for name, number in zip(names, numbers, strict=True) if numbers.count(number) > 1]
        if twice:
            problems.fail(f"{session.where}: stimuli {twice[0]!r} and {twice[1]!r} have the same number")
        names = [name for _, name in sorted(zip(numbers, names, strict=True))]
    elif how == "name":
        names = sorted(names)
    if len(names) != count:
        problems.fail(
            f"{session.where}: {count} presentations, but {len(names)} stimuli; in order, each presentation has its own"
        )
    session.stimulus_ids = np.array([names[int(place)] for place in session.stimulus_ids], dtype=str)
