"""A network gets images as PyTorch gives them, so that code which reads memory in its order is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from brainmark import Experiment, Record, Setting, Stimuli, VisionSubject
from brainmark.models.activations.extract import Extractor


class Views(nn.Module):
    """Flattens its maps with `view`, as the first networks of PyTorch's tutorials do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 6, 5), nn.Linear(6 * 14 * 14, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(nn.functional.max_pool2d(self.conv(x).relu(), 2).view(-1, 6 * 14 * 14))


class Pixels(nn.Module):
    """Flattens the images themselves; there is no convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 32 * 32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.view(x.size(0), -1))


class Strided(nn.Module):
    """Reads the memory of its maps: no error, other numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3, 4, 1), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.as_strided(self.conv(x), (len(x), 8, 64), (512, 64, 1)).mean(-1))


class Asks(nn.Module):
    """Answers otherwise where its input is not contiguous."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 10, 3), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).mean((2, 3)) * (1 if x.is_contiguous() else 2))


@pytest.mark.parametrize("kind", [Views, Pixels, Strided, Asks])
def test_any_network_answers_as_in_plain_pytorch(kind: type[nn.Module]):
    torch.manual_seed(0)
    network, pixels = kind().eval(), np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous() / 255
    with torch.no_grad():
        right = network(images).numpy()
    np.testing.assert_allclose(Extractor(network)(images.numpy(), ["fc"])["fc"], right, atol=1e-5)
    stimuli = Stimuli("noise", "image", pd.DataFrame({"stimulus_id": list("abcde")}), list(pixels))
    subject = VisionSubject("mine", network, {"IT": "fc"}, size=32)
    found = subject.perform(Experiment(stimuli, Record("IT"), Setting(degrees=8.0)))
    np.testing.assert_allclose(found.values, right, atol=1e-5)


def test_convolutions_are_still_given_the_order_that_is_faster():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    assert Extractor(network).probe(np.zeros((2, 3, 8, 8), np.float32), ["2"]).channels_last
    assert not Extractor(Views()).probe(np.zeros((2, 3, 32, 32), np.float32), ["fc"]).channels_last
