"""The features of a stimulus depend on the stimulus: not on the first one, nor on what is shown or recorded with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brainmark.models.activations.extract import Extractor
from brainmark.models.activations.reductions import SpatialMean


class Switch(nn.Module):
    """A convolution with another normalisation on each of two paths."""

    def __init__(self, by: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.one, self.two, self.head = (
            nn.Conv2d(3, 8, 3),
            nn.BatchNorm2d(8),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 4, 1),
        )
        self.by = by
        for norm, shift in ((self.one, 3.0), (self.two, -1.0)):
            norm.running_mean.copy_(torch.randn(8))
            norm.running_var.copy_(torch.rand(8) + 0.5)
            nn.init.constant_(norm.bias, shift)

    def forward(self, x: Tensor) -> Tensor:
        first = {"size": x.shape[-1] > 20, "content": float(x[0].mean()) > 0, "weight": self.conv.bias[0] > 9}[self.by]
        maps = self.conv(x)
        return self.head(torch.relu(self.one(maps) if first else self.two(maps)))


def draw(sizes: Sequence[int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    signs = [(-0.3, 0.3)[k % 2] for k in range(len(sizes))]
    return [(rng.standard_normal((3, n, n)) + s).astype(np.float32) for n, s in zip(sizes, signs, strict=True)]


def alone(network: nn.Module, media: list[np.ndarray]) -> np.ndarray:
    with torch.no_grad():
        return np.stack([network(torch.from_numpy(m)[None]).mean((2, 3))[0].numpy() for m in media])


@pytest.mark.parametrize(("by", "sizes"), [("size", (32, 16, 32, 16)), ("content", (32,) * 4), ("weight", (32,) * 4)])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 3, 2), (3, 2, 1, 0)])
def test_a_path_that_depends_on_the_stimulus_is_taken_anew_for_each(
    by: str, sizes: tuple[int, ...], order: tuple[int, ...]
):
    """Normalisation was folded into the convolution by what the first stimulus did."""
    network, media = Switch(by).eval(), draw(sizes)
    found = Extractor(network, batch=1)([media[k] for k in order], {"head": SpatialMean()})["head"]
    np.testing.assert_allclose(found, alone(network, media)[list(order)], atol=1e-5)


class Views(nn.Module):
    """Flattens its maps with `view` for some pictures alone."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(3, 4, 3, 2), nn.Linear(4 * 15 * 15, 3)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x)
        flat = maps.view(len(x), -1) if float(x[0].mean()) > 0 else maps.flatten(1)
        return self.fc(flat)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 3, 2)])
def test_a_path_that_takes_memory_in_its_order_may_come_later(order: tuple[int, ...]):
    network, media = Views().eval(), [draw((32,) * 4)[k] for k in order]
    with torch.no_grad():
        right = np.stack([network(torch.from_numpy(m)[None])[0].numpy() for m in media])
    np.testing.assert_allclose(Extractor(network, batch=1)(media, ["fc"])["fc"], right, atol=1e-5)


class Branches(nn.Module):
    """A path that takes memory in its order beside one that does not."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.plain, self.odd = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        self.odd(torch.as_strided(x, (len(x), 8), (x[0].numel(), 1)))
        return self.plain(x)


@pytest.mark.parametrize("make", [lambda: Switch("weight"), Branches])
def test_recorded_layers_change_no_bit_of_one_another(make):
    names = [name for name, _ in make().named_modules() if name and name != "one"]
    media = np.stack(draw((32,) * 5))
    together = Extractor(make())(media, names)
    for name in names:
        np.testing.assert_array_equal(Extractor(make())(media, [name])[name], together[name])


class Draws(nn.Module):
    """Leaves out paths at random, as in training, whatever mode it is put into."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * (torch.rand(len(x), 1, 1, 1) < 0.5)


def test_random_paths_belong_to_the_stimulus():
    media = draw((16,) * 6)
    first = Extractor(Draws())(media, ["output"], seed=3)["output"]
    again = Extractor(Draws(), batch=4)(media[::-1], ["output"], seed=3)["output"]
    np.testing.assert_array_equal(first, again[::-1])


def test_stochastic_depth_and_dropout_are_left_out_of_a_network_in_training_mode():
    class Trained(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.drop = nn.Conv2d(3, 4, 3), nn.Dropout(0.5)

        def forward(self, x: Tensor) -> Tensor:
            return self.drop(self.conv(x))

    network = Trained().train()
    found = Extractor(network)(np.stack(draw((16,) * 3)), ["output"])["output"]
    assert network.training
    with torch.no_grad():
        right = network.eval()(torch.from_numpy(np.stack(draw((16,) * 3)))).numpy()
    np.testing.assert_allclose(found, right, atol=1e-6)
