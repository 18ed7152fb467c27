"""Which layers are candidates to stand for a region: blocks, unless patterns or all of them are asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from torch import Tensor, nn

from brainmark import Experiment, Record, Setting, Stimuli, VisionSubject
from brainmark.analysis.layer_map import choose_labels, layer_figure
from brainmark.cli.terminal import print_steps
from brainmark.core.errors import UnknownName
from brainmark.models.sources import torch_libraries
from brainmark.run.layer_choice import Candidate, Choice

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


def choice(count: int) -> Choice:
    tried = tuple(Candidate(f"layer{k}.conv", None, 10, k / count) for k in range(count))
    return Choice("mine", "0" * 64, "IT", tried[-2], tried, "this", "that", 0.5, (0.4, 0.6), None)


@pytest.mark.parametrize("count", [3, 20, 160, 900])
def test_a_figure_of_many_layers_stays_on_a_page(count: int):
    """One of 160 layers was 6,154 pixels tall."""
    figure = layer_figure({"IT": choice(count)})
    assert figure.get_size_inches()[1] < 9
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert f"layer{count - 2}.conv" in labels and len(labels) <= 70


def test_labels_do_not_touch():
    assert choose_labels(5, [3], 1) == [0, 1, 2, 3, 4]
    written = choose_labels(100, [50, 98], 7)
    assert {50, 98} <= set(written) and np.diff(written).min() >= 7


def test_progress_is_told_in_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]):
    report = print_steps("layers of mine")
    for done in range(5):
        report(done, 4)
    assert capsys.readouterr().err.splitlines() == ["layers of mine: 0 of 4", "layers of mine: 4 of 4"]
