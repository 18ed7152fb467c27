"""Shortcuts change a network's activations by rounding only, are taken where they are safe, and leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brainmark.models.activations import shortcuts
from brainmark.models.activations.extract import Extractor
from brainmark.models.activations.plan import Probe
from brainmark.models.activations.shortcuts import Shortcuts

FRAMES = np.random.default_rng(0).normal(size=(5, 3, 12, 12)).astype(np.float32)


def lived(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with statistics and scales as training leaves them, not those of a new one (0 and 1)."""
    torch.manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.running_var is not None:
            assert layer.running_mean is not None
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias)
    return network.eval()


def block(channels: int = 4) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels), nn.ReLU())


class Wired(nn.Module):
    """Convolution and normalisation, with what `wire` makes of them and the images."""

    def __init__(self, wire: Callable[[Wired, Tensor], object]) -> None:
        super().__init__()
        self.conv, self.norm, self.other = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.kept: list[Tensor] = []
        self.wire = wire

    def forward(self, images: Tensor) -> object:
        self.kept.clear()
        return self.wire(self, images)


def probed(network: nn.Module, *layers: str) -> Probe:
    return Extractor(network).probe(FRAMES, layers or ("output",))


def plainly(network: nn.Module, layer: str) -> np.ndarray:
    """The layer's activations as torch computes them."""
    outputs: list[Tensor] = []
    handle = network.get_submodule(layer).register_forward_hook(lambda _, __, output: outputs.append(output.clone()))
    with torch.inference_mode():
        network(torch.from_numpy(FRAMES))
    handle.remove()
    return outputs[-1].numpy()


def folded(network: nn.Module, *layers: str) -> list[tuple[str, str]]:
    names = {layer: name for name, layer in network.named_modules()}
    return [(names[a], names[b]) for a, b in probed(network, *layers).shortcuts.folds]


def test_activations_with_shortcuts_are_those_without():
    network = lived(
        nn.Sequential(block(), nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(384, 7))
    )
    assert folded(network) == [("0.0", "0.1"), ("1", "2")]
    assert len(probed(network).shortcuts.linears) == 1
    layers = ["0.1", "0", "2", "4"]
    found = Extractor(network)(FRAMES, layers)
    for layer in layers:
        np.testing.assert_allclose(found[layer], plainly(network, layer), rtol=1e-5, atol=1e-5)


def test_what_is_recorded_is_not_folded_away():
    network = lived(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4)))
    assert folded(network, "1") == [("0.0", "1")]
    for layer in ("0.0", "0"):  # the convolution, and a container whose output is the convolution's
        assert folded(network, layer) == []
        found = Extractor(network)(FRAMES, [layer])[layer]
        np.testing.assert_allclose(found, plainly(network, layer), rtol=1e-5, atol=1e-5)


def used_twice(self: Wired, images: Tensor) -> Tensor:
    made = self.conv(images)
    return self.norm(made) + made.relu()


def kept_by_the_network(self: Wired, images: Tensor) -> Tensor:
    self.kept.append(self.conv(images))
    return self.norm(self.kept[0])


def returned(self: Wired, images: Tensor) -> tuple[Tensor, Tensor]:
    made = self.conv(images)
    return made, self.norm(made)


def another_normalisation_each_time(self: Wired, images: Tensor) -> Tensor:
    return self.norm(self.conv(images)) + self.other(self.conv(images.relu()))


def normalised_twice(self: Wired, images: Tensor) -> Tensor:
    return self.norm(self.norm(self.conv(images)))


def changed_in_place(self: Wired, images: Tensor) -> Tensor:
    return self.norm(self.conv(images).mul_(2))


def read_by_a_view(self: Wired, images: Tensor) -> Tensor:
    made = self.conv(images)
    return self.norm(made) + made[:, :1]


WIRINGS = [
    used_twice,
    kept_by_the_network,
    returned,
    another_normalisation_each_time,
    normalised_twice,
    changed_in_place,
    read_by_a_view,
]


@pytest.mark.parametrize("wire", WIRINGS, ids=lambda w: w.__name__)
def test_a_convolution_that_something_else_reads_stays(wire: Callable[[Wired, Tensor], object]):
    network = lived(Wired(wire))
    assert folded(network, "norm") == []
    found = Extractor(network)(FRAMES, ["norm"])["norm"]
    np.testing.assert_allclose(found, plainly(network, "norm"), rtol=1e-5, atol=1e-5)


def test_a_pair_that_runs_twice_is_folded_in_both():
    network = lived(Wired(lambda self, images: self.norm(self.conv(images)) + self.norm(self.conv(images.relu()))))
    assert folded(network) == [("conv", "norm")]
    found = Extractor(network)(FRAMES, ["norm@0", "norm@1"])
    np.testing.assert_allclose(found["norm@1"], plainly(network, "norm"), rtol=1e-5, atol=1e-5)
    assert np.abs(found["norm@0"] - found["norm@1"]).max() > 0.1


