from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from brainmark.core import Experiment, Record, Setting, Stimuli, check_answer, models
from brainmark.models.networks import vone
from brainmark.models.networks.vone import GaborParameters, VOneBlock, gabor_kernels
from brainmark.models.networks.vonenet import BACK_ENDS, VOneNet, without
from brainmark.models.subjects.vision import VisionSubject

PARAMETERS = {  # of the network itself, less its first layers; AlexNet's classifier sees 7 x 7 places instead of 6 x 6
    "alexnet": 61_100_840 - 23_296 + 256 * (49 - 36) * 4096,
    "resnet50": 25_557_032 - 9_408 - 128,
}


def small(seed: int = 0, noise: vone.Noise = "none") -> VOneNet:
    torch.manual_seed(seed)
    return VOneNet(VOneBlock(6, 5, seed=seed, noise=noise), nn.Conv2d(4, 3, 1), width=4).eval()


def as_published(network: VOneNet) -> tuple[dict[str, Tensor], np.ndarray]:
    """The network's weights with cells in an order of their own, as a checkpoint holds them; and that order."""
    cells = cast(GaborParameters, network.vone_block.cells)
    shuffled = np.concatenate([np.random.default_rng(0).permutation(6), 6 + np.random.default_rng(1).permutation(5)])
    table = {"model.weight": network.state_dict()["model.weight"], "model.bias": network.state_dict()["model.bias"]}
    table["bottleneck.weight"] = network.bottleneck.weight.detach()[:, torch.from_numpy(shuffled)]
    for name, shift in (("q0", 0.0), ("q1", 90.0)):
        kernels = np.zeros((11, 3, 25, 25), np.float32)
        kernels[np.arange(11), cells.colour[shuffled]] = gabor_kernels(cells.take(shuffled), 28.0, 25, shift)
        table[f"vone_block.simple_conv_{name}.weight"] = torch.from_numpy(kernels)
    return table, shuffled


def test_published_kernels_and_weights_give_the_published_answers():
    trained, other = small(1), small(2)
    table, _ = as_published(trained)
    other.load_state_dict(table, strict=False)
    image = torch.randn((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(other(image), trained(image), atol=1e-5, rtol=1e-4)
    assert other.vone_block.cells is None


def test_its_own_weights_can_be_loaded_again():
    one, other = small(1), small(1)
    nn.init.constant_(other.bottleneck.weight, 0.0)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.bottleneck.weight, other.bottleneck.weight)


def test_layers_give_way_to_the_identity():
    network = without(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 1)), ("0", "1"))
    assert network(torch.zeros((1, 4, 6, 6))).shape == (1, 5, 6, 6)


@pytest.mark.parametrize("back_end", list(PARAMETERS))
def test_back_ends_have_the_parameters_of_the_network_without_its_first_layers(back_end: str):
    with torch.device("meta"):
        made = BACK_ENDS[back_end]()
    assert sum(p.numel() for p in made.parameters()) == PARAMETERS[back_end]


@pytest.mark.parametrize("back_end", list(BACK_ENDS))
def test_back_ends_take_what_the_bottleneck_gives(back_end: str):
    with torch.device("meta"):
        made = BACK_ENDS[back_end]().eval()
        assert made(torch.zeros((1, 64, 56, 56))).shape == (1, 1000)


def test_noise_belongs_to_the_seed_of_the_stimulus():
    network, image = small(noise="neuronal"), torch.rand((2, 3, 64, 64))
    with torch.inference_mode():
        network.reseed([1, 2])
        first = network(image)
        network.reseed([2, 1])
        swapped = network(image.flip(0)).flip(0)
        network.reseed([3, 4])
        other = network(image)
    torch.testing.assert_close(first, swapped)
    assert not torch.allclose(first, other)


@pytest.fixture(scope="module")
def answers() -> Mapping[str, Mapping[str, int]]:
    """Trials of the AlexNet with a block in front, and of the same without noise."""
    images = np.random.default_rng(0).integers(0, 256, (1, 30, 30, 3), np.uint8)
    stimuli = Stimuli("one", "image", pd.DataFrame({"stimulus_id": ["a"]}), list(images))
    found: dict[str, Mapping[str, int]] = {}
    for noise in (True, False):
        subject = models["vonealexnet"].load(weights="random", noise=noise)
        experiment = Experiment(stimuli, Record("IT"), Setting(degrees=8.0, trials=2))
        answer = check_answer(subject.perform(experiment), experiment, "vonealexnet")
        found[str(noise)] = dict(cast(Mapping[str, int], answer.sizes))
        if noise:
            assert not np.array_equal(*answer.transpose("repetition", "neuroid", "presentation").values)
    return found


def test_trials_of_the_subject_differ_unless_it_is_without_noise(answers: Mapping[str, Mapping[str, int]]):
    assert answers["True"] == {"presentation": 1, "neuroid": 256 * 49, "repetition": 2}
    assert answers["False"] == {"presentation": 1, "neuroid": 256 * 49}


def test_weights_come_from_a_file_of_the_authors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path))
    monkeypatch.setattr("brainmark.models.networks.vonenet.BACK_ENDS", {"cornets": lambda: nn.Conv2d(64, 3, 1)})
    monkeypatch.setattr("brainmark.models.networks.vonenet.voneblock", lambda *_: VOneBlock(6, 5))
    torch.manual_seed(1)
    trained = VOneNet(VOneBlock(6, 5, seed=1), nn.Conv2d(64, 3, 1))
    table, _ = as_published(trained)
    file = tmp_path / "vonenet-models.s3.us-east-2.amazonaws.com" / "vonecornets_e70.pth.tar"
    file.parent.mkdir()
    torch.save({"flags": {"stride": 4}, "state_dict": {f"module.{n}": t for n, t in table.items()}}, file)
    loaded = cast(VisionSubject, models["vonecornet-s"].load()).module
    image = torch.randn((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(loaded(image), trained.eval()(image), atol=1e-5, rtol=1e-4)
