"""Tuning of single units to gratings: preferred orientation, bandwidths, modulation, as measured in primate V1.

Orientation is that of the bars, in degrees counter-clockwise from horizontal, 0 to 180. The phases of one cycle at an
orientation and spatial frequency stand for a drifting grating: F0 is the mean over the cycle, F1 the amplitude of the
first harmonic. All neuroids are treated at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, scipy, xr
from brainmark.metrics._arrays.backend import as_float64, as_numpy
from brainmark.metrics._arrays.shapes import Array, Float, Real
from brainmark.metrics.statistics.averages import divide

Harmonic = Literal["larger", "F0", "F1"]

# Medians of 304 cells of macaque V1 (Ringach et al. 2002, J. Neurosci. 22:5639), spikes/s.
MEDIAN_MAX_RATE = 33.8
MEDIAN_SPONTANEOUS_RATE = 0.82
RESPONSIVE = 5.0  # spikes/s above spontaneous, the same study's criterion

_LINEAR = 0.05  # of F1: a unit whose mean response changes less than this is linear
_STEP = 0.5  # degrees, of the interpolated orientation curve
_NEUROIDS_AT_A_TIME = 20_000  # bounds the interpolated curves to ~60 MB


@dataclass(frozen=True, eq=False)
class GratingResponses:
    """Responses to all combinations of orientation, spatial frequency and phase, and to a blank screen.

    Attributes
    ----------
    cycles : (orientation, spatial_frequency, phase, neuroid), not negative.
    spontaneous : (neuroid,) response to the blank; NaN: no blank was shown.
    orientations : degrees, evenly spaced over 180.
    spatial_frequencies : cycles per degree, ascending.
    """

    cycles: Float[np.ndarray, "orientation spatial_frequency phase neuroid"]
    spontaneous: Float[np.ndarray, " neuroid"]
    orientations: Float[np.ndarray, " orientation"]
    spatial_frequencies: Float[np.ndarray, " spatial_frequency"]

    @property
    def mean(self) -> Float[np.ndarray, "orientation spatial_frequency neuroid"]:
        """F0 (orientation, spatial_frequency, neuroid)."""
        return self.cycles.mean(axis=2)

    @property
    def modulated(self) -> Float[np.ndarray, "orientation spatial_frequency neuroid"]:
        """F1 (orientation, spatial_frequency, neuroid): 2 |first Fourier coefficient| / phases."""
        phases = self.cycles.shape[2]
        wave = np.exp(-2j * np.pi * np.arange(phases) / phases)
        return 2 / phases * np.abs(np.einsum("ofpn,p->ofn", self.cycles, wave))


def grating_responses(recording: xr.DataArray) -> GratingResponses:
    """Arrange a recording of gratings by orientation, spatial frequency and phase.

    Parameters
    ----------
    recording : (presentation, neuroid) with the coordinates orientation, spatial_frequency and phase along
        presentation, and optionally contrast (only the highest is used) and blank (True: an empty screen).
        Negative responses count as none.

    Raises
    ------
    InvalidMeasurement : a coordinate is missing, a combination was not shown, orientations or phases are not evenly
        spaced over their cycle, there are fewer than 4 orientations or 3 phases.
    """
    if "repetition" in recording.dims:
        recording = recording.mean("repetition", skipna=True)
    if set(recording.dims) != {"presentation", "neuroid"}:
        raise InvalidMeasurement(f"tuning needs (presentation, neuroid), not {tuple(recording.dims)}")
    columns = _columns(recording)
    responses = np.clip(recording.transpose("presentation", "neuroid").values.astype(float), 0, None)
    blank = columns["blank"].astype(bool) | (columns["contrast"] == 0)
    shown = ~blank & (columns["contrast"] == columns["contrast"][~blank].max(initial=-np.inf))
    if not shown.any():
        raise InvalidMeasurement("the recording holds no gratings")
    axes = [np.unique(columns[c][shown], return_inverse=True) for c in ("orientation", "spatial_frequency", "phase")]
    shape = tuple(len(values) for values, _ in axes)
    place = np.ravel_multi_index([index for _, index in axes], shape)
    times = np.bincount(place, minlength=int(np.prod(shape)))
    if (times == 0).any():
        where = np.unravel_index(int(np.flatnonzero(times == 0)[0]), shape)
        o, f, p = (values[i] for (values, _), i in zip(axes, where, strict=True))
        raise InvalidMeasurement(
            f"{int((times == 0).sum())} of {len(times)} gratings were not shown, the first is orientation {o:g}, "
            f"spatial frequency {f:g}, phase {p:g}: tuning needs every combination"
        )
    _evenly_spaced(axes[0][0], 180.0, "orientation", fewest=4)
    _evenly_spaced(axes[2][0], 360.0, "phase", fewest=3)
    cycles = np.zeros((len(times), responses.shape[1]))
    np.add.at(cycles, place, responses[shown])
    cycles = (cycles / times[:, None]).reshape(*shape, -1)
    empty = np.full(responses.shape[1], np.nan)
    return GratingResponses(cycles, responses[blank].mean(axis=0) if blank.any() else empty, axes[0][0], axes[1][0])


def _columns(recording: xr.DataArray) -> dict[str, np.ndarray]:
    count = recording.sizes["presentation"]
    optional = {"contrast": np.ones(count), "blank": np.zeros(count, bool)}
    columns: dict[str, np.ndarray] = {}
    for name in ("orientation", "spatial_frequency", "phase", "contrast", "blank"):
        if name in recording.coords:
            columns[name] = np.asarray(recording.coords[name].values)
        elif name in optional:
            columns[name] = optional[name]
        else:
            raise InvalidMeasurement(f"tuning needs the coordinate {name!r} along 'presentation'")
    columns["orientation"] = np.round(np.mod(columns["orientation"].astype(float), 180.0), 6) % 180.0
    columns["phase"] = np.round(np.mod(columns["phase"].astype(float), 360.0), 6) % 360.0
    return columns


def _evenly_spaced(values: np.ndarray, cycle: float, name: str, fewest: int) -> None:
    if len(values) < fewest:
        raise InvalidMeasurement(f"tuning needs at least {fewest} values of {name}, not {len(values)}")
    steps = np.diff(np.append(values, values[0] + cycle))
    if not np.allclose(steps, cycle / len(values), atol=1e-3):
        raise InvalidMeasurement(f"values of {name} are not evenly spaced over {cycle:g} degrees: {values.tolist()}")


def as_firing_rates(gratings: GratingResponses) -> GratingResponses:
    """Map a population's responses to spikes/s by one affine function for all its neuroids.

    The medians of the maximal F0 and of the spontaneous response over neuroids that respond to any grating become
    those of macaque V1 (Marques et al. 2021, bioRxiv 2021.03.01.433495). Rates are cut off at 0. Linear units are
    rectified first (`rectify`).
    """
    gratings = rectify(gratings)
    peak = gratings.mean.max(axis=(0, 1))
    spontaneous = np.nan_to_num(gratings.spontaneous)
    active = peak > spontaneous
    if not active.any():
        return gratings
    middle, rest = float(np.median(peak[active])), float(np.median(spontaneous[active]))
    if not middle > rest:
        return gratings
    gain = (MEDIAN_MAX_RATE - MEDIAN_SPONTANEOUS_RATE) / (middle - rest)
    offset = MEDIAN_SPONTANEOUS_RATE - gain * rest
    cycles = np.clip(gain * gratings.cycles + offset, 0, None)
    return replace(gratings, cycles=cycles, spontaneous=np.clip(gain * spontaneous + offset, 0, None))


def rectify(gratings: GratingResponses) -> GratingResponses:
    """Give linear units, such as pixels, the half-wave rectified response that a spiking neuron would have.

    A unit is linear if gratings modulate it but hardly change its mean: by less than 5 % of the largest F1. It then
    answers with what exceeds its response to the blank.
    """
    spontaneous = np.nan_to_num(gratings.spontaneous)
    modulation = gratings.modulated.max(axis=(0, 1))
    shift = np.abs(gratings.mean - spontaneous).max(axis=(0, 1))
    linear = (shift < _LINEAR * modulation) & np.isfinite(gratings.spontaneous)
    if not linear.any():
        return gratings
    above = np.clip(gratings.cycles - spontaneous, 0, None)
    return replace(
        gratings,
        cycles=np.where(linear, above, gratings.cycles),
        spontaneous=np.where(linear, 0.0, gratings.spontaneous),
    )


def tuning_statistics(recording: xr.DataArray, harmonic: Harmonic = "larger", rates: bool = True) -> xr.Dataset:
    """Return the tuning statistics of every neuroid from its responses to gratings.

    Parameters
    ----------
    recording : see `grating_responses`.
    harmonic : which response is tuned: "F0", "F1", or for each neuroid the one with the larger maximum (simple cells
        are modulated, complex cells are not).
    rates : map responses to spikes/s first (`as_firing_rates`); off for recorded spike rates.

    Returns
    -------
    Variables along neuroid; NaN: undefined for this neuroid.

    - ``preferred_orientation`` (degrees), ``preferred_spatial_frequency`` (cycles/degree): at the peak of the
      interpolated curve through the best grating (a periodic spline; a Gaussian in octaves by the best sample);
    - ``circular_variance``: 1 - |sum r exp(2 i theta)| / sum r (Ringach et al. 2002, eq. 1);
    - ``orthogonal_preferred``: response 90 degrees from the preferred orientation over that at it;
      ``orthogonal_less_variance``: this less circular variance;
    - ``orientation_bandwidth`` (degrees): half the width of the curve at 1/sqrt(2) of its peak;
    - ``spatial_frequency_bandwidth`` (octaves): full width at 1/sqrt(2) of the peak;
    - ``spatial_frequency_selectivity``: low over high cut-off of that width, x 100 (Schiller et al. 1976);
    - ``modulation_ratio``: F1/F0 at the best grating; ``orientation_selectivity``: (pref - orth)/(pref + orth);
    - ``sparseness`` over gratings (Vinje & Gallant 2000); ``max_dc``, ``min_dc``, ``max_ac``, ``spontaneous``;
    - ``responsive``: max_dc exceeds spontaneous by more than 5 (spikes/s).
    """
    gratings = grating_responses(recording)
    gratings = as_firing_rates(gratings) if rates else gratings
    count = gratings.spontaneous.size
    parts = [
        _statistics(_some(gratings, slice(start, start + _NEUROIDS_AT_A_TIME)), harmonic)
        for start in range(0, count, _NEUROIDS_AT_A_TIME)
    ]
    columns = {name: ("neuroid", np.concatenate([part[name] for part in parts])) for name in parts[0]}
    coords = {str(k): v for k, v in recording.coords.items() if v.dims == ("neuroid",)}
    return xr.Dataset(columns, coords=coords)


def _some(gratings: GratingResponses, which: slice) -> GratingResponses:
    return replace(gratings, cycles=gratings.cycles[..., which], spontaneous=gratings.spontaneous[which])


def _statistics(gratings: GratingResponses, harmonic: Harmonic) -> dict[str, np.ndarray]:
    mean, modulated = gratings.mean, gratings.modulated
    max_dc, max_ac = mean.max(axis=(0, 1)), modulated.max(axis=(0, 1))
    simple = {"larger": max_ac > max_dc, "F0": np.zeros(len(max_dc), bool), "F1": np.ones(len(max_dc), bool)}[harmonic]
    tuned = np.where(simple, modulated, mean)
    best_o, best_f = np.unravel_index(tuned.reshape(-1, tuned.shape[2]).argmax(axis=0), tuned.shape[:2])
    each = np.arange(tuned.shape[2])
    peak_ac, peak_dc = modulated[best_o, best_f, each], mean[best_o, best_f, each]
    result = _orientation(tuned[:, best_f, each], gratings.orientations)
    result |= _spatial_frequency(tuned[best_o, :, each].T, gratings.spatial_frequencies)
    spontaneous = gratings.spontaneous
    return result | {
        "modulation_ratio": divide(peak_ac, peak_dc),
        "sparseness": sparseness(mean.reshape(-1, mean.shape[2])),
        "max_dc": max_dc,
        "min_dc": mean.min(axis=(0, 1)),
        "max_ac": max_ac,
        "spontaneous": spontaneous,
        "responsive": max_dc > np.nan_to_num(spontaneous) + RESPONSIVE,
    }


def sparseness(responses: Real[Array, "stimulus neuroid"]) -> Float[np.ndarray, " neuroid"]:
    """Return lifetime sparseness (neuroid,) of responses (stimulus, neuroid), 0: equal to all, 1: to one stimulus.

    (1 - mean(r)^2 / mean(r^2)) / (1 - 1/n), Vinje & Gallant 2000 (Science); NaN if there is no response.
    """
    responses = as_float64(as_numpy(responses))
    count = responses.shape[0]
    if count < 2:
        raise ValueError("sparseness needs at least two stimuli")
    activity = divide(responses.mean(axis=0) ** 2, (responses**2).mean(axis=0))
    return (1 - activity) / (1 - 1 / count)


def circular_variance(
    curve: Real[Array, "orientation neuroid"], orientations: Real[Array, " orientation"]
) -> Float[np.ndarray, " neuroid"]:
    """Return 1 - |sum r exp(2 i theta)| / sum r over (orientation, neuroid); NaN if there is no response."""
    curve, angle = as_float64(as_numpy(curve)), np.exp(2j * np.deg2rad(as_float64(as_numpy(orientations))))
    return 1 - divide(np.abs(np.einsum("on,o->n", curve, angle)), curve.sum(axis=0))


def _orientation(
    curve: Float[np.ndarray, "orientation neuroid"], orientations: Float[np.ndarray, " orientation"]
) -> dict[str, Float[np.ndarray, " neuroid"]]:
    """Return the statistics of orientation curves (orientation, neuroid)."""
    around = np.vstack([curve, curve[:1]])
    spline = scipy.interpolate.CubicSpline(np.append(orientations, orientations[0] + 180), around, bc_type="periodic")
    angles = orientations[0] + np.arange(0, 180, _STEP)
    fine = np.clip(spline(angles), 0, None)
    top = fine.argmax(axis=0)
    half = len(angles) // 2
    fine = np.take_along_axis(fine, (top + np.arange(-half, half)[:, None]) % len(angles), axis=0)  # peak in the middle
    peak, orthogonal = fine[half], fine[0]
    flat = ~(np.ptp(curve, axis=0) > 1e-12 * np.abs(curve).max(axis=0))
    level = peak / np.sqrt(2)
    width = (_reach(fine[half:], level) + _reach(fine[half::-1], level)) / 2 * _STEP
    variance, share = circular_variance(curve, orientations), divide(orthogonal, peak)
    return {
        "preferred_orientation": np.where(flat, np.nan, angles[top] % 180),
        "circular_variance": variance,
        "orthogonal_preferred": share,
        "orthogonal_less_variance": share - variance,
        "orientation_selectivity": divide(peak - orthogonal, peak + orthogonal),
        "orientation_bandwidth": np.where(flat, np.nan, width),
    }


def _spatial_frequency(
    curve: Float[np.ndarray, "spatial_frequency neuroid"], frequencies: Float[np.ndarray, " spatial_frequency"]
) -> dict[str, Float[np.ndarray, " neuroid"]]:
    """Return the statistics of spatial-frequency curves (frequency, neuroid), interpolated on an axis of octaves."""
    nothing = np.full(curve.shape[1], np.nan)
    silent = ~(curve.max(axis=0) > 0)
    if len(frequencies) < 3:
        best = np.where(silent, np.nan, frequencies[curve.argmax(axis=0)])
        return {
            "preferred_spatial_frequency": best,
            "spatial_frequency_bandwidth": nothing,
            "spatial_frequency_selectivity": nothing,
        }
    octaves = np.log2(frequencies)
    fine_octaves = np.linspace(octaves[0], octaves[-1], 16 * (len(octaves) - 1) + 1)
    fine = scipy.interpolate.PchipInterpolator(octaves, curve)(
        fine_octaves
    )  # monotone between samples: no invented side lobes
    top = fine.argmax(axis=0)
    peak, height = _peak_between(octaves, curve)
    level = np.minimum(height / np.sqrt(2), fine.max(axis=0))
    step = fine_octaves[1] - fine_octaves[0]
    index = np.arange(len(fine))[:, None]
    above = _reach(_shift(fine, top + index), level) * step
    below = _reach(_shift(fine, top - index), level) * step
    width = above + below
    return {
        "preferred_spatial_frequency": np.where(silent, np.nan, 2**peak),
        "spatial_frequency_bandwidth": np.where(silent, np.nan, width),
        "spatial_frequency_selectivity": np.where(silent, np.nan, 100 * 2.0**-width),
    }


def _peak_between(
    octaves: Float[np.ndarray, " spatial_frequency"], curve: Float[np.ndarray, "spatial_frequency neuroid"]
) -> tuple[Float[np.ndarray, " neuroid"], Float[np.ndarray, " neuroid"]]:
    """Return where the curve peaks and how high (neuroid,): a Gaussian in octaves through the three highest samples.

    The monotone interpolation of the flanks has its maximum at a sample. The best sample itself, where it is the first
    or last one, or a sample by it is silent.
    """
    best = curve.argmax(axis=0)
    middle = np.clip(best, 1, len(octaves) - 2)
    each = np.arange(curve.shape[1])
    left, centre, right = (curve[middle + k, each] for k in (-1, 0, 1))
    inside = (best == middle) & (left > 0) & (right > 0)
    below, at, above = (np.log(np.where(inside, v, 1.0)) for v in (left, centre, right))
    down, up = octaves[middle] - octaves[middle - 1], octaves[middle + 1] - octaves[middle]
    rise, fall = (at - below) / down, (above - at) / up
    bend = (fall - rise) / (down + up)  # half the second derivative
    slope = rise + bend * down
    curved = inside & (bend < 0)
    shift = np.where(curved, -slope / np.where(curved, 2 * bend, 1.0), 0.0)
    rose = np.where(curved, -(slope**2) / np.where(curved, 4 * bend, 1.0), 0.0)
    return octaves[best] + shift, curve[best, each] * np.exp(rose)


def _shift(fine: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return the rows of `fine` at `index` (row, neuroid); NaN beyond either end."""
    inside = (index >= 0) & (index < len(fine))
    return np.where(inside, np.take_along_axis(fine, np.clip(index, 0, len(fine) - 1), axis=0), np.nan)


def _reach(side: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return the steps from the peak, the first row of `side`, to where it first falls below `level`.

    They are NaN where it never does.
    """
    below = side < level
    first = below.argmax(axis=0)
    each = np.arange(side.shape[1])
    high, low = side[np.maximum(first - 1, 0), each], side[first, each]
    part = divide(high - level, high - low)
    return np.where(below.any(axis=0), first - 1 + part, np.nan)
