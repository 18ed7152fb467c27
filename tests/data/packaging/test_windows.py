"""Windows of bins: averaged or added up by their length, and refused where they cut bins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

SAID: dict[str, Any] = {"units": "spikes/s", "region": "V4", "subject": "Ada"}


def binned(lab: Any, units: str = "spikes/s", **more: Any) -> Any:
    values = np.arange(12 * 2 * 4.0).reshape(12, 2, 4)
    np.save(lab.folder / "r.npy", values)
    np.save(lab.folder / "i.npy", np.array(lab.ids))
    source = {
        "file": "r.npy", "dims": ["presentation", "neuroid", "time_bin"], "coords": {"stimulus_id": "i.npy"},
        "time_bins": [[0, 10], [10, 20], [20, 30], [30, 60]], **SAID, "units": units, **more,
    }  # fmt: skip
    return values, source


def test_windows_average_the_bins_of_arrays_by_their_length(lab: Any) -> None:
    values, source = binned(lab, windows=[[10, 30], [20, 60]])
    made = lab.prepared(source).measurement
    np.testing.assert_allclose(made.values[..., 0], values[..., 1:3].mean(axis=2))
    np.testing.assert_allclose(made.values[..., 1], (values[..., 2] * 10 + values[..., 3] * 30) / 40)
    assert made.coords["time_bin_start"].values.tolist() == [10, 20]


def test_windows_add_up_counts(lab: Any) -> None:
    values, source = binned(lab, units="spikes", windows=[[10, 60]])
    made = lab.prepared(source).measurement
    np.testing.assert_allclose(made.values, values[..., 1:].sum(axis=2))
    assert (made.attrs["time_bin_start"], made.attrs["time_bin_end"]) == (10, 60)


def test_a_window_without_bins_says_when_the_response_was_measured(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    made = lab.prepared({**wide, "windows": [[70, 170]]}).measurement
    assert (made.attrs["time_bin_start"], made.attrs["time_bin_end"]) == (70, 170) and "time_bin" not in made.dims
    (problem,) = lab.refused({**wide, "windows": [[70, 170], [170, 270]]})
    assert "2 windows, but one response a trial" in problem


@pytest.mark.parametrize("window", [[5, 20], [30, 50], [60, 90], [-10, 10]])
def test_windows_that_cut_bins_are_refused(lab: Any, window: list[float]) -> None:
    _, source = binned(lab, windows=[window])
    (problem,) = lab.refused(source)
    assert "time bins do not fill the window" in problem
