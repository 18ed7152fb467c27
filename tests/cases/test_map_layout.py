"""Where the channels of a map stand in memory changes no unit, and what is no map is not taken for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from brainmark import Experiment, Record, Setting, Stimuli, VisionSubject
from brainmark.core.errors import ModelError
from brainmark.models.activations.extract import Extractor
from brainmark.models.activations.reductions import AveragePool, SpatialMean
from brainmark.models.sources import torch_libraries
from brainmark.models.subjects.readout import Readout

SIZE = 32
ORDERS = {"channels first": (0, 1, 2, 3), "channels last": (0, 2, 3, 1), "columns first": (0, 1, 3, 2)}


class Stage(nn.Module):
    """Maps of a convolution, put out in an order of its own by ``stage``."""

    def __init__(self, order: tuple[int, ...], channels: int = 6) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.stage, self.order = nn.Conv2d(3, channels, 5, 2, 2), nn.Identity(), order

    def forward(self, x: Tensor) -> Tensor:
        return self.stage(torch.relu(self.conv(x)).permute(self.order))


def stimuli(count: int = 3, size: int = SIZE) -> Stimuli:
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    return Stimuli("noise", "image", pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(count)]}), list(images))


def record(network: nn.Module, readout: str | Readout, **ask: Any) -> xr.DataArray:
    subject = VisionSubject("mine", network, {"IT": readout}, degrees=8.0, size=SIZE)
    return subject.perform(Experiment(stimuli(), Record("IT", **ask), Setting(degrees=8.0)))


@pytest.mark.parametrize("name", ["channels last", "columns first"])
@pytest.mark.parametrize("channels", [1, 6, 16])  # of 16 channels, all sides of the map are equal
@pytest.mark.parametrize(("pool", "ask"), [(4, {}), (None, {}), (None, {"eccentricity": 1.0})])
def test_any_order_of_a_map_gives_the_units_of_channels_first(name: str, channels: int, pool: int | None, ask: Any):
    """A map (rows, columns, channels) was averaged over columns and channels."""
    found, right = (
        record(Stage(ORDERS[n], channels), Readout("stage", pool=pool), **ask) for n in (name, "channels first")
    )
    for coordinate in ("channel", "x", "y"):
        np.testing.assert_array_equal(found[coordinate], right[coordinate])
    np.testing.assert_allclose(found.values, right.values, atol=1e-6)


def test_means_over_space_are_of_rows_and_columns():
    media = np.random.default_rng(0).random((3, 3, SIZE, SIZE), np.float32)
    first, last = (Extractor(Stage(ORDERS[n])) for n in ("channels first", "channels last"))
    for reduce in (SpatialMean(), AveragePool(2, 2)):
        right, found = (e(media, {"stage": reduce})["stage"] for e in (first, last))
        np.testing.assert_allclose(found, right, atol=1e-6)
    assert last(media, ["stage"])["stage"].shape == (3, 16, 16, 6)  # without a reduction, what the layer puts out


def test_a_swin_transformer_has_as_many_channels_as_its_stage():
    library = torch_libraries.torchvision().models.swin_transformer
    torch.manual_seed(0)
    swin = library.SwinTransformer([2, 2], 12, [1, 1], [2, 2], [4, 4], num_classes=5).eval()
    answer = record(swin, Readout("features.3", pool=4))
    media = np.stack(stimuli().media).astype(np.float32).transpose(0, 3, 1, 2) / 255
    with torch.no_grad():
        maps = swin.features(torch.from_numpy(media)).permute(0, 3, 1, 2)
    assert maps.shape == (3, 24, 8, 8)
    np.testing.assert_allclose(answer.values, nn.functional.avg_pool2d(maps, 2).flatten(1).numpy(), atol=1e-5)
    assert np.unique(answer["channel"]).size == 24


class Attention(nn.Module):
    """Tokens of a picture, and the weights (heads, tokens, tokens) and values (heads, tokens, size) of attention."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cut, self.weights, self.values = nn.Conv2d(3, 16, 8, 8), nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.cut(x).flatten(2).transpose(1, 2).unflatten(2, (2, 8)).transpose(1, 2)
        weights = self.weights((4 * tokens @ tokens.transpose(2, 3)).softmax(-1))
        return self.values(weights @ tokens)


@pytest.mark.parametrize(("layer", "units"), [("weights", 2 * 16 * 16), ("values", 2 * 16 * 8)])
def test_attention_is_no_map(layer: str, units: int):
    """Rows of attention weights were pooled as if they lay side by side in the picture."""
    answer = record(Attention(), Readout(layer, pool=4))
    assert answer.sizes["neuroid"] == units
    assert not answer["x"].any() and not answer["y"].any()


class Silent(nn.Module):
    """A layer that answers all pictures alike: nothing can be seen of its map."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.conv, self.stage, self.order = nn.Conv2d(3, 6, 3, padding=1), nn.Identity(), order
        nn.init.zeros_(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.stage(self.conv(x).permute(self.order))


@pytest.mark.parametrize("name", ["channels first", "channels last"])
def test_of_a_silent_layer_the_two_equal_sides_are_those_of_the_picture(name: str):
    answer = record(Silent(ORDERS[name]), Readout("stage", pool=4))
    assert answer.sizes["neuroid"] == 6 * 16 and np.unique(answer["x"]).size == 4


class Windows(nn.Module):
    """Puts its windows beside the stimuli, and looks up a table that no stimulus changes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.windows, self.table, self.end = (
            nn.Conv2d(3, 4, 3, 2, 1),
            nn.Identity(),
            nn.Linear(2, 4),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        bias = self.table(torch.ones(1, 5, 2))
        self.windows(x.unfold(2, 4, 4).flatten(0, 1))
        return self.end(x + bias.sum())


def test_outputs_without_stimuli_are_no_candidates_and_are_refused_by_name():
    """One table of positions among the layers ended the whole run in the middle."""
    subject = VisionSubject("mine", Windows(), {"IT": "end"}, size=SIZE)
    experiment = Experiment(stimuli(), Record("IT"), Setting(degrees=8.0))
    assert list(subject.layers(experiment)) == ["conv", "end"]
    assert len(subject.record_from(experiment, list(subject.layers(experiment)))) == 2
    for layer in ("windows", "table"):
        with pytest.raises(ModelError, match=rf"layer '{layer}': .* first dimension must be that of stimuli"):
            subject.record_from(experiment, [layer])


def test_layers_say_maps_as_channels_rows_and_columns():
    experiment = Experiment(stimuli(), Record("IT"), Setting(degrees=8.0))
    shapes = VisionSubject("mine", Stage(ORDERS["channels last"]), {"IT": "stage"}, size=SIZE).layers(experiment)
    assert shapes["stage"] == (6, 16, 16)
