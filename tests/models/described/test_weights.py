"""Published files of weights, as their authors wrote them."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from brainmark.core import models
from brainmark.core.errors import ModelError
from brainmark.data.fetch import Checkpoint
from brainmark.models.described.weights import PublishedWeights


@pytest.fixture(autouse=True)
def quiet():
    """What the tests want to hear they ask for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*layers chosen by their depth")
        yield


def tiny() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 6, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_published_files_are_read_as_their_authors_wrote_them(tmp_path, monkeypatch):
    """Nested, prefixed, with a classifier of another task that is left out."""
    torch.manual_seed(3)
    trained = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    table = {f"module.encoder.{n}": t for n, t in trained.state_dict().items()} | {"module.other": torch.zeros(1)}
    table.pop("module.encoder.1.num_batches_tracked")
    torch.save({"state_dict": {"inner": table}, "epoch": 8}, tmp_path / "file.pth")
    monkeypatch.setattr(Checkpoint, "path", lambda _: tmp_path / "file.pth")
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Identity())
    url, inside = "https://example.org/file.pth", ("state_dict", "inner")
    PublishedWeights(url, inside=inside, prefix="module.encoder.").put_into(made)
    assert torch.equal(made[0].weight, trained[0].weight)
    with pytest.raises(ModelError, match="cannot be read as weights"):
        PublishedWeights(url, inside=("model",)).put_into(tiny())
    with pytest.raises(ModelError, match=r"it lacks 0\.weight"):
        PublishedWeights(url, inside=inside, prefix="x").put_into(tiny())


def test_a_classifier_that_is_not_published_is_left_out_of_the_twin_too():
    assert isinstance(models["resnet-50_vicreg:random"].load().module.fc, nn.Identity)


def test_weights_trained_with_caffe_come_under_the_names_of_its_layers():
    from brainmark.models.networks.bn_inception import BNInception, from_caffe

    network = BNInception()
    published = {}
    places = {"3x3.reduce": "3x3_reduce", "3x3.last": "3x3", "double_3x3.reduce": "double_3x3_reduce",
              "double_3x3.first": "double_3x3_1", "double_3x3.last": "double_3x3_2", "pool.1": "pool_proj"}  # fmt: skip
    for name, tensor in network.state_dict().items():
        caffe = name
        for ours, theirs in places.items():
            caffe = caffe.replace(f"branches.{ours}.", f"branches.{theirs}.")
        caffe = caffe.replace(".branches.", "_").replace(".conv.", ".").replace(".bn.", "_bn.")
        for ours, theirs in {"conv1": "conv1_7x7_s2", "conv2_reduce": "conv2_3x3_reduce", "conv2": "conv2_3x3"}.items():
            caffe = caffe.replace(f"{ours}.", f"{theirs}.").replace(f"{ours}_bn.", f"{theirs}_bn.")
        published[caffe] = tensor
    assert "inception_3a_double_3x3_1_bn.running_mean" in published
    assert "conv2_3x3_reduce.bias" in published
    read = from_caffe(published)
    assert set(read) == set(network.state_dict())
    first = "conv1.conv.weight"
    assert torch.equal(read[first], network.state_dict()[first].flip(1))
