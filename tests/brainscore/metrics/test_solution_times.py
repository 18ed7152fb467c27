"""The published object solution times: the decoder against PyTorch's Adam, crossings by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainmark.brainscore.metrics.solution_times import Decoder, SolutionTimes, crossing_times
from brainmark.core import InvalidMeasurement, NotApplicable


def blobs(count: int, neuroids: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    return generator.normal(size=(4, neuroids))[labels] + 2 * generator.normal(size=(count, neuroids)), labels


def test_the_decoder_is_adam_on_cross_entropy_and_squared_weights():
    torch = pytest.importorskip("torch")
    (x, labels), decoder = blobs(150, 20, 0), Decoder(epochs=10, rate=1e-3)
    train, test = x[:120], x[120:]
    found = decoder.probabilities(train, labels[:120], test)

    middle, spread = train.mean(0), train.std(0)
    inputs = torch.tensor((train - middle) / spread, dtype=torch.float32)
    weights = torch.tensor(decoder._draw_weights(20, 4), requires_grad=True)
    bias = torch.ones(4, requires_grad=True)
    adam = torch.optim.Adam([weights, bias], lr=1e-3)
    shuffling = np.random.RandomState(0)
    for _ in range(10):
        order = np.arange(120)
        shuffling.shuffle(order)
        for chosen in np.split(order, [64]):
            adam.zero_grad()
            loss = torch.nn.functional.cross_entropy(inputs[chosen] @ weights + bias, torch.tensor(labels[chosen]))
            (loss + 0.463 / 2 * ((weights**2).sum() + (bias**2).sum())).backward()
            adam.step()
    with torch.no_grad():
        logits = torch.tensor((test - middle) / spread, dtype=torch.float32) @ weights + bias
        np.testing.assert_allclose(found, torch.softmax(logits, 1).numpy(), atol=2e-4)
    assert np.ptp(found, axis=0).max() > 0.2


def test_starting_weights_have_the_stated_spread_and_no_tails():
    start = Decoder()._draw_weights(400, 50)
    assert start.std() == pytest.approx(1 / 20, rel=0.02)
    assert np.abs(start).max() < 2 / (20 * 0.8796)


def test_training_stops_when_the_last_batch_is_learnt():
    x, labels = blobs(40, 30, 1)
    fast = Decoder(rate=0.1, decay=0.0, tolerance=5.0)
    once = Decoder(rate=0.1, decay=0.0, epochs=1, tolerance=0.0)
    np.testing.assert_array_equal(fast.probabilities(x, labels, x), once.probabilities(x, labels, x))


@pytest.mark.parametrize(
    ("reached", "expected"),
    [
        ([0.0, 0.5, 1.5, 2.0], 90 + 10 * 0.5),  # between the bins below and above 1
        ([0.8, 0.2, 1.2, 0.0], 80 + 20 * 0.5),  # from the highest below so far, as published
        ([1.0, 0.0, 0.0, 0.0], 80),  # in the first bin
        ([0.0, 0.1, 0.2, 0.3], np.nan),
        ([np.nan, 0.5, np.nan, 1.5], 90 + 20 * 0.5),
    ],
)
def test_crossings_are_interpolated(reached, expected):
    found = crossing_times(np.array(reached)[:, None], np.array([1.0]), np.array([80.0, 90, 100, 110]))
    np.testing.assert_allclose(found, [expected])


def recording(values: np.ndarray, ids: list[str]) -> xr.DataArray:
    bins = np.arange(values.shape[2]) * 10.0
    coords = {"stimulus_id": ("presentation", ids), "time_bin_start": ("time_bin", bins)}
    return xr.DataArray(values, dims=("presentation", "neuroid", "time_bin"), coords=coords)


def test_what_is_alike_at_all_times_or_does_not_line_up_is_refused():
    ids = [f"i{k}" for k in range(40)]
    x, labels = blobs(40, 5, 2)
    known = {"stimulus_id": ("presentation", ids), "image_label": ("presentation", labels)}
    target = xr.DataArray(np.arange(40.0), dims="presentation", coords={**known, "i1": ("presentation", np.ones(40))})
    with pytest.raises(NotApplicable, match="without dynamics"):
        SolutionTimes()(recording(np.repeat(x[:, :, None], 3, 2), ids), target)
    moving = recording(x[:, :, None] * np.arange(3), ids)
    with pytest.raises(InvalidMeasurement, match="stimulus_id differs between prediction"):
        SolutionTimes()(moving.isel(presentation=slice(None, None, -1)), target)
    with pytest.raises(InvalidMeasurement, match="'i1'"):
        SolutionTimes()(moving, target.drop_vars("i1"))
