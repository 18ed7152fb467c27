"""Which layers are candidates to stand for a region: blocks, unless patterns choose among all layers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from torch import Tensor, nn

from brainmark import Experiment, Record, Setting, Stimuli, VisionSubject
from brainmark.core.errors import UnknownName
from brainmark.models.sources import torch_libraries

ASKED = Experiment(
    Stimuli("one", "image", pd.DataFrame({"stimulus_id": ["a"]}), [np.zeros((64, 64, 3), np.uint8)]),
    Record("IT"),
    Setting(degrees=8.0),
)


def names(network: nn.Module, *asked: str) -> list[str]:
    return list(VisionSubject("mine", network, {"IT": "output"}, size=64).layers(ASKED, asked))


def test_the_blocks_of_a_resnet_are_its_residual_blocks_and_what_stands_around_them():
    """All 160 layers of a network of 16 blocks were tried, for a quarter of an hour."""
    network = torch_libraries.torchvision().models.resnet18(weights=None)
    blocks = names(network, "blocks")
    stages = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    assert blocks == ["conv1", "bn1", "relu", "maxpool", *stages, "avgpool", "fc"]
    assert len(names(network, "all")) > 3 * len(blocks)


def test_the_blocks_of_a_transformer():
    library = torch_libraries.torchvision().models.vision_transformer
    network = library.VisionTransformer(64, 16, 3, 2, 32, 64, num_classes=5)
    blocks = names(network, "blocks")
    assert [b for b in blocks if "encoder_layer" in b] == [f"encoder.layers.encoder_layer_{k}" for k in range(3)]
    assert len(blocks) < 10


def test_patterns_choose_among_all_layers_and_blocks():
    network = torch_libraries.torchvision().models.resnet18(weights=None)
    found = names(network, "layer4.*", "fc", "layer4.1")
    assert all(name.startswith("layer4.") for name in found[:-1]) and found[-1] == "fc"
    assert {"layer4.0", "layer4.0.conv1", "layer4.1"} <= set(found)
    assert names(network, "layer[12].0") == ["layer1.0", "layer2.0"]
    with pytest.raises(UnknownName, match=r"layer of ResNet 'layre\*'.*no layer fits"):
        names(network, "layre*")


class Flat(nn.Module):
    """No blocks: all is computed in one place."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


def test_a_network_without_blocks_offers_its_output():
    assert names(Flat(), "blocks") == ["output"]
