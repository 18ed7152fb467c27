"""Properties of V1 cells as published for ``Marques2020_*`` (Marques, Schrimpf & DiCarlo 2021).

Units answer gratings (or textures) and a blank screen. One line maps all responses on spikes/s; a property is read from
each unit as it was from the cells, and the distributions are compared (`property_similarity`). Published code finds the
units at the position of the stimuli by mapping receptive fields; here a subject names those that look there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from brainmark.brainscore.metrics.assemblies import single
from brainmark.core.comparison import Comparison, Metric
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, scipy, xr
from brainmark.core.registry import metric
from brainmark.core.vocabulary import MetricExample, add_comparison, add_noise
from brainmark.metrics._arrays.inputs import check_pair
from brainmark.metrics._arrays.shapes import Float, Real
from brainmark.metrics.tuning.distributions import distribution_similarity
from brainmark.metrics.tuning.gratings import sparseness

MAX_RATE, SPONTANEOUS_RATE, TOP_RATE = 33.8, 0.82, 243.1  # spikes/s of V1: medians, and the highest of all cells
RESPONSIVE = 5.0  # spikes/s above rest
_SMOOTH, _HANNING = (0, 0.2, 1, 0.2, 0), (0, 0.4, 1, 0.4, 0)
_WIDTH = 0.707

Properties: TypeAlias = "Mapping[str, np.ndarray]"


@add_comparison("cell properties")
def cell_properties(count: int, generator: np.random.Generator) -> MetricExample:
    """Return units tuned to orientation that answer to gratings and a blank screen, and their circular variances."""
    frequency, orientation, phase = (
        grid.ravel()
        for grid in np.meshgrid([1.0, 2.0, 4.0], np.arange(0, 180, 15.0), [0.0, 90.0, 180.0, 270.0], indexing="ij")
    )
    preferred, width = generator.uniform(0, 180, count), generator.gamma(2.0, 1.0, count)
    tuned = np.exp(width * (np.cos(2 * np.deg2rad(orientation[:, None] - preferred)) - 1))
    answers = np.vstack([20 * tuned * np.exp(-0.5 * np.log2(frequency[:, None] / 2) ** 2), np.zeros(count)])
    shown = {"orientation": orientation, "spatial_frequency": frequency, "phase": phase}
    columns = {name: np.append(values, 0.0) for name, values in shown.items()}
    columns |= {"part": np.array(["orientation"] * len(phase) + ["blank"])}
    columns |= {"stimulus_id": np.array([f"grating-{i:03d}" for i in range(len(answers))])}
    units = {"neuroid_id": [f"unit-{i}" for i in range(count)], "region": ["V1"] * count}
    prediction = xr.DataArray(
        answers,
        dims=("presentation", "neuroid"),
        coords={k: ("presentation", v) for k, v in columns.items()} | {k: ("neuroid", v) for k, v in units.items()},
    )
    cells = properties("Ringach2002", prediction)["circular_variance"]
    names = {
        "neuroid_id": ("neuroid", [f"cell-{i}" for i in range(len(cells))]),
        "region": ("neuroid", ["V1"] * len(cells)),
    }
    target = xr.DataArray(cells, dims="neuroid", coords=names, attrs={"bins": np.linspace(0, 1, 11)})
    return MetricExample(prediction, target, paired=False, disturb=lambda *given: abs(add_noise(*given)))


@metric(
    "brainscore-property-similarity", cite="marques2021", compares="cell properties", domain="vision", chance=None,
    summary="How alike a property of V1 cells and of units is distributed, as Brain-Score publishes it.",
    tags=("tuning", "brainscore", "stochastic"),
)  # fmt: skip
def tuned_similarity(study: str = "Ringach2002", tuned: str = "circular_variance", resamples: int = 1000) -> Metric:
    """Return the metric: (responses (presentation, neuroid), cells (neuroid,)) -> similarity of their distributions.

    Responses have the coordinates ``part`` ("blank", "orientation", "own"; without "own", the gratings of
    "orientation" are the study's) and the variables of gratings or textures. The cells carry the attribute ``bins``,
    edges of the histograms.

    Parameters
    ----------
    study : a key of `STUDIES`.
    tuned : a property of it.
    resamples : draws of units.
    """

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        check_pair(prediction, target)
        return property_similarity(properties(study, prediction)[tuned], target.values, _parse_bins(target), resamples)

    return compare


def ceiling(target: xr.DataArray) -> Comparison:
    """Return the similarity of the cells to draws of themselves."""
    return property_similarity(target.values, target.values, _parse_bins(target))


def properties(study: str, recording: xr.DataArray) -> Properties:
    """Return the properties of the responsive units (unit,), by name.

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
    slope, offset = _fit_line(_arrange(values[part == "orientation"], gratings).mean(axis=3), blank)
    rates = np.clip(slope * values + offset, 0, None)
    own = "own" if (part == "own").any() else "orientation"
    return STUDIES[study](rates[part == own], columns.isel(presentation=part == own), rates[part == "blank"][0])


def _parse_bins(target: xr.DataArray) -> np.ndarray:
    if "bins" not in target.attrs:
        raise InvalidMeasurement("cells need the attribute 'bins', the edges of their histogram")
    return np.asarray(target.attrs["bins"], float)


def _fit_line(mean: np.ndarray, blank: np.ndarray) -> tuple[float, float]:
    """Return the slope and offset from responses to spikes/s: medians over responsive units become those of V1."""
    peak = mean.reshape(-1, len(blank)).max(axis=0)
    responsive = peak - blank > RESPONSIVE / TOP_RATE * (peak - blank).max()
    if not responsive.any():
        raise InvalidMeasurement("no unit responds to gratings more than to a blank screen")
    rest = float(np.median(blank[responsive]))
    slope = (MAX_RATE - SPONTANEOUS_RATE) / (float(np.median(peak[responsive])) - rest)
    return slope, SPONTANEOUS_RATE - slope * rest


def _arrange(values: np.ndarray, gratings: xr.DataArray) -> np.ndarray:
    """Arrange responses as (repeat or radius, spatial frequency, orientation, phase, neuroid), in published order."""
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
    """Return F0 and F1 (repeat, spatial frequency, orientation, neuroid)."""
    spectrum = np.fft.fft(arranged, axis=3)
    return arranged.mean(axis=3), 2 * np.abs(spectrum[:, :, :, 1]) / arranged.shape[3]


def _find_best(responses: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return index along each axis but the last (neuroid) of the largest response of each neuroid (first of equals)."""
    flat = responses.reshape(-1, responses.shape[-1])
    return np.unravel_index(flat.argmax(axis=0), responses.shape[:-1])


def _stack_harmonics(arranged: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """Return F0 above rest and F1 (repeat or radius, spatial frequency, orientation, harmonic, neuroid)."""
    mean, modulated = _harmonics(arranged)
    return np.stack([mean - blank, modulated], axis=3)


# --- studies ---------------------------------------------------------------------------------------------------------


def _ringach(values: np.ndarray, gratings: xr.DataArray, blank: np.ndarray) -> Properties:
    mean, modulated = _harmonics(_arrange(values, gratings))
    orientation, each = np.unique(gratings.coords["orientation"].values), np.arange(mean.shape[-1])
    repeat, frequency, best = _find_best(mean)
    peak, curve = mean[repeat, frequency, best, each], mean[repeat, frequency, :, each].T
    width = orientation_width(curve, orientation, _HANNING, _WIDTH)[0] / 2
    selective = np.where(np.isnan(width), 0.0, 1.0)
    resultant = np.abs(np.exp(2j * np.deg2rad(orientation)) @ curve)
    variance = 1 - _divide(resultant, curve.sum(axis=0))
    share = _divide(curve[(curve.argmax(axis=0) + len(orientation) // 2) % len(orientation), each], peak)
    found = {
        "max_dc": peak,
        "modulation_ratio": _divide(modulated[repeat, frequency, best, each], peak),
        "circular_variance": variance,
        "bandwidth": width,
        "orthogonal_preferred_ratio": share,
        "orientation_selective": selective,
        "circular_variance_bandwidth_ratio": variance / width,
        "orthogonal_preferred_ratio_circular_variance_difference": share - variance,
    }
    return _keep_responsive(found, peak > blank + RESPONSIVE)


def _devalois_orientation(values: np.ndarray, gratings: xr.DataArray, blank: np.ndarray) -> Properties:
    mean = _arrange(values, gratings).mean(axis=3)
    repeat, frequency, _ = _find_best(mean)
    each = np.arange(mean.shape[-1])
    curve = mean[repeat, frequency, :, each].T
    preferred = orientation_width(curve, np.unique(gratings.coords["orientation"].values), _SMOOTH, 0.5)[1]
    preferred = np.where(preferred >= 157.5, preferred - 180, preferred)
    return _keep_responsive({"preferred_orientation": preferred}, mean.max(axis=(0, 1, 2)) > blank + RESPONSIVE)


def _devalois_frequency(values: np.ndarray, gratings: xr.DataArray, blank: np.ndarray) -> Properties:
    responses = _stack_harmonics(_arrange(values, gratings), blank)
    radius, _, orientation, harmonic = _find_best(responses)
    curve = responses[radius, :, orientation, harmonic, np.arange(responses.shape[-1])].T
    peak = frequency_tuning(curve, np.unique(gratings.coords["spatial_frequency"].values))[1]
    return _keep_responsive({"peak_spatial_frequency": peak}, responses.max(axis=(0, 1, 2, 3)) > RESPONSIVE)


def _schiller(values: np.ndarray, gratings: xr.DataArray, blank: np.ndarray) -> Properties:
    mean = _arrange(values, gratings).mean(axis=3)
    radius, _, orientation = _find_best(mean)
    curve = mean[radius, :, orientation, np.arange(mean.shape[-1])].T
    width = frequency_tuning(curve, np.unique(gratings.coords["spatial_frequency"].values))[0]
    found = {"spatial_frequency_bandwidth": width, "spatial_frequency_selective": np.where(np.isnan(width), 0.0, 1.0)}
    return _keep_responsive(found, mean.max(axis=(0, 1, 2)) > blank + RESPONSIVE)


def _cavanaugh(values: np.ndarray, gratings: xr.DataArray, blank: np.ndarray) -> Properties:
    radii = np.unique(gratings.coords["radius"].values)
    responses = _stack_harmonics(_arrange(values, gratings), blank)
    if len(responses) != len(radii):
        raise InvalidMeasurement(f"{len(radii)} radii for {len(responses)} sizes of gratings")
    _, frequency, orientation, harmonic = _find_best(responses)
    curves = responses[:, frequency, orientation, harmonic, np.arange(responses.shape[-1])]
    field, surround, index = size_tuning(curves, radii)
    found = {
        "grating_summation_field": field, "surround_diameter": surround, "surround_suppression_index": index,
    }  # fmt: skip
    return _keep_responsive(found, responses.max(axis=(0, 1, 2, 3)) > RESPONSIVE)


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
    modulation = _divide(np.where(known, index, 0).sum(axis=0), known.sum(axis=0))
    found = {
        "texture_modulation_index": modulation,
        "absolute_texture_modulation_index": np.abs(modulation),
        "texture_selectivity": sparseness(family[1]),
        "texture_sparseness": sparseness(above[1].reshape(-1, above.shape[-1])),
        "variance_ratio": _variance_ratio(np.sqrt(counts) + np.sqrt(counts + 1)),
        "max_texture": above[1].max(axis=(0, 1)),
        "max_noise": above[0].max(axis=(0, 1)),
    }
    return _keep_responsive(found, above.max(axis=(0, 1, 2)) > RESPONSIVE)


STUDIES: Mapping[str, Callable[[np.ndarray, xr.DataArray, np.ndarray], Properties]] = {
    "Cavanaugh2002a": _cavanaugh,
    "DeValois1982a": _devalois_orientation,
    "DeValois1982b": _devalois_frequency,
    "FreemanZiemba2013_V1_properties": _freeman_ziemba,
    "Ringach2002": _ringach,
    "Schiller1976c": _schiller,
}


# --- distributions ---------------------------------------------------------------------------------------------------


def property_similarity(
    model: Real[np.ndarray, " unit"],
    data: Real[np.ndarray, " cell"],
    bins: Real[np.ndarray, " edge"],
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Return the mean similarity between the cells and as many units, drawn with replacement, again and again.

    Parameters
    ----------
    model, data : (unit,) and (cell,); values beyond the outer edges count into the outer bins, NaN nowhere.
    bins : edges.
    resamples : draws.
    seed : with ``numpy.random.seed`` of the same number before it, the published code, which is not seeded, draws the
        same units.

    Returns
    -------
    Comparison with one value; the error is the standard deviation over draws. Both are 0 if every tenth draw fails.
    """
    if len(bins) < 3:
        raise InvalidMeasurement("a distribution needs at least two bins")
    which, cells = (_find_bins(np.asarray(v, float), np.asarray(bins, float)) for v in (model, data))
    count = len(bins) - 1
    histogram = np.bincount(cells[cells >= 0], minlength=count)
    generator = np.random.RandomState(seed)
    draws = [generator.choice(which, len(cells)) for _ in range(resamples)]
    drawn = np.stack([np.bincount(units[units >= 0], minlength=count) for units in draws])
    values = np.atleast_1d(distribution_similarity(drawn, histogram[None]))
    if np.isnan(values).sum() > 100:  # published: a tenth of 1000, whatever the number of draws
        return single(0.0, 0.0)
    return single(float(np.nanmean(values)), float(np.nanstd(values)))


def _find_bins(values: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return the bin of each value; the last edge belongs to the last bin; -1: NaN."""
    known = np.isfinite(values) | np.isinf(values)
    inside = np.clip(np.where(known, values, bins[0]), bins[0], bins[-1])
    place = np.minimum(np.searchsorted(bins, inside, side="right") - 1, len(bins) - 2)
    return np.where(known, place, -1)


# --- one curve -------------------------------------------------------------------------------------------------------


def orientation_width(
    curves: Real[np.ndarray, "orientation unit"],
    orientations: Real[np.ndarray, " orientation"],
    window: tuple[float, ...],
    level: float,
) -> tuple[Float[np.ndarray, " unit"], Float[np.ndarray, " unit"]]:
    """Return the full width at `level` of the peak, and preferred orientation, in whole degrees.

    Curves are (orientation, unit).

    The curve is repeated thrice, smoothed by `window` and interpolated by a cubic spline; widths above 180 are NaN.
    """
    three = np.concatenate([orientations - 180, orientations, orientations + 180])
    fine = np.arange(-180, 360)
    smooth = _smooth(np.concatenate([curves] * 3), window, "same")
    curve = scipy.interpolate.make_interp_spline(three, smooth, k=3)(fine)
    top = curve[180:360].argmax(axis=0) + 180
    peak = curve[top, np.arange(curve.shape[1])]
    low, high = _find_edges(curve <= peak * level, top)
    width = fine.astype(float)[high.clip(0, 539)] - fine[low.clip(0, 539)]
    return np.where((low < 0) | (high > 539) | (width > 180), np.nan, width), (top - 180).astype(float)


def frequency_tuning(
    curves: Real[np.ndarray, "frequency unit"], frequencies: Real[np.ndarray, " frequency"]
) -> tuple[Float[np.ndarray, " unit"], Float[np.ndarray, " unit"]]:
    """Return the low over high cut-off at .707 of the peak x 100, and preferred spatial frequency.

    Curves are (frequency, unit).
    """
    octaves = np.log2(frequencies)
    fine = np.linspace(octaves[0], octaves[-1], 100)
    padded = np.concatenate([curves[:1], curves[:1], curves, curves[-1:], curves[-1:]])
    curve = scipy.interpolate.make_interp_spline(octaves, _smooth(padded, _SMOOTH, "valid"), k=3)(fine)
    top = curve.argmax(axis=0)
    low, high = _find_edges(curve <= curve[top, np.arange(curve.shape[1])] * _WIDTH, top)
    ratio = 100 * 2.0 ** (fine[low.clip(0, 99)] - fine[high.clip(0, 99)])
    return np.where((low < 0) | (high > 99), np.nan, ratio), 2.0 ** fine[top]


def size_tuning(
    curves: Real[np.ndarray, "radius unit"], radii: Real[np.ndarray, " radius"]
) -> tuple[Float[np.ndarray, " unit"], Float[np.ndarray, " unit"], Float[np.ndarray, " unit"]]:
    """Return the grating summation field, surround diameter (degrees; NaN: hardly suppressed) and suppression index.

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


def _find_edges(below: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last row below before `top`, -1 if none; first row below after it, the number of rows if none."""
    rows = np.arange(len(below))[:, None]
    before, after = below & (rows < top), below & (rows > top)
    low = np.where(before.any(axis=0), len(below) - 1 - before[::-1].argmax(axis=0), -1)
    return low, np.where(after.any(axis=0), after.argmax(axis=0), len(below))


def _smooth(curves: np.ndarray, window: tuple[float, ...], mode: str) -> np.ndarray:
    weights = np.asarray(window) / np.sum(window)
    return np.apply_along_axis(lambda curve: np.convolve(weights, curve, mode=mode), 0, curves)  # pyright: ignore[reportCallIssue, reportArgumentType]


def _variance_ratio(responses: np.ndarray) -> np.ndarray:
    """Return the variance between families over that between their samples, of responses (family, sample, unit)."""
    families, samples = responses.shape[:2]
    mean = responses.mean(axis=1)
    within = ((responses - mean[:, None]) ** 2).sum(axis=(0, 1)) / (families * (samples - 1))
    between = samples * ((mean - mean.mean(axis=0)) ** 2).sum(axis=0) / (families - 1)
    of_families = (between - within) / samples
    total = within + of_families
    return (_divide(of_families, total) + 0.02) / (_divide(within, total) + 0.02)


def _keep_responsive(found: dict[str, np.ndarray], responsive: np.ndarray) -> Properties:
    return {name: values[responsive] for name, values in found.items()}


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    defined = below != 0
    return np.where(defined, above / np.where(defined, below, 1), np.nan)