def test_layers_that_are_more_than_their_type_says_stay():
    class Standardised(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input - input.mean())

    assert folded(lived(nn.Sequential(Standardised(3, 4, 3), nn.BatchNorm2d(4))), "1") == []
    convolution, normalisation = nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4)
    nn.init.ones_(convolution.weight)
    nn.init.ones_(normalisation.bias)
    convolution.register_forward_hook(lambda _, __, output: output.relu())  # nothing for the first stimulus
    network = nn.Sequential(convolution, normalisation).eval()
    frames = np.stack([np.abs(FRAMES[0]), -np.abs(FRAMES[1])])
    found = Extractor(network)(frames, ["1"])["1"]
    np.testing.assert_allclose(found, network(torch.from_numpy(frames)).detach(), rtol=1e-5)
    assert (found[1] == 1).all()


def test_statistics_of_the_batch_cannot_be_folded():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)).eval()
    assert folded(network, "1") == []


def test_a_fold_that_loses_the_numbers_is_not_taken():
    convolution, normalisation = nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4, eps=0)
    nn.init.constant_(convolution.weight, 1e-30)
    nn.init.constant_(normalisation.weight, 1e38)
    assert normalisation.running_var is not None
    normalisation.running_var.fill_(1e-30)  # weight times scale is finite, the scale itself is not
    network = nn.Sequential(convolution, normalisation).eval()
    assert probed(network, "1").shortcuts.folds == ()
    assert probed(network, "1").changed == {}


def test_networks_are_left_as_they_were_also_after_an_error():
    network = lived(nn.Sequential(block(), nn.Flatten(), nn.Linear(400, 2)))
    state = {name: values.clone() for name, values in network.state_dict().items()}
    extractor = Extractor(network)
    extractor(FRAMES, ["2"])
    broken = FRAMES.copy()
    broken[3] = np.nan
    with pytest.raises(Exception, match="NaN"):
        extractor(broken, ["2"])
    assert not any("forward" in vars(layer) for layer in network.modules())
    assert not any(vars(layer)["_forward_hooks"] or vars(layer)["_forward_pre_hooks"] for layer in network.modules())
    assert network.state_dict().keys() == state.keys()
    assert all(torch.equal(values, state[name]) for name, values in network.state_dict().items())


def test_weights_that_were_trained_after_the_probe_count():
    network = lived(block())
    probe = probed(network, "1")
    before = Extractor(network)(FRAMES, ["1"], probed=probe)["1"]
    with torch.no_grad():
        network.get_parameter("0.weight").mul_(2)
    after = Extractor(network)(FRAMES, ["1"], probed=probe)["1"]
    np.testing.assert_allclose(after, plainly(network, "1"), rtol=1e-5, atol=1e-5)
    assert np.abs(after - before).max() > 0.1


def test_folded_weights_are_in_the_announced_memory():
    network = lived(nn.Sequential(nn.Conv2d(3, 512, 9), nn.BatchNorm2d(512)))
    extractor = Extractor(network)
    probe = extractor.probe(FRAMES, ["1"])
    assert probe.shortcuts.bytes == 4 * (512 * 3 * 81 + 512)
    without = replace(probe, shortcuts=Shortcuts(), scratch=probe.scratch - probe.shortcuts.bytes)
    planned, less = (extractor.plan(FRAMES, ["1"], probed=p) for p in (probe, without))
    assert planned.working - less.working == probe.shortcuts.bytes


def test_networks_with_huge_weights_run_as_they_are(monkeypatch: pytest.MonkeyPatch):
    network = lived(nn.Sequential(block(), nn.Flatten(), nn.Linear(400, 2)))
    needed = probed(network).shortcuts.bytes
    monkeypatch.setattr(shortcuts, "_MOST", needed - 1)
    assert probed(network).shortcuts.folds == ()
    assert len(probed(network).shortcuts.linears) == 1
    monkeypatch.setattr(shortcuts, "_MOST", needed)
    assert len(probed(network).shortcuts.folds) == 1


def test_half_precision_folds_within_its_own_error():
    network = lived(block(8), seed=3)
    exact = plainly(network, "2")
    half = Extractor(network, dtype=torch.bfloat16)
    assert len(half.probe(FRAMES, ["2"]).shortcuts.folds) == 1
    assert half.probe(FRAMES, ["2"]).shortcuts.linears == ()
    assert np.abs(half(FRAMES, ["2"])["2"] - exact).max() < 0.03 * np.abs(exact).max()


@pytest.mark.parametrize("shape", [(5, 30), (5, 7, 30)])
def test_linear_layers_by_onednn_are_those_of_torch(shape: tuple[int, ...]):
    torch.manual_seed(0)
    for bias in (True, False):
        linear = nn.Linear(30, 9, bias=bias)
        inputs = torch.randn(shape)
        with torch.inference_mode(), Shortcuts(linears=(linear,)).taken():
            fast = linear(inputs)
        torch.testing.assert_close(fast, linear(inputs).detach(), rtol=1e-5, atol=1e-6)
