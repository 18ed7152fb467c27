from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from brainmark.core import models
from brainmark.models.networks.tying import Repeated, tie
from brainmark.models.subjects.vision import Readout, VisionSubject


def picture(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


class Residual(nn.Module):
    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, state: Tensor) -> Tensor:
        return state + self.norm(self.conv(state)).relu()


def stage(blocks: int = 4) -> nn.Sequential:
    """A stage whose blocks have equal weights, but statistics of their own."""
    torch.manual_seed(0)
    layers = [Residual() for _ in range(blocks)]
    for index, layer in enumerate(layers):
        layer.conv.load_state_dict(layers[0].conv.state_dict())
        nn.init.constant_(layer.norm.weight, 0.5 + index)
        cast(Tensor, layer.norm.running_var).fill_(1.0 + index)
    return nn.Sequential(nn.Conv2d(3, 4, 3), *layers, nn.Flatten()).eval()


def test_a_tied_network_computes_what_one_with_equal_weights_does():
    network = stage()
    once = tie(network)
    assert [type(m).__name__ for m in once.children()] == ["Conv2d", "Repeated", "Flatten"]
    with torch.inference_mode():
        torch.testing.assert_close(once(picture(2, 3, 8, 8)), network(picture(2, 3, 8, 8)))


def test_it_has_the_weights_of_one_block_and_the_normalisation_of_all():
    network = stage()
    convolutions = [m for m in tie(network).modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in tie(network).modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(convolutions) == 2 and len(norms) == 4


def test_the_network_itself_is_left_as_it_is():
    network = stage()
    names = [name for name, _ in network.named_modules()]
    tie(network)
    assert [name for name, _ in network.named_modules()] == names


def test_each_run_is_a_call_of_the_block():
    once, calls = tie(stage()), 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    once.get_submodule("1.block").register_forward_hook(count)
    once(picture(1, 3, 8, 8))
    assert calls == 4


@pytest.mark.parametrize("times", [1, 3, 6])
def test_blocks_may_run_more_or_less_often(times: int):
    network = stage()
    other = tie(network, times)
    layers = list(network)
    expected = picture(1, 3, 8, 8)
    with torch.inference_mode():
        for layer in [layers[0], *(layers[1 + min(k, 3)] for k in range(times)), layers[-1]]:
            expected = layer(expected)
        torch.testing.assert_close(other(picture(1, 3, 8, 8)), expected)


def test_every_run_trains_the_shared_weights_and_its_own_statistics():
    once = tie(stage()).train()
    repeated = cast(Repeated, once.get_submodule("1"))
    before = cast(Tensor, repeated.get_submodule("norms.2.0").running_mean).clone()
    once(picture(4, 3, 8, 8)).square().sum().backward()
    assert not torch.equal(before, cast(Tensor, repeated.get_submodule("norms.2.0").running_mean))
    assert all(p.grad is not None and bool(p.grad.any()) for p in repeated.parameters() if p.ndim > 1)


def test_groups_of_layers_are_found():
    torch.manual_seed(0)
    first = nn.Conv2d(4, 4, 3, padding=1)
    second = nn.Conv2d(4, 4, 3, padding=1)
    second.load_state_dict(first.state_dict())
    network = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d(2))
    once = tie(network)
    assert list(dict(once.named_children())) == ["0", "4", "5"]
    with torch.inference_mode():
        torch.testing.assert_close(once(picture(1, 4, 8, 8)), network(picture(1, 4, 8, 8)))


def test_blocks_with_another_stride_are_not_tied():
    network = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, stride=2, padding=1))
    with pytest.raises(ValueError, match="no two equal blocks"):
        tie(network)


def test_a_network_within_a_network_is_tied():
    network = nn.ModuleDict({"stem": nn.Conv2d(3, 4, 3), "stage": stage()})
    assert isinstance(tie(network).get_submodule("stage.1"), Repeated)


def test_the_registered_network_runs_the_block_of_each_stage_as_often_as_it_says():
    subject = cast(VisionSubject, models["resnet-50_tied"].load())
    for readout in subject.regions.values():
        assert isinstance(readout, Readout) and readout.time is not None
        repeated = cast(Repeated, subject.module.get_submodule(readout.layer.removesuffix(".block")))
        assert len(repeated.norms) + 1 == readout.time.count
    assert sum(p.numel() for p in subject.module.parameters()) < 0.7 * 25_557_032
