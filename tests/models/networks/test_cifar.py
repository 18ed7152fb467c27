"""The small networks and their checkpoints as models."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brainmark.core import DataError, NotApplicable, Stimuli, models
from brainmark.core.experiment import Choose, Experiment, Record
from brainmark.models.described.toml_files import ZOO_FILE
from brainmark.models.networks.cifar import NETWORKS, CifarCORnet, CifarResNet, make_network
from brainmark.models.sources.checkpoint import FORMAT, Facts, ImageCheckpoint, to_bytes
from brainmark.studies.cifar10 import LABELS

RECIPE = {"name": "toy", "network": "cifar-resnet", "objective": "labels", "epochs": 9}
FACTS = Facts(recipe=RECIPE, seed=4, threads=1, epoch=7, log={"loss": 0.5})


def stimuli(count: int = 5, size: int = 32) -> Stimuli:
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.uint8)
    table = pd.DataFrame(index=pd.Index([str(i) for i in range(count)], name="stimulus_id"))
    return Stimuli("noise", "image", table, pixels)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "epochs" / "007.safetensors"
    path.parent.mkdir()
    path.write_bytes(to_bytes(make_network("cifar-resnet", 3), FACTS))
    return path


@pytest.mark.parametrize(("name", "parameters"), [("cifar-resnet", 172_506), ("cifar-cornet", 207_954)])
def test_networks_have_the_parameters_of_their_design(name: str, parameters: int) -> None:
    """ResNet-14: 11 convolutions of 16, 32 and 64 channels behind the stem, norms, and a head of 650."""
    assert sum(p.numel() for p in make_network(name).parameters()) == parameters


def test_a_residual_block_without_branch_passes_its_input_on() -> None:
    network = make_network("cifar-resnet")
    assert isinstance(network, CifarResNet)
    block = network.stage2[0]
    torch.nn.init.zeros_(block.conv2.weight)
    maps = torch.rand(2, 16, 8, 8)
    out = block(maps)
    assert torch.equal(out[:, :16], maps[:, :, ::2, ::2])
    assert not out[:, 16:].any()


def test_a_signal_takes_one_step_from_area_to_area() -> None:
    """The first call of an area depends on the image; how often each runs follows from when the signal arrives."""
    network = make_network("cifar-cornet")
    calls: dict[str, list[torch.Tensor]] = {name: [] for name in ("V1", "V2", "V4", "IT")}
    for name, seen in calls.items():
        network.get_submodule(name).register_forward_hook(lambda _, __, output, seen=seen: seen.append(output))
    with torch.inference_mode():
        network(torch.rand(1, 3, 32, 32))
    assert {name: len(seen) for name, seen in calls.items()} == {"V1": 5, "V2": 4, "V4": 3, "IT": 2}
    for seen in calls.values():
        assert all(not torch.allclose(a, b) for a, b in pairwise(seen))  # states go on changing


def test_recurrence_can_be_switched_off_by_fewer_steps() -> None:
    torch.manual_seed(0)
    network = CifarCORnet(steps=4).eval()
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        straight = images
        for name in ("V1", "V2", "V4", "IT"):
            straight = network.get_submodule(name)(straight, None)
        assert torch.allclose(network.features(images), straight.mean((2, 3)), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [32, 48])
def test_networks_take_images_of_other_sizes(name: str, size: int) -> None:
    with torch.inference_mode():
        assert make_network(name)(torch.rand(2, 3, size, size)).shape == (2, 10)


def test_seeds_draw_weights_and_leave_the_rest_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    one, same, other = (make_network("cifar-resnet", seed).get_parameter("stem.0.weight") for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_checkpoint_keeps_weights_in_half_precision(checkpoint: Path) -> None:
    before, after = make_network("cifar-resnet", 3).state_dict(), ImageCheckpoint(checkpoint).make({}).state_dict()
    for name, values in before.items():
        assert after[name].dtype == values.dtype
        assert torch.allclose(values, after[name], rtol=1e-3, atol=1e-6)
    assert checkpoint.stat().st_size < 400_000
    assert to_bytes(make_network("cifar-resnet", 3), FACTS) == checkpoint.read_bytes()


def test_a_checkpoint_is_a_model_by_its_path(checkpoint: Path) -> None:
    entry = models[f"checkpoint:{checkpoint}"]
    assert "toy, seed 4, after 7 of 9 epochs" in entry.card.summary
    subject = entry.load()
    assert subject.identifier == f"checkpoint:{checkpoint}"
    answer = subject.perform(Experiment(stimuli(), Record("IT")))
    network = ImageCheckpoint(checkpoint).make({})
    assert answer.shape == (5, 64 * 4 * 4)
    chosen = subject.perform(Experiment(stimuli(), Choose(LABELS)))
    pixels = torch.from_numpy(np.stack([stimuli().media[i] for i in range(5)])).permute(0, 3, 1, 2) / 255
    from brainmark.training.images import normalise

    with torch.inference_mode():
        expected = torch.softmax(network(normalise(pixels)), 1).numpy()
    assert chosen.coords["choice"].values.tolist() == list(LABELS)
    np.testing.assert_allclose(chosen.values, expected, atol=1e-4)


def test_the_card_follows_the_content_of_the_file(checkpoint: Path) -> None:
    before = models[f"checkpoint:{checkpoint}"].card
    checkpoint.write_bytes(to_bytes(make_network("cifar-resnet", 5), FACTS))
    assert models[f"checkpoint:{checkpoint}"].card != before


def test_a_folder_means_the_last_checkpoint_of_its_run(checkpoint: Path) -> None:
    run = checkpoint.parents[1]
    (run / "model.safetensors").write_bytes(checkpoint.read_bytes())
    entry = models[f"checkpoint:{run}"]
    assert entry.card.summary == models[f"checkpoint:{checkpoint}"].card.summary


def test_an_untrained_twin_has_other_weights(checkpoint: Path) -> None:
    entry = models[f"checkpoint:{checkpoint}"]
    trained, twin = (
        entry.load(weights=w).perform(Experiment(stimuli(), Record("V4"))) for w in ("published", "random")
    )
    assert entry.load(weights="random").identifier == f"checkpoint:{checkpoint}:random"
    assert models[f"checkpoint:{checkpoint}:random=2"].load().identifier == f"checkpoint:{checkpoint}:random=2"
    assert trained.shape == twin.shape
    assert not np.allclose(trained, twin)


def test_a_contrastive_checkpoint_names_no_objects(tmp_path: Path) -> None:
    facts = replace(FACTS, recipe={**RECIPE, "objective": "contrastive"})
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(make_network("cifar-resnet"), facts))
    with pytest.raises(NotApplicable, match="no head"):
        models[f"checkpoint:{path}"].load().perform(Experiment(stimuli(), Choose(LABELS)))


def test_a_recurrent_checkpoint_answers_in_time(tmp_path: Path) -> None:
    facts = replace(FACTS, recipe={**RECIPE, "network": "cifar-cornet"})
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(make_network("cifar-cornet"), facts))
    subject = models[f"checkpoint:{path}"].load()
    answer = subject.perform(Experiment(stimuli(), Record("IT", ((110.0, 130.0), (130.0, 150.0)))))
    assert answer.sizes["time_bin"] == 2
    assert not np.allclose(answer.isel(time_bin=0), answer.isel(time_bin=1))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such checkpoint"),
        (b"", "is not a checkpoint of 'brainmark train'"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", "is not a checkpoint of 'brainmark train'"),
        (b"\xff" * 50, "is not a checkpoint of 'brainmark train'"),
    ],
)
def test_what_is_no_checkpoint_is_refused(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=reason):
        _ = models[f"checkpoint:{path}"]


def test_weights_that_do_not_fit_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    facts = replace(FACTS, recipe={**RECIPE, "network": "cifar-cornet"})
    other, unknown = tmp_path / "other.safetensors", tmp_path / "unknown.safetensors"
    other.write_bytes(to_bytes(make_network("cifar-resnet"), facts))
    with pytest.raises(DataError, match="its weights do not fit 'cifar-cornet'"):
        ImageCheckpoint(other).make({})
    unknown.write_bytes(
        to_bytes(make_network("cifar-resnet"), replace(FACTS, recipe={**RECIPE, "network": "cifar-vgg"}))
    )
    with pytest.raises(DataError, match=r"network 'cifar-vgg' is not known \(networks: cifar-resnet, cifar-cornet\)"):
        ImageCheckpoint(unknown).make({})
    cut = checkpoint.with_name("cut.safetensors")
    cut.write_bytes(checkpoint.read_bytes()[:-1000])
    with pytest.raises(DataError, match="do not fit"):
        ImageCheckpoint(cut).make({})


def test_the_shipped_checkpoint_is_that_of_its_recipe() -> None:
    from brainmark.training.recipes import RECIPES

    file = ZOO_FILE.parent / "weights" / "cifar-resnet.safetensors"
    facts = ImageCheckpoint(file).history
    assert facts.recipe == RECIPES["cifar-resnet"].to_dict()
    assert facts.epoch == RECIPES["cifar-resnet"].epochs
    assert json.loads(json.dumps(facts.recipe)) == facts.recipe
    subject = models["cifar-resnet"].load()
    assert np.isfinite(subject.perform(Experiment(stimuli(), Record("IT"))).values).all()
    assert subject.head.classes == LABELS
    assert FORMAT.encode() in file.read_bytes()[:200]


def test_a_shipped_checkpoint_that_changed_is_refused(checkpoint: Path) -> None:
    with pytest.raises(DataError, match=r"has other bytes than its sha256 says; give the file"):
        ImageCheckpoint(checkpoint, "0" * 64).load_trained()
