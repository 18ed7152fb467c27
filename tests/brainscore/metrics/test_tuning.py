"""Published properties of V1 cells: each against a plain loop with SciPy's smoothing-free spline, and known units."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from scipy.interpolate import UnivariateSpline

from brainmark.brainscore.metrics import tuning
from brainmark.core import InvalidMeasurement

ORIENTATIONS = np.arange(0, 180, 15.0)
FREQUENCIES = 2.0 ** np.arange(-1, 4)
PHASES = np.arange(0, 360, 45.0)
RADII = np.array([0.25, 0.5, 1.0, 2.0, 4.0])


def width_by_loop(curve: np.ndarray, window: list[float], level: float) -> tuple[float, float]:
    three = np.hstack((ORIENTATIONS - 180, ORIENTATIONS, ORIENTATIONS + 180))
    smooth = np.convolve(np.array(window) / sum(window), np.tile(curve, 3), mode="same")
    fine = np.linspace(-180, 359, 540)
    full = UnivariateSpline(three, smooth, s=0.0)(fine)
    best = int(np.argmax(full[180:360]))
    under = [i for i in range(540) if full[i] <= full[best + 180] * level]
    left, right = [i for i in under if i < best + 180], [i for i in under if i > best + 180]
    if not left or not right or fine[right[0]] - fine[left[-1]] > 180:
        return np.nan, best
    return fine[right[0]] - fine[left[-1]], best


@pytest.mark.parametrize(("window", "level"), [([0, 0.4, 1, 0.4, 0], 0.707), ([0, 0.2, 1, 0.2, 0], 0.5)])
def test_orientation_width_equals_the_plain_loop(window, level):
    generator = np.random.default_rng(0)
    sharp = 3 * np.exp(np.cos(2 * np.deg2rad(ORIENTATIONS[:, None] - generator.uniform(0, 180, 30))) * 2)
    curves = sharp + generator.uniform(0, 8, (12, 30)) * generator.integers(0, 2, 30)
    width, best = tuning.orientation_width(curves, ORIENTATIONS, tuple(window), level)
    by_hand = np.array([width_by_loop(curve, window, level) for curve in curves.T])
    np.testing.assert_array_equal(width, by_hand[:, 0])
    np.testing.assert_array_equal(best, by_hand[:, 1])
    assert np.isfinite(width).sum() > 10


def test_frequency_tuning_equals_the_plain_loop():
    generator = np.random.default_rng(1)
    curves = np.exp(-((np.log2(FREQUENCIES)[:, None] - generator.uniform(-1, 3, 25)) ** 2)) + generator.uniform(
        0, 0.6, (1, 25)
    )
    ratio, peak = tuning.frequency_tuning(curves, FREQUENCIES)
    octaves = np.log2(FREQUENCIES)
    fine = np.linspace(octaves[0], octaves[-1], num=100)
    for i, curve in enumerate(curves.T):
        window = np.array([0, 0.2, 1, 0.2, 0]) / 1.4
        padded = np.concatenate(([curve[0]] * 2, curve, [curve[-1]] * 2))
        full = UnivariateSpline(octaves, np.convolve(window, padded, mode="valid"), s=0.0)(fine)
        best = int(np.argmax(full))
        under = np.flatnonzero(full <= full[best] * 0.707)
        left, right = under[under < best], under[under > best]
        expected = 100 * 2 ** fine[left[-1]] / 2 ** fine[right[0]] if len(left) and len(right) else np.nan
        assert ratio[i] == pytest.approx(expected, nan_ok=True)
        assert peak[i] == pytest.approx(2 ** fine[best])
    assert 0 < np.isfinite(ratio).sum() < 25


def test_size_tuning_by_hand():
    curves = np.array([[1, 4, 10, 6, 5.2], [1, 2, 3, 4, 5.0], [0, 0, 0, 0, 0.0], [1, 4, 10, 9.7, 9.5]]).T
    field, surround, index = tuning.size_tuning(curves, RADII)
    np.testing.assert_allclose(field, [2.0, np.nan, np.nan, np.nan])  # suppressed by a tenth at least, or not at all
    np.testing.assert_allclose(surround, [8.0, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(index, [0.48, 0.0, np.nan, 0.05], atol=1e-12)


def test_variance_ratio_by_hand():
    """Two families of two samples: variance 2 within, (16 - 2) / 2 = 7 between; .02 keeps shares from 0."""
    found = tuning._variance_ratio(np.array([[0.0, 2.0], [4.0, 6.0]])[:, :, None])
    assert found.item() == pytest.approx((7 / 9 + 0.02) / (2 / 9 + 0.02))


def test_the_line_to_rates_rests_on_units_that_answer():
    """Five of at most 243.1 spikes/s are .0206 of the largest answer."""
    peaks = np.array([1.0, 0.5, 0.021, 0.02, 0.001])
    slope, offset = tuning._fit_line(peaks[None], np.zeros(5))
    assert slope == pytest.approx((33.8 - 0.82) / 0.5)
    assert offset == pytest.approx(0.82)


def gratings(radii: np.ndarray, part: str) -> dict[str, list]:
    rows = list(itertools.product(radii, FREQUENCIES, ORIENTATIONS, PHASES))
    columns = zip(*rows, strict=True)
    names = ("radius", "spatial_frequency", "orientation", "phase")
    return {**{n: list(c) for n, c in zip(names, columns, strict=True)}, "part": [part] * len(rows)}


def cells(columns: dict[str, list], preferred: np.ndarray, simple: np.ndarray) -> np.ndarray:
    """Responses (presentation, neuroid): tuned to an orientation and 2 cycles/degree, suppressed by large gratings."""
    orientation, frequency, phase, radius = (
        np.array(columns[n])[:, None] for n in ("orientation", "spatial_frequency", "phase", "radius")
    )
    tuned = np.exp(2 * (np.cos(2 * np.deg2rad(orientation - preferred)) - 1))
    tuned = tuned * np.exp(-((np.log2(frequency) - 1) ** 2) / 2) * np.where(radius > 1, 0.5, np.minimum(radius, 1))
    wave = np.clip(np.cos(np.deg2rad(phase)), 0, None) * np.pi
    return tuned * np.where(simple, wave, 1.0) + 0.02


def recording(own: dict[str, list] | None) -> tuple[xr.DataArray, np.ndarray, np.ndarray]:
    preferred, simple = np.arange(0, 180, 7.5), np.arange(24) % 2 == 0
    parts = [gratings(np.array([1.0]), "orientation"), *([own] if own else [])]
    blank = {name: [0.0] for name in ("radius", "spatial_frequency", "orientation", "phase")} | {"part": ["blank"]}
    values = np.vstack([np.full((1, 24), 0.02), *(cells(p, preferred, simple) for p in parts)])
    columns = {n: ("presentation", [v for p in (blank, *parts) for v in p[n]]) for n in blank}
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=columns), preferred, simple


def test_known_units_have_their_properties():
    given, preferred, simple = recording(None)
    found = tuning.properties("Ringach2002", given)
    assert {len(v) for v in found.values()} == {24}
    assert np.median(found["max_dc"]) == pytest.approx(33.8, rel=0.02)
    assert (found["modulation_ratio"][simple] > 1.2).all()
    np.testing.assert_allclose(found["modulation_ratio"][~simple], 0, atol=1e-9)
    np.testing.assert_array_equal(found["orientation_selective"], 1)
    # half the width at .707 of the peak: 17 degrees for a von Mises of 2, a little more once smoothed
    assert ((found["bandwidth"] > 17) & (found["bandwidth"] < 25)).all()
    np.testing.assert_allclose(
        found["circular_variance_bandwidth_ratio"], found["circular_variance"] / found["bandwidth"]
    )
    assert (found["orthogonal_preferred_ratio"] < 0.15).all()
    np.testing.assert_allclose(
        found["orthogonal_preferred_ratio_circular_variance_difference"],
        found["orthogonal_preferred_ratio"] - found["circular_variance"],
    )
    angle = tuning.properties("DeValois1982a", given)["preferred_orientation"]
    assert (angle < 157.5).all()
    assert (np.abs((angle - preferred + 90) % 180 - 90) <= 8).all()


def test_known_units_have_their_sizes_and_frequencies():
    given, _, _ = recording(gratings(RADII, "own"))
    found = tuning.properties("Cavanaugh2002a", given)
    np.testing.assert_allclose(found["grating_summation_field"], 2.0)
    np.testing.assert_allclose(found["surround_diameter"], 4.0)
    assert (np.abs(found["surround_suppression_index"] - 0.5) < 0.02).all()
    np.testing.assert_allclose(tuning.properties("DeValois1982b", given)["peak_spatial_frequency"], 2.0, rtol=0.06)
    assert np.isfinite(tuning.properties("Schiller1976c", given)["spatial_frequency_bandwidth"]).all()


def textures() -> xr.DataArray:
    """Own stimuli of 2 types, 5 families, 4 samples, in another order than sorted; a blank and gratings before them."""
    given, _, _ = recording(None)
    generator = np.random.default_rng(3)
    rows = [(t, f, s) for s in range(4) for f in range(5) for t in ("texture", "noise")]
    family = generator.uniform(0.1, 1, (5, 24))
    values = np.array([family[f] * (1.5 if t == "texture" else 1.0) for t, f, _ in rows])
    values += generator.uniform(0, 0.05, values.shape)
    count = len(given)
    columns = {str(n): ("presentation", [*c.values, *[np.nan] * 40]) for n, c in given.coords.items()}
    columns["part"] = ("presentation", [*given.coords["part"].values, *["own"] * 40])
    for i, name in enumerate(("type", "family", "sample")):
        columns[name] = ("presentation", np.array([np.nan] * count + [row[i] for row in rows], dtype=object))
    return xr.DataArray(np.vstack([given.values, values]), dims=("presentation", "neuroid"), coords=columns)


def test_textures_are_told_from_noise():
    found = tuning.properties("FreemanZiemba2013_V1_properties", textures())
    assert (np.abs(found["texture_modulation_index"] - 0.2) < 0.06).all()
    np.testing.assert_array_equal(found["absolute_texture_modulation_index"], np.abs(found["texture_modulation_index"]))
    assert (found["max_texture"] > found["max_noise"]).all()
    assert (found["variance_ratio"] > 1).all(), "families differ more than samples"
    assert ((found["texture_sparseness"] > 0) & (found["texture_sparseness"] < 1)).all()


def test_what_is_no_experiment_of_this_kind_is_refused():
    given, _, _ = recording(None)
    with pytest.raises(InvalidMeasurement, match="'part'"):
        tuning.properties("Ringach2002", given.drop_vars("part"))
    with pytest.raises(InvalidMeasurement, match="blank"):
        tuning.properties("Ringach2002", given.isel(presentation=slice(1, None)))
    with pytest.raises(InvalidMeasurement, match="out of order"):
        tuning.properties("Ringach2002", given.isel(presentation=[0, *range(len(given) - 1, 0, -1)]))
    with pytest.raises(InvalidMeasurement, match="no unit responds"):
        tuning.properties("Ringach2002", given * 0)
    with pytest.raises(InvalidMeasurement, match="'bins'"):
        tuning.ceiling(xr.DataArray(np.arange(5.0), dims="neuroid"))


def test_a_distribution_is_like_itself():
    target = xr.DataArray(
        np.random.default_rng(0).uniform(0, 1, 300), dims="neuroid", attrs={"bins": np.linspace(0, 1, 11)}
    )
    assert 0.93 < tuning.ceiling(target).aggregate() < 1
