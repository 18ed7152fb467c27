"""Whether times can be those of a recording: said once, for all formats that have times.

Formats ask for seconds or milliseconds, but files hold milliseconds, samples, times since the beginning of each trial,
or nothing at all. Most of these give numbers without an error: no spike lies in any window. So times are compared with
what is possible: one clock for what was shown and what was measured, neurons that fire more than once in ten seconds,
presentations that do not begin all at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from brainmark.core.libraries import np
from brainmark.data.packaging.problems import Problems, some

Bins = Sequence[tuple[float, float]]
_SHORTEST, _LONGEST = 1.0, 600_000.0  # ms: shorter bins, or later ones, are seconds and ms confused
_FAR_APART = 10.0  # s between presentations, more than any experiment waits
_QUIET = 0.1  # spikes/s: fewer than populations of neurons fire on average
_SHORTEST_SPACE = 0.002  # s from one presentation to the next
_FEW = 20  # spikes or events, too few to judge by
_FASTEST, _SLOWEST = 0.02, 60.0  # s between two volumes


class Clocks(NamedTuple):
    """What the description says of times: the field of the onsets, whether units were stated."""

    onset: str
    spikes_stated: bool
    onsets_stated: bool


def check_time_bins(bins: Bins, where: str, problems: Problems) -> None:
    """Refuse time bins in ms that no recording has: seconds that are taken for ms, or ms that are converted twice."""
    if not bins:
        return
    shortest = min(end - start for start, end in bins)
    latest = max(abs(edge) for pair in bins for edge in pair)
    said = f"{where}: time bins from {bins[0][0]:g} to {bins[-1][1]:g} ms"
    if shortest < _SHORTEST:
        problems.add(f'{said}, the shortest of {shortest:g} ms: these look like seconds; give ms, or time_unit = "s"')
    elif latest > _LONGEST:
        problems.add(f'{said}: longer than any response; are the times in the files ms (time_unit = "ms")?')


def check_windows(windows: Bins, where: str, problems: Problems) -> None:
    """Refuse windows after onset that are given in seconds."""
    if windows and (widest := max(end for _, end in windows)) < 2:
        problems.add(f"{where}: windows end {widest:g} ms after onset; they are in ms: [[70, 170]], not [[0.07, 0.17]]")


def check_onsets(onsets: np.ndarray, where: str, field: str, problems: Problems) -> None:
    """Refuse onsets (s) of which most are those of another presentation, too, such as times within each trial."""
    if len(onsets) < 2:
        return
    values, counts = np.unique(np.round(onsets, 6), return_counts=True)
    alike = int(counts[counts > 1].sum())
    if alike > len(onsets) / 2:
        most = values[np.argmax(counts)]
        problems.fail(
            f"{where}: {alike} of {len(onsets)} presentations begin together with another, {counts.max()} of them at "
            f"{most:g} s; {field!r} has to be the time of each on the clock of the recording"
        )
    if len(onsets) >= _FEW and _space(onsets) < _SHORTEST_SPACE:
        problems.fail(
            f"{where}: presentations follow one another every {1000 * _space(onsets):.3g} ms, faster than any screen; "
            f"is {field!r} in another unit (time_unit)?"
        )


def check_spikes(
    spikes: Mapping[str, np.ndarray], onsets: np.ndarray, windows: Bins, clocks: Clocks, path: Path, problems: Problems
) -> None:
    """Refuse spikes that are on another clock than the onsets, or in another unit.

    Parameters
    ----------
    spikes : times of each unit by name, in s as far as is known.
    onsets : (presentation,) in s.
    windows : (start, end) in ms after onset.
    """
    check_windows(windows, str(path), problems)
    times = {name: t for name, t in spikes.items() if t.size}
    if not times:
        problems.fail(f"{path}: no unit has a spike")
    check_onsets(onsets, str(path), clocks.onset, problems)
    _refuse_restarts(times, path, problems)
    pooled = np.concatenate(list(times.values()))
    if not clocks.spikes_stated and pooled.size >= _FEW:
        _refuse_other_units(pooled, len(times), onsets, clocks, path, problems)
    _refuse_other_clocks(pooled, onsets, clocks, path, problems)
    _refuse_empty_windows(pooled, onsets, windows, path, problems)


def _refuse_restarts(times: Mapping[str, np.ndarray], path: Path, problems: Problems) -> None:
    """Refuse spikes that begin again with every trial; others that are out of order are counted all the same."""
    again = {name: int((np.diff(t) < -0.5 * np.ptp(t)).sum()) for name, t in times.items()}
    name = max(again, key=lambda one: again[one])
    if again[name] >= 3:
        problems.fail(
            f"{path}: spike_times of unit {name!r} start again {again[name]} times, as if each trial had its own "
            "clock; spikes and presentations have to be on one: add the onset of its trial to every spike"
        )


def _refuse_other_units(
    pooled: np.ndarray, units: int, onsets: np.ndarray, clocks: Clocks, path: Path, problems: Problems
) -> None:
    """Refuse spikes in milliseconds or samples, and files in which all times are in milliseconds."""
    last, latest = float(pooled.max()), max(float(onsets.max()), 1.0)
    rate = pooled.size / units / max(float(np.ptp(pooled)), 1e-9)
    whole = bool((pooled == np.round(pooled)).all())
    apart = _space(onsets)
    late = rate < _QUIET and last > 300 * latest
    if late or whole:
        sign = f"are whole numbers, such as {some(sorted(pooled[:3].tolist()), 3)}" if whole else "go on long after"
        unit = _name_unit(last / latest)
        problems.fail(
            f"{path}: spike_times {sign}, and reach {last:.9g} where presentations begin at {onsets.min():.6g} to "
            f"{onsets.max():.6g} s: {rate:.2g} spikes/s. They look like {unit}; say spike_clock = ... (how many of "
            "them make a second: 1 if they are seconds, 1000 for ms, the sampling rate for samples)"
        )
    if rate < _QUIET and apart > _FAR_APART and not clocks.onsets_stated:
        problems.fail(
            f"{path}: presentations are {apart:g} s apart and units fire {rate:.2g} spikes/s: {clocks.onset!r} and "
            'spike_times look like ms; say time_unit = "ms" and spike_clock = 1000 (or "s" and 1, if they are seconds)'
        )


def _space(onsets: np.ndarray) -> float:
    """Return the usual time from one onset to the next."""
    return float(np.median(np.diff(np.sort(onsets)))) if len(onsets) > 1 else 0.0


def _name_unit(ratio: float) -> str:
    """Return which unit times are probably in that are so many times too large."""
    if 300 < ratio < 6000:
        return "milliseconds"
    if 6000 <= ratio < 200_000:
        return "samples"
    return "microseconds" if 3e5 < ratio < 6e6 else "milliseconds or samples"


def _refuse_other_clocks(
    pooled: np.ndarray, onsets: np.ndarray, clocks: Clocks, path: Path, problems: Problems
) -> None:
    """Refuse onsets of which most lie where there are no spikes at all."""
    first, last = float(pooled.min()), float(pooled.max())
    margin = float(np.clip(20 * (last - first) / pooled.size, 1, 60))

    def share(times: np.ndarray) -> float:
        return float(np.mean((times >= first - margin) & (times <= last + margin)))

    inside = share(onsets)
    if inside >= 0.5:
        outside = round((1 - inside) * len(onsets))
        if outside:
            problems.note(
                f"{path}: {outside} of {len(onsets)} presentations lie outside of the time in which units fire"
            )
        return
    if share(onsets / 1000) > 0.5 and _space(onsets) > _FAR_APART:
        way = f'{clocks.onset!r} looks like ms: say time_unit = "ms"'
    elif float(onsets.max()) > 6000 * last > 0:
        way = f"{clocks.onset!r} looks like {_name_unit(float(onsets.max()) / last)}: write seconds"
    elif last - first < 0.2 * np.ptp(onsets) and abs(first) < 60:
        way = "they are on other clocks: spikes look like times after the onset of each trial, which has to be added"
    else:
        way = "they are on other clocks"
    problems.fail(
        f"{path}: presentations begin at {onsets.min():g} to {onsets.max():g} s, spike_times are {first:g} to {last:g} "
        f"s; {way}"
    )


def _refuse_empty_windows(
    pooled: np.ndarray, onsets: np.ndarray, windows: Bins, path: Path, problems: Problems
) -> None:
    """Refuse windows with far fewer spikes than their length and the rate between the presentations let expect."""
    edges = onsets[:, None, None] + np.asarray(windows, float) / 1000
    pooled = np.sort(pooled)
    counted = int(np.diff(np.searchsorted(pooled, edges), axis=-1).sum())
    begin, end = float(edges.min()), float(edges.max())
    rate = np.diff(np.searchsorted(pooled, [begin, end])).item() / max(end - begin, 1e-9)
    expected = rate * float((edges[..., 1] - edges[..., 0]).sum())
    if expected >= _FEW and counted < expected / 50:
        problems.fail(
            f"{path}: {counted} spikes lie in all windows, about {expected:.0f} are to be expected from {rate:.3g} "
            "spikes/s in between; spike_times and onsets are on other clocks"
        )


def check_step(seconds: float, where: str, field: str, problems: Problems) -> None:
    """Refuse times between two samples of a time series that no scanner has, such as milliseconds."""
    if not _FASTEST <= seconds <= _SLOWEST:
        like = "; it looks like ms" if seconds > _SLOWEST else ""
        problems.fail(f"{where}: {field} is {seconds:g} s between two samples{like}; it has to be seconds")


def check_events(
    onsets: np.ndarray, recorded: tuple[float, float], where: str, stated: bool, problems: Problems
) -> None:
    """Refuse events (s) of which most do not lie within a time series; note the others.

    Parameters
    ----------
    recorded : begin and end of the time series in s.
    stated : the description says in which unit onsets are.
    """
    check_onsets(onsets, where, "onset", problems)
    begin, end = recorded
    inside = float(np.mean((onsets >= begin - _SLOWEST) & (onsets < end)))
    if inside >= 0.5:
        return
    scaled = float(np.mean((onsets / 1000 >= begin - _SLOWEST) & (onsets / 1000 < end)))
    looks_like_ms = scaled > 0.5 and _space(onsets) > _SLOWEST and not stated
    way = 'they look like ms: say time_unit = "ms"' if looks_like_ms else "are they of this run?"
    problems.fail(
        f"{where}: onset is {onsets.min():g} to {onsets.max():g} s, but the recording lasts from {begin:g} to {end:g} "
        f"s; {way}"
    )
