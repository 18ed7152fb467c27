"""Linear units (a pixel, an unrectified filter) are driven by gratings although their mean response is not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.metrics.tuning.gratings import grating_responses, rectified, tuning_statistics


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
    found = rectified(given)
    expected = np.clip(given.cycles - 0.5, 0, None) if linear else given.cycles
    np.testing.assert_allclose(found.cycles, expected)
    assert found.spontaneous.item() == (0.0 if linear else 0.5)


def test_a_unit_that_no_grating_changes_stays_silent():
    assert not tuning_statistics(gratings_to(lambda o, p: np.full_like(o, 0.5)))["responsive"].item()
