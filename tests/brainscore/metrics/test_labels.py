"""Error consistency and accuracy distance, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore import metrics as bs
from brainmark.core.errors import InvalidMeasurement


def observers(correct: dict[str, list[int]], condition: list[int]) -> xr.DataArray:
    """Answers of several subjects, 1: right."""
    n = len(condition)
    truth = np.array(["cat", "dog"])[np.arange(n) % 2]
    wrong = np.array(["dog", "cat"])[np.arange(n) % 2]
    values = np.concatenate([np.where(np.array(v) == 1, truth, wrong) for v in correct.values()])
    return xr.DataArray(
        values,
        dims="presentation",
        coords={
            "stimulus_id": ("presentation", np.tile([f"s{i}" for i in range(n)], len(correct))),
            "truth": ("presentation", np.tile(truth, len(correct))),
            "condition": ("presentation", np.tile(condition, len(correct))),
            "subject": ("presentation", np.repeat(list(correct), n)),
        },
    )


def test_error_consistency_by_hand() -> None:
    people = observers({"a": [1, 1, 0, 0, 1, 0, 1, 0], "b": [1, 0, 1, 0, 1, 1, 0, 0]}, [0, 0, 0, 0, 1, 1, 1, 1])
    model = observers({"m": [0, 0, 1, 1, 0, 1, 0, 1]}, [0, 0, 0, 0, 1, 1, 1, 1]).drop_vars("subject")
    # half right everywhere: kappa = 2 agreement - 1, which is -1, -1 with a and 0, 0 with b
    assert bs.error_consistency(model, people).aggregate() == pytest.approx(0.5)  # its sign is lost
    assert bs.aggregate(bs.error_consistency(model, people)).error == pytest.approx(0.5)
    assert bs.error_consistency_ceiling(people).aggregate() == pytest.approx(0)
    other = model.isel(presentation=slice(6))
    with pytest.raises(InvalidMeasurement, match="different stimuli where condition is '1'"):
        bs.error_consistency(other, people)


def test_accuracy_distance_by_hand() -> None:
    people = observers({"a": [1, 1, 1, 0], "b": [1, 0, 0, 0]}, [0, 0, 1, 1])
    model = observers({"m": [1, 1, 0, 0]}, [0, 0, 1, 1]).drop_vars("subject")
    assert bs.aggregate(bs.accuracy_distance(model, people)) == pytest.approx((1 - 0.25 / 0.75, 0))
    assert bs.accuracy_distance_ceiling(people).aggregate() == pytest.approx(1 - 0.5 / 0.75)
    assert bs.aggregate(bs.accuracy(model, model.coords["truth"])) == pytest.approx((0.5, 0.5))
    assert bs.value_delta(1.0, 3.0, 0.5).aggregate() == pytest.approx(np.exp(-1))
