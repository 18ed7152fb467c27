from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.core import InvalidMeasurement, Setting, Stimuli
from brainmark.core.dataset import Dataset


@pytest.fixture
def make(make_card: Any) -> Any:
    def study(ids: list[str], shown: list[str] | None = None, **other: list[str]) -> Dataset:
        values = np.arange(len(ids) * 4.0).reshape(len(ids), 2, 2)
        values[0, :, 1] = np.nan
        measurement = xr.DataArray(
            values,
            dims=("presentation", "neuroid", "repetition"),
            coords={
                "stimulus_id": ("presentation", ids),
                "neuroid_id": ("neuroid", ["n1", "n2"]),
                "region": ("neuroid", ["V4", "V4"]),
            },
            attrs={"units": "spikes"},
        )
        stimuli = None
        if shown:
            table = pd.DataFrame({"stimulus_id": shown})
            stimuli = Stimuli("toy", "image", table, tuple(np.zeros((2, 2, 3), np.uint8) for _ in shown))
        return Dataset("Toy2001", make_card("dataset"), measurement, stimuli, Setting())

    return study


def test_the_mean_is_over_the_repetitions_that_were_made(make: Any) -> None:
    mean = make(["a", "b"], ["a", "b"]).mean
    assert mean.dims == ("presentation", "neuroid")
    assert mean.values.tolist() == [[0.0, 2.0], [4.5, 6.5]]
    assert mean.attrs == {"units": "spikes"}


def test_without_repetitions_the_mean_is_the_measurement(make: Any, make_card: Any) -> None:
    single = make(["a", "b"]).measurement.isel(repetition=0)
    study = Dataset("Toy2001", make_card("dataset"), single, None, Setting())
    assert study.mean is single


def test_presentations_and_stimuli_line_up(make: Any) -> None:
    with pytest.raises(InvalidMeasurement, match="Toy2001: stimulus_id 1 is 'c', but stimulus 1 is 'b'"):
        make(["a", "c"], ["a", "b"])
    with pytest.raises(InvalidMeasurement, match="Toy2001: 2 values of stimulus_id for 3 stimuli"):
        make(["a", "b"], ["a", "b", "c"])


def test_the_other_side_of_dissimilarities_lines_up_too(make: Any, make_card: Any) -> None:
    stimuli = make(["a", "b"], ["a", "b"]).stimuli
    coords = {"stimulus_id": ("presentation", ["a", "b"]), "other_id": ("other", ["b", "a"])}
    rdm = xr.DataArray(1.0 - np.eye(2), dims=("presentation", "other"), coords=coords)
    with pytest.raises(InvalidMeasurement, match="other_id 0 is 'b', but stimulus 0 is 'a'"):
        Dataset("Toy2001", make_card("dataset"), rdm, stimuli, Setting())


def test_the_measurement_keeps_its_contract(make: Any, make_card: Any) -> None:
    broken = make(["a", "b"]).measurement.drop_vars("region")
    with pytest.raises(InvalidMeasurement, match="Toy2001: dimension 'neuroid' lacks coordinate 'region'"):
        Dataset("Toy2001", make_card("dataset"), broken, None, Setting())
