"""Tuning statistics of units whose tuning is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.special import i0, i1

from brainmark.core.errors import InvalidMeasurement
from brainmark.metrics.tuning import gratings as module
from brainmark.metrics.tuning.gratings import grating_responses, rectify, sparseness, tuning_statistics

ORIENTATIONS = np.arange(0, 180, 15.0)
FREQUENCIES = 2.0 ** np.arange(-1, 4)
PHASES = np.arange(0, 360, 45.0)


def recording(respond, *, blank: float | None = 0.0, neuroids: int = 1) -> xr.DataArray:
    """Responses of `respond(orientation, frequency, phase)` (grids in radians, cycles/deg, radians) to a full grid."""
    grid = np.stack(np.meshgrid(ORIENTATIONS, FREQUENCIES, PHASES, indexing="ij"), axis=-1).reshape(-1, 3)
    values = np.asarray(respond(np.deg2rad(grid[:, 0]), grid[:, 1], np.deg2rad(grid[:, 2])), float)
    values = values.reshape(len(grid), -1)
    isblank = np.zeros(len(grid), bool)
    if blank is not None:
        values = np.vstack([values, np.full((1, values.shape[1]), blank)])
        grid = np.vstack([grid, grid[:1]])
        isblank = np.append(isblank, True)
    names = ("orientation", "spatial_frequency", "phase")
    return xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={n: ("presentation", grid[:, i]) for i, n in enumerate(names)}
        | {"blank": ("presentation", isblank), "neuroid_id": ("neuroid", np.arange(values.shape[1]))},
    )


def von_mises(preferred: float, kappa: float):
    """A complex cell: von Mises in orientation, log-Gaussian in spatial frequency (peak 2 cycles/deg, sd 1 octave)."""

    def respond(o: np.ndarray, f: np.ndarray, p: np.ndarray) -> np.ndarray:
        tuned = np.exp(kappa * (np.cos(2 * (o - np.deg2rad(preferred))) - 1))
        return 10 * tuned * np.exp(-(np.log2(f / 2) ** 2) / 2)

    return respond


def only(recording: xr.DataArray, **options: object) -> dict[str, float]:
    statistics = tuning_statistics(recording, rates=False, **options)  # type: ignore[arg-type]
    return {str(name): float(values.values[0]) for name, values in statistics.items()}


@pytest.mark.parametrize("preferred", [0.0, 37.0, 90.0, 172.0])
@pytest.mark.parametrize("kappa", [0.7, 2.0, 4.0])
def test_von_mises_unit(preferred: float, kappa: float) -> None:
    found = only(recording(von_mises(preferred, kappa)))
    turned = (found["preferred_orientation"] - preferred + 90) % 180 - 90
    assert turned == pytest.approx(0, abs=1.5)
    assert found["circular_variance"] == pytest.approx(1 - i1(kappa) / i0(kappa), abs=0.003)
    assert found["orthogonal_preferred"] == pytest.approx(np.exp(-2 * kappa), abs=0.01)
    assert found["orthogonal_less_variance"] == found["orthogonal_preferred"] - found["circular_variance"]
    width = np.rad2deg(np.arccos(1 - np.log(np.sqrt(2)) / kappa)) / 2
    narrow = width < 15  # less than the step between orientations: the spline fills in
    assert found["orientation_bandwidth"] == pytest.approx(width, rel=0.08 if narrow else 0.04)
    assert found["preferred_spatial_frequency"] == pytest.approx(2, rel=0.03)
    octaves = 2 * np.sqrt(np.log(2))
    assert found["spatial_frequency_bandwidth"] == pytest.approx(octaves, rel=0.06)
    assert found["spatial_frequency_selectivity"] == pytest.approx(100 * 2**-octaves, rel=0.1)
    assert found["modulation_ratio"] == pytest.approx(0, abs=1e-9)
    assert found["max_dc"] == pytest.approx(
        10 * np.exp(-kappa * (1 - np.cos(2 * np.deg2rad(turned_to_grid(preferred)))))
    )


def turned_to_grid(preferred: float) -> float:
    """Distance from the nearest orientation shown."""
    return float(np.abs((ORIENTATIONS - preferred + 90) % 180 - 90).min())


def test_half_rectified_unit_has_modulation_pi_over_two_and_full_rectified_none() -> None:
    def simple(o: np.ndarray, f: np.ndarray, p: np.ndarray) -> np.ndarray:
        return von_mises(45, 2)(o, f, p) * np.clip(np.cos(p), 0, None)

    def energy(o: np.ndarray, f: np.ndarray, p: np.ndarray) -> np.ndarray:
        return von_mises(45, 2)(o, f, p) * (np.cos(p) ** 2 + np.sin(p) ** 2)

    many = np.arange(0, 360, 5.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "PHASES", many)
        assert only(recording(simple))["modulation_ratio"] == pytest.approx(np.pi / 2, abs=0.01)
        assert only(recording(energy))["modulation_ratio"] == pytest.approx(0, abs=1e-9)


def test_simple_cells_are_judged_by_their_modulation() -> None:
    """F0 untuned, F1 tuned: 'larger' and 'F1' see the tuning, 'F0' does not."""

    def respond(o: np.ndarray, f: np.ndarray, p: np.ndarray) -> np.ndarray:
        return 10 + 10 * np.cos(p) * von_mises(60, 2)(o, f, p) / 10

    values = recording(respond)
    assert only(values, harmonic="F1")["preferred_orientation"] == pytest.approx(60, abs=1)
    assert np.isnan(only(values, harmonic="F0")["preferred_orientation"])
    assert only(values, harmonic="F0")["circular_variance"] == pytest.approx(1)


def test_untuned_and_silent_units_are_undefined() -> None:
    flat = only(recording(lambda o, f, p: np.ones_like(o)))
    assert np.isnan(flat["preferred_orientation"])
    assert np.isnan(flat["orientation_bandwidth"])
    assert flat["circular_variance"] == pytest.approx(1)
    assert flat["orthogonal_preferred"] == pytest.approx(1)
    assert flat["sparseness"] == pytest.approx(0)
    silent = only(recording(lambda o, f, p: -np.ones_like(o)))
    assert silent["max_dc"] == 0
    assert not silent["responsive"]
    for name in ("preferred_orientation", "circular_variance", "modulation_ratio", "preferred_spatial_frequency"):
        assert np.isnan(silent[name]), name


def test_sparseness_between_none_and_all() -> None:
    responses = np.stack([np.eye(10)[0], np.ones(10), np.zeros(10)], axis=1)
    np.testing.assert_allclose(sparseness(responses), [1, 0, np.nan], atol=1e-12)
    with pytest.raises(ValueError, match="two stimuli"):
        sparseness(responses[:1])


def test_population_is_mapped_to_the_medians_of_macaque_v1() -> None:
    gains = np.linspace(0.5, 3, 11)
    values = recording(lambda o, f, p: von_mises(30, 2)(o, f, p)[:, None] * gains, blank=0.4)
    found = tuning_statistics(values)
    assert float(found["max_dc"].median()) == pytest.approx(33.8)
    assert float(found["spontaneous"].median()) == pytest.approx(0.82)
    slope = np.diff(found["max_dc"].values) / np.diff(tuning_statistics(values, rates=False)["max_dc"].values)
    np.testing.assert_allclose(slope, slope[0])
    assert found["responsive"].values.all()
    weak = tuning_statistics(recording(lambda o, f, p: von_mises(30, 2)(o, f, p)[:, None] * [0.01, 1, 1, 1]))
    assert weak["responsive"].values.tolist() == [False, True, True, True]


def test_statistics_do_not_depend_on_order_or_company(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    gains = generator.uniform(0.5, 2, size=7)
    values = recording(lambda o, f, p: von_mises(100, 1)(o, f, p)[:, None] * gains + generator.random((len(o), 7)))
    whole = tuning_statistics(values, rates=False)
    shuffled = tuning_statistics(
        values.isel(presentation=generator.permutation(values.sizes["presentation"])), rates=False
    )
    xr.testing.assert_allclose(whole, shuffled)
    monkeypatch.setattr(module, "_NEUROIDS_AT_A_TIME", 3)
    xr.testing.assert_allclose(whole, tuning_statistics(values, rates=False))
    assert whole["neuroid_id"].values.tolist() == list(range(7))


def test_scale_changes_rates_only() -> None:
    values = recording(von_mises(100, 1), blank=0.1)
    one, ten = only(values), only(values * 10)
    for name in one.keys() - {"max_dc", "min_dc", "max_ac", "spontaneous", "responsive"}:
        assert ten[name] == pytest.approx(one[name], abs=1e-9, nan_ok=True), name


def test_lower_contrasts_do_not_count() -> None:
    high = recording(von_mises(20, 2))
    low = recording(von_mises(110, 5), blank=None).assign_coords(contrast=("presentation", np.full(480, 0.2)))
    both = xr.concat([high.assign_coords(contrast=("presentation", np.ones(481))), low], "presentation")
    assert only(both)["preferred_orientation"] == pytest.approx(20, abs=1.5)


def test_orientation_180_is_0() -> None:
    values = recording(von_mises(0, 2))
    turned = values.assign_coords(orientation=("presentation", values.orientation.values + 180))
    assert only(turned) == only(values)


def test_refusals() -> None:
    values = recording(von_mises(0, 2))
    with pytest.raises(InvalidMeasurement, match="coordinate 'phase'"):
        tuning_statistics(values.drop_vars("phase"))
    with pytest.raises(
        InvalidMeasurement, match="1 of 480 gratings were not shown, the first is orientation 0, spatial"
    ):
        tuning_statistics(values.isel(presentation=slice(1, None)))
    with pytest.raises(InvalidMeasurement, match="'time_bin'"):
        tuning_statistics(values.expand_dims("time_bin"))
    with pytest.raises(InvalidMeasurement, match="holds no gratings"):
        tuning_statistics(values.isel(presentation=[-1]))
    with pytest.raises(InvalidMeasurement, match="orientation are not evenly spaced over 180"):
        tuning_statistics(values.isel(presentation=values.orientation.values < 100))
    with pytest.raises(InvalidMeasurement, match="at least 3 values of phase"):
        tuning_statistics(values.isel(presentation=np.isin(values.phase.values, [0, 180])))


def test_no_blank_no_spontaneous_rate() -> None:
    gratings = grating_responses(recording(von_mises(0, 2), blank=None))
    assert np.isnan(gratings.spontaneous).all()
    assert only(recording(von_mises(0, 2), blank=None))["responsive"]


@pytest.mark.parametrize("preferred", [1.3, 2.0, 3.4])
def test_the_preferred_frequency_lies_between_samples(preferred: float) -> None:
    """A monotone interpolation has its peak at a sample, which is not where a cell of any other preference has it."""

    def respond(orientation: np.ndarray, frequency: np.ndarray, phase: np.ndarray) -> np.ndarray:
        tuned = np.exp(-(np.log2(frequency / preferred) ** 2) / 2) * np.exp(np.cos(2 * orientation))
        return 20 * tuned * (1 + 0.2 * np.cos(phase))

    found = only(recording(respond))
    assert found["preferred_spatial_frequency"] == pytest.approx(preferred, rel=1e-6)
    wide = 2 * np.sqrt(np.log(2))  # samples are an octave apart
    assert found["spatial_frequency_bandwidth"] == pytest.approx(wide, rel=0.15)


def gratings_to(unit) -> xr.DataArray:
    rows = [(o, f, p, False) for o in range(0, 180, 15) for f in (1.0, 2.0) for p in range(0, 360, 60)]
    rows.append((0.0, 1.0, 0.0, True))
    orientation, frequency, phase, blank = (np.array(c) for c in zip(*rows, strict=True))
    values = np.where(blank, 0.5, unit(np.deg2rad(orientation), np.deg2rad(phase)))[:, None]
    along = {"orientation": orientation, "spatial_frequency": frequency, "phase": phase, "blank": blank}
    return xr.DataArray(
        values, dims=("presentation", "neuroid"), coords={k: ("presentation", v) for k, v in along.items()}
    )


def test_a_pixel_responds_to_every_orientation_alike():
    tuning = tuning_statistics(gratings_to(lambda o, p: 0.5 + 0.5 * np.cos(p)))
    assert tuning["responsive"].item()
    assert tuning["circular_variance"].item() == pytest.approx(1, abs=0.01)
    assert tuning["modulation_ratio"].item() > 1


def test_a_linear_oriented_filter_is_tuned_and_modulated():
    tuning = tuning_statistics(gratings_to(lambda o, p: 0.5 + 0.5 * np.cos(o - np.pi / 4) ** 8 * np.cos(p)))
    assert tuning["responsive"].item()
    assert tuning["preferred_orientation"].item() == pytest.approx(45, abs=1)
    assert tuning["modulation_ratio"].item() == pytest.approx(np.pi / 2, rel=0.1)


@pytest.mark.parametrize(("shift", "linear"), [(0.0, True), (0.01, True), (0.1, False), (0.3, False)])
def test_only_units_whose_mean_response_hardly_changes_are_rectified(shift: float, linear: bool):
    """Of a modulation of .4, a change of the mean by less than a twentieth passes for none."""
    shown = gratings_to(lambda o, p: 0.5 + np.cos(o - np.pi / 4) ** 8 * (shift + 0.4 * np.cos(p)))
    given = grating_responses(shown)
    found = rectify(given)
    expected = np.clip(given.cycles - 0.5, 0, None) if linear else given.cycles
    np.testing.assert_allclose(found.cycles, expected)
    assert found.spontaneous.item() == (0.0 if linear else 0.5)


def test_a_unit_that_no_grating_changes_stays_silent():
    assert not tuning_statistics(gratings_to(lambda o, p: np.full_like(o, 0.5)))["responsive"].item()
