"""Properties of V1 cells as published for ``Marques2020_*`` (Marques, Schrimpf & DiCarlo 2021).

Units answer gratings (or textures) and a blank screen. One line maps all responses on spikes/s; a property is read from
each unit as it was from the cells, and the distributions are compared (`property_similarity`). Published code finds the
units at the position of the stimuli by mapping receptive fields; here a subject names those that look there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from brainmark.brainscore.metrics.distributions import property_similarity
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, scipy, xr
from brainmark.metrics._arrays.shapes import Float, Real, Shaped
from brainmark.metrics.tuning.gratings import sparseness

MAX_RATE, SPONTANEOUS_RATE, TOP_RATE = 33.8, 0.82, 243.1  # spikes/s of V1: medians, and the highest of all cells
RESPONSIVE = 5.0  # spikes/s above rest
_SMOOTH, _HANNING = (0, 0.2, 1, 0.2, 0), (0, 0.4, 1, 0.4, 0)
_WIDTH = 0.707

Properties = Mapping[str, np.ndarray]
PARTS = ("blank", "orientation", "own")
"""What the coordinate ``part`` of a presentation says; without "own", the gratings of "orientation" are the study's."""


def compared(
    study: str, name: str, shown: Mapping[str, Shaped[np.ndarray, " presentation"]], resamples: int = 1000
) -> Callable[[xr.DataArray, xr.DataArray], Comparison]:
    """Return the metric: (responses (presentation, neuroid), cells (neuroid,)) -> similarity of their distributions.

    Parameters
    ----------
    study : a key of `STUDIES`.
    name : a property of it.
    shown : what is known of each presentation, by name: ``part`` and the variables of gratings or textures.

    The cells carry the attribute ``bins``, edges of the histograms.
    """

    def metric(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        recording = prediction.assign_coords({key: ("presentation", column) for key, column in shown.items()})
        return property_similarity(properties(study, recording)[name], target.values, _bins(target), resamples)

    return metric


def ceiling(target: xr.DataArray) -> Comparison:
    """Similarity of the cells to draws of themselves."""
    return property_similarity(target.values, target.values, _bins(target))


def properties(study: str, recording: xr.DataArray) -> Properties:
    """Properties of the responsive units (unit,), by name.

    Raises
    ------
    InvalidMeasurement : no coordinate ``part``, no blank, or stimuli that are not all combinations in order.
    """
    values = np.clip(recording.transpose("presentation", "neuroid").values.astype(float), 0, None)
    if "part" not in recording.coords:
        raise InvalidMeasurement("responses to gratings need the coordinate 'part' along presentation")
    part = recording.coords["part"].values
    if not (part == "blank").any():
        raise InvalidMeasurement("responses to gratings need a blank screen")
    columns = recording.drop_vars([c for c in recording.coords if recording.coords[c].dims != ("presentation",)])
    gratings = columns.isel(presentation=part == "orientation")
    blank = values[part == "blank"][0]
    slope, offset = _line(_arranged(values[part == "orientation"], gratings).mean(axis=3), blank)
    rates = np.clip(slope * values + offset, 0, None)
    own = "own" if (part == "own").any() else "orientation"
    return STUDIES[study](rates[part == own], columns.isel(presentation=part == own), rates[part == "blank"][0])


def _bins(target: xr.DataArray) -> np.ndarray:
    if "bins" not in target.attrs:
        raise InvalidMeasurement("cells need the attribute 'bins', the edges of their histogram")
    return np.asarray(target.attrs["bins"], float)


def _line(mean: np.ndarray, blank: np.ndarray) -> tuple[float, float]:
    """Slope and offset from responses to spikes/s: medians over responsive units become those of V1."""
    peak = mean.reshape(-1, len(blank)).max(axis=0)
    responsive = peak - blank > RESPONSIVE / TOP_RATE * (peak - blank).max()
    if not responsive.any():
        raise InvalidMeasurement("no unit responds to gratings more than to a blank screen")
    rest = float(np.median(blank[responsive]))
    slope = (MAX_RATE - SPONTANEOUS_RATE) / (float(np.median(peak[responsive])) - rest)
    return slope, SPONTANEOUS_RATE - slope * rest


def _arranged(values: np.ndarray, gratings: xr.DataArray) -> np.ndarray:
    """Responses (repeat or radius, spatial frequency, orientation, phase, neuroid), in the order of the files."""
    names = ("spatial_frequency", "orientation", "phase")
    if lacking := [name for name in names if name not in gratings.coords]:
        raise InvalidMeasurement(f"gratings have no {', '.join(lacking)}")
    levels = [np.unique(gratings.coords[name].values) for name in names]
    shape = tuple(map(len, levels))
    repeats, rest = divmod(len(values), int(np.prod(shape)))
    grid = np.meshgrid(*levels, indexing="ij")
    for name, expected in zip(names, grid, strict=True):
        if rest or not np.allclose(gratings.coords[name].values, np.tile(expected.ravel(), repeats)):
            raise InvalidMeasurement(f"gratings are not all combinations, phase fastest: {name} is out of order")
    return values.reshape(repeats, *shape, -1)


def _harmonics(arranged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F0 and F1 (repeat, spatial frequency, orientation, neuroid)."""
    spectrum = np.fft.fft(arranged, axis=3)
    return arranged.mean(axis=3), 2 * np.abs(spectrum[:, :, :, 1]) / arranged.shape[3]


def _best(responses: np.ndarray) -> tuple[np.ndarray, ...]:
    """Index along each axis but the last (neuroid) of the largest response of each neuroid, the first of equals."""
    flat = responses.reshape(-1, responses.shape[-1])
    return np.unravel_index(flat.argmax(axis=0), responses.shape[:-1])


def _larger(arranged: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """F0 above rest and F1 (repeat or radius, spatial frequency, orientation, harmonic, neuroid)."""
    mean, modulated = _harmonics(arranged)
    return np.stack([mean - blank, modulated], axis=3)


# --- studies ---------------------------------------------------------------------------------------------------------


def _ringach(values: np.ndarray, gratings: xr.DataArray, blank: np.ndarray) -> Properties:
    mean, modulated = _harmonics(_arranged(values, gratings))
    orientation, each = np.unique(gratings.coords["orientation"].values), np.arange(mean.shape[-1])
    repeat, frequency, best = _best(mean)
    peak, curve = mean[repeat, frequency, best, each], mean[repeat, frequency, :, each].T
    width = orientation_width(curve, orientation, _HANNING, _WIDTH)[0] / 2
    selective = np.where(np.isnan(width), 0.0, 1.0)
    resultant = np.abs(np.exp(2j * np.deg2rad(orientation)) @ curve)
    variance = 1 - _over(resultant, curve.sum(axis=0))
    share = _over(curve[(curve.argmax(axis=0) + len(orientation) // 2) % len(orientation), each], peak)
    found = {
        "max_dc": peak,
        "modulation_ratio": _over(modulated[repeat, frequency, best, each], peak),
        "circular_variance": variance,
        "bandwidth": width,
        "orthogonal_preferred_ratio": share,
        "orientation_selective": selective,
        "circular_variance_bandwidth_ratio": variance / width,
        "orthogonal_preferred_ratio_circular_variance_difference": share - variance,
    }
    return _only(found, peak > blank + RESPONSIVE)


def _devalois_orientation(values: np.ndarray, gratings: xr.DataArray, blank: np.ndarray) -> Properties:
    mean = _arranged(values, gratings).mean(axis=3)
    repeat, frequency, _ = _best(mean)
    each = np.arange(mean.shape[-1])
    curve = mean[repeat, frequency, :, each].T
    preferred = orientation_width(curve, np.unique(gratings.coords["orientation"].values), _SMOOTH, 0.5)[1]
    preferred = np.where(preferred >= 157.5, preferred - 180, preferred)
    return _only({"preferred_orientation": preferred}, mean.max(axis=(0, 1, 2)) > blank + RESPONSIVE)


def _devalois_frequency(values: np.ndarray, gratings: xr.DataArray, blank: np.ndarray) -> Properties:
    responses = _larger(_arranged(values, gratings), blank)
    radius, _, orientation, harmonic = _best(responses)
    curve = responses[radius, :, orientation, harmonic, np.arange(responses.shape[-1])].T
    peak = frequency_tuning(curve, np.unique(gratings.coords["spatial_frequency"].values))[1]
    return _only({"peak_spatial_frequency": peak}, responses.max(axis=(0, 1, 2, 3)) > RESPONSIVE)


def _schiller(values: np.ndarray, gratings: xr.DataArray, blank: np.ndarray) -> Properties:
    mean = _arranged(values, gratings).mean(axis=3)
    radius, _, orientation = _best(mean)
    curve = mean[radius, :, orientation, np.arange(mean.shape[-1])].T
    width = frequency_tuning(curve, np.unique(gratings.coords["spatial_frequency"].values))[0]
    found = {"spatial_frequency_bandwidth": width, "spatial_frequency_selective": np.where(np.isnan(width), 0.0, 1.0)}
    return _only(found, mean.max(axis=(0, 1, 2)) > blank + RESPONSIVE)


def _cavanaugh(values: np.ndarray, gratings: xr.DataArray, blank: np.ndarray) -> Properties:
    radii = np.unique(gratings.coords["radius"].values)
    responses = _larger(_arranged(values, gratings), blank)
    if len(responses) != len(radii):
        raise InvalidMeasurement(f"{len(radii)} radii for {len(responses)} sizes of gratings")
    _, frequency, orientation, harmonic = _best(responses)
    curves = responses[:, frequency, orientation, harmonic, np.arange(responses.shape[-1])]
    field, surround, index = size_tuning(curves, radii)
    found = {
        "grating_summation_field": field, "surround_diameter": surround, "surround_suppression_index": index,
    }  # fmt: skip
    return _only(found, responses.max(axis=(0, 1, 2, 3)) > RESPONSIVE)


def _freeman_ziemba(values: np.ndarray, textures: xr.DataArray, blank: np.ndarray) -> Properties:
    names = ("type", "family", "sample")
    order = np.lexsort([textures.coords[name].values for name in reversed(names)])
    shape = tuple(len(np.unique(textures.coords[name].values)) for name in names)
    if shape[0] != 2 or len(order) != np.prod(shape):
        raise InvalidMeasurement(f"textures are not all combinations of 2 types, families and samples, but {shape}")
    rates = values[order].reshape(*shape, -1)
    above = rates - blank
    family = above.mean(axis=2)
    counts = rates[1] / 10  # of the textures, in 100 ms; made of equal variance below
    with np.errstate(divide="ignore", invalid="ignore"):
        index = (family[1] - family[0]) / (family[1] + family[0])
    known = np.isfinite(index)
    modulation = _over(np.where(known, index, 0).sum(axis=0), known.sum(axis=0))
    found = {
        "texture_modulation_index": modulation,
        "absolute_texture_modulation_index": np.abs(modulation),
        "texture_selectivity": sparseness(family[1]),
        "texture_sparseness": sparseness(above[1].reshape(-1, above.shape[-1])),
        "variance_ratio": _variance_ratio(np.sqrt(counts) + np.sqrt(counts + 1)),
        "max_texture": above[1].max(axis=(0, 1)),
        "max_noise": above[0].max(axis=(0, 1)),
    }
    return _only(found, above.max(axis=(0, 1, 2)) > RESPONSIVE)


STUDIES: Mapping[str, Callable[[np.ndarray, xr.DataArray, np.ndarray], Properties]] = {
    "Cavanaugh2002a": _cavanaugh,
    "DeValois1982a": _devalois_orientation,
    "DeValois1982b": _devalois_frequency,
    "FreemanZiemba2013_V1_properties": _freeman_ziemba,
    "Ringach2002": _ringach,
    "Schiller1976c": _schiller,
}


# --- one curve -------------------------------------------------------------------------------------------------------


def orientation_width(
    curves: Real[np.ndarray, "orientation unit"],
    orientations: Real[np.ndarray, " orientation"],
    window: tuple[float, ...],
    level: float,
) -> tuple[Float[np.ndarray, " unit"], Float[np.ndarray, " unit"]]:
    """Full width at `level` of the peak, and preferred orientation, in whole degrees; curves are (orientation, unit).

    The curve is repeated thrice, smoothed by `window` and interpolated by a cubic spline; widths above 180 are NaN.
    """
    three = np.concatenate([orientations - 180, orientations, orientations + 180])
    fine = np.arange(-180, 360)
    smooth = _smoothed(np.concatenate([curves] * 3), window, "same")
    curve = scipy.interpolate.make_interp_spline(three, smooth, k=3)(fine)
    top = curve[180:360].argmax(axis=0) + 180
    peak = curve[top, np.arange(curve.shape[1])]
    low, high = _edges(curve <= peak * level, top)
    width = fine.astype(float)[high.clip(0, 539)] - fine[low.clip(0, 539)]
    return np.where((low < 0) | (high > 539) | (width > 180), np.nan, width), (top - 180).astype(float)


def frequency_tuning(
    curves: Real[np.ndarray, "frequency unit"], frequencies: Real[np.ndarray, " frequency"]
) -> tuple[Float[np.ndarray, " unit"], Float[np.ndarray, " unit"]]:
    """Low over high cut-off at .707 of the peak x 100, and preferred spatial frequency; curves (frequency, unit)."""
    octaves = np.log2(frequencies)
    fine = np.linspace(octaves[0], octaves[-1], 100)
    padded = np.concatenate([curves[:1], curves[:1], curves, curves[-1:], curves[-1:]])
    curve = scipy.interpolate.make_interp_spline(octaves, _smoothed(padded, _SMOOTH, "valid"), k=3)(fine)
    top = curve.argmax(axis=0)
    low, high = _edges(curve <= curve[top, np.arange(curve.shape[1])] * _WIDTH, top)
    ratio = 100 * 2.0 ** (fine[low.clip(0, 99)] - fine[high.clip(0, 99)])
    return np.where((low < 0) | (high > 99), np.nan, ratio), 2.0 ** fine[top]


def size_tuning(
    curves: Real[np.ndarray, "radius unit"], radii: Real[np.ndarray, " radius"]
) -> tuple[Float[np.ndarray, " unit"], Float[np.ndarray, " unit"], Float[np.ndarray, " unit"]]:
    """Grating summation field, surround diameter (degrees; NaN: hardly suppressed) and suppression index.

    `curves` are (radius, unit). The field is where 95 % of the peak is reached first, the surround where the response
    has come down to within 5 % of that to the largest grating.
    """
    peak, plateau, best = curves.max(axis=0), curves[-1], curves.argmax(axis=0)
    index = np.where(peak != 0, (peak - plateau) / np.where(peak != 0, peak, 1), np.nan)
    suppressed = (peak > 0) & (index > 0.1)
    field = 2 * radii[(curves >= 0.95 * peak).argmax(axis=0)]
    down = (curves <= plateau + 0.05 * np.abs(plateau)) & (np.arange(len(radii))[:, None] > best)
    surround = 2 * radii[down.argmax(axis=0)]
    return np.where(suppressed, field, np.nan), np.where(suppressed, surround, np.nan), index


def _edges(below: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Last row below before `top`, -1 if none; first row below after it, the number of rows if none."""
    rows = np.arange(len(below))[:, None]
    before, after = below & (rows < top), below & (rows > top)
    low = np.where(before.any(axis=0), len(below) - 1 - before[::-1].argmax(axis=0), -1)
    return low, np.where(after.any(axis=0), after.argmax(axis=0), len(below))


def _smoothed(curves: np.ndarray, window: tuple[float, ...], mode: str) -> np.ndarray:
    weights = np.asarray(window) / np.sum(window)
    return np.apply_along_axis(lambda curve: np.convolve(weights, curve, mode=mode), 0, curves)  # pyright: ignore[reportCallIssue, reportArgumentType]


def _variance_ratio(responses: np.ndarray) -> np.ndarray:
    """Variance between families over that between their samples, of responses (family, sample, unit)."""
    families, samples = responses.shape[:2]
    mean = responses.mean(axis=1)
    within = ((responses - mean[:, None]) ** 2).sum(axis=(0, 1)) / (families * (samples - 1))
    between = samples * ((mean - mean.mean(axis=0)) ** 2).sum(axis=0) / (families - 1)
    of_families = (between - within) / samples
    total = within + of_families
    return (_over(of_families, total) + 0.02) / (_over(within, total) + 0.02)


def _only(found: dict[str, np.ndarray], responsive: np.ndarray) -> Properties:
    return {name: values[responsive] for name, values in found.items()}


def _over(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    defined = below != 0
    return np.where(defined, above / np.where(defined, below, 1), np.nan)


__all__ = ["STUDIES", "ceiling", "compared", "frequency_tuning", "orientation_width", "properties", "size_tuning"]
