"""What the mask of a NumPy array hides is not measured: it is treated as NaN is, or refused, wherever arrays come in.

Wrong outcome guarded against: the mask was dropped, and the numbers under it (ridge: r -.1 instead of .99) were scored.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.brainscore import metrics as brainscore
from brainmark.core import BrainmarkError, InvalidMeasurement, InvalidStimuli, Stimuli, metrics
from brainmark.metrics.regression.features import prepare
from brainmark.metrics.similarity.geometry import linear_cka, procrustes_similarity
from brainmark.metrics.similarity.rdm import rdm_matrix
from brainmark.metrics.statistics.correlation import pearson
from brainmark.models.activations.batches import as_arrays
from brainmark.testing.examples import metric_example

RECORDED = [name for name in sorted(metrics) if metrics[name].card.compares in ("recordings", "dissimilarities")]
PUBLISHED = {"rdm_cv": brainscore.rdm_cv(), "reverse_pls": brainscore.reverse_pls(), "cka": brainscore.cka()}


def spoil(values: np.ndarray) -> tuple[np.ma.MaskedArray, np.ndarray]:
    """Return an array with nonsense under its mask, and the same with NaN there."""
    hidden = np.zeros(values.shape, bool)
    hidden[2, 0] = hidden[5, 1] = True
    return np.ma.MaskedArray(np.where(hidden, 1e4, values), hidden), np.where(hidden, np.nan, values)


def outcome(metric, x: np.ndarray, y: np.ndarray) -> np.ndarray | str:
    try:
        return np.asarray(metric(x, y).values.values)
    except BrainmarkError as error:
        return str(error)


def compare(metric, x: np.ndarray, y: np.ndarray) -> None:
    for masked, empty in ((spoil(x), None), (None, spoil(y))):
        pairs = [(masked[k], y) if masked else (x, empty[k]) for k in (0, 1)]  # pyright: ignore[reportOptionalSubscript]
        found, wanted = (outcome(metric, *pair) for pair in pairs)
        if isinstance(wanted, str):
            assert found == wanted
        else:
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", RECORDED)
def test_registered_metrics_take_masked_values_as_nan(name: str) -> None:
    given = metric_example("recordings")
    factory = metrics[name].factory
    metric = factory(resamples=0) if not name.startswith("brainscore") else factory()
    compare(metric, given.prediction.values, given.target.values)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_metrics_take_masked_values_as_nan(name: str) -> None:
    given = metric_example("recordings")
    compare(PUBLISHED[name], given.prediction.values, given.target.values)


def test_masks_of_labelled_arrays_and_whole_numbers_count_too() -> None:
    given = metric_example("recordings")
    x, y = given.prediction.values, (10 * given.target.values).round().astype(int)
    metric = metrics["ridge"].factory(resamples=0)
    masked, empty = spoil(y)
    wanted = metric(x, empty).values.values
    np.testing.assert_array_equal(metric(x, masked.astype(int)).values.values, wanted)
    labelled = [xr.DataArray(a, dims=("presentation", "neuroid")) for a in (x, masked)]
    np.testing.assert_array_equal(metric(*labelled).values.values, wanted)
    bare = np.ma.MaskedArray(y)  # hides nothing
    np.testing.assert_array_equal(metric(x, bare).values.values, metric(x, y).values.values)


def test_functions_on_arrays_give_what_they_give_for_nan() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 4)), rng.standard_normal((20, 4))
    masked, empty = spoil(x)
    with pytest.raises(InvalidMeasurement, match="NaN"):
        prepare(masked)
    for function in (linear_cka, procrustes_similarity):
        with pytest.raises(InvalidMeasurement, match="NaN"):
            function(masked, y)
    np.testing.assert_array_equal(rdm_matrix(masked), rdm_matrix(empty))
    np.testing.assert_array_equal(pearson(masked, y), pearson(empty, y))


def test_stimuli_with_hidden_values_are_refused() -> None:
    picture = np.ma.MaskedArray(np.zeros((4, 4, 3), np.uint8), np.eye(4, dtype=bool)[..., None].repeat(3, 2))
    table = pd.DataFrame(index=pd.Index(["a"], name="stimulus_id"))
    with pytest.raises(InvalidStimuli, match="mask that hides 12 of 48 values"):
        _ = Stimuli("masked", "image", table, [picture]).digest
    with pytest.raises(InvalidStimuli, match="fill them"):
        as_arrays({"pixels": picture})
    whole = np.ma.MaskedArray(picture.data)
    assert Stimuli("whole", "image", table, [whole]).digest == Stimuli("plain", "image", table, [picture.data]).digest
