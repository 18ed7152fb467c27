"""Models by names that nobody registered."""

from __future__ import annotations

import textwrap
import warnings

import pytest
import torch
from torch import nn

from brainmark.core import Experiment, Record, models
from brainmark.core.errors import DataError, InvalidModel, UnknownName
from brainmark.models.described.depth import guess_layers
from brainmark.models.sources import torch_libraries
from brainmark.run.declared import digest_entry
from brainmark.testing.examples import images

pytestmark = pytest.mark.usefixtures("quiet")


def answer(subject, region="IT"):
    return subject.perform(Experiment(images(), Record(region))).values


def test_weights_are_published_or_random():
    with pytest.raises(InvalidModel, match="weights is 'trained'; give 'published' or 'random'"):
        models["alexnet"].load(weights="trained").module  # noqa: B018


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("squeezenet1_1", "https://download.pytorch.org/models/squeezenet1_1-"),
        ("timm/resnet18.a1_in1k", "https://huggingface.co/timm/resnet18.a1_in1k"),
        ("dinov2_vits14", "https://huggingface.co/facebook/dinov2-small"),
        ("resnet-50_robust_l2_eps3", "https://huggingface.co/madrylab/robust-imagenet-models/resolve/main/"),
    ],
)
def test_weights_that_cannot_be_fetched_are_told_with_their_place_and_the_way_out(name, place, unreachable):
    with pytest.raises(DataError) as caught:
        models[name].load()
    assert caught.value.kind == "environment"
    assert place in str(caught.value)
    assert "--random-weights" in str(caught.value)


def test_weights_that_are_not_published_for_torch_are_told():
    with pytest.raises(DataError, match=r"no weights .* are published that torch can read; .*--random-weights"):
        models["resnet-152_v2"].load()
    with pytest.raises(DataError, match="published that torch can read"):
        models["mobilenet_v1_0.25_128"].load()
    with pytest.raises(DataError, match="published that torch can read"):
        models["mobilenet_v2_0.5_96"].load()


def test_networks_of_timm_and_torchvision_have_their_preprocessing_and_head():
    timm = models["timm/mobilenetv2_050:random"].load()
    torchvision = models["torchvision/mobilenet_v3_small:random=2"].load()
    assert timm.size == torchvision.size == 224
    assert timm.head is not None
    assert torchvision.identifier == "torchvision/mobilenet_v3_small:random=2"
    assert set(timm.regions) == {"V1", "V2", "V4", "IT"}
    assert answer(torchvision).shape[0] == len(images())


def test_layers_chosen_by_depth_are_said_on_the_screen():
    with pytest.warns(UserWarning, match=r"torchvision/squeezenet1_1:random: layers chosen by their depth alone \(V1 "):
        models["torchvision/squeezenet1_1:random"].load()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = models["torchvision/squeezenet1_1"].load(weights="random", regions={"V4": "features.8"})
    assert told.regions == {"V4": "features.8"}


@pytest.mark.parametrize(
    ("name", "offer"),
    [
        ("timm/resnt18", "unknown model of timm 'resnt18'; did you mean 'resnet18'"),
        ("timm/resnet18.a9_in1k", "unknown weights of timm 'resnet18.a9_in1k'; did you mean 'resnet18.a"),
        ("torchvision/resnet_18", "unknown model of torchvision 'resnet_18'; did you mean 'resnet18'"),
        ("torchvision/resnet18.V3", "unknown weights of torchvision 'resnet18.V3'.* IMAGENET1K_V1"),
        ("resnet18", "unknown model 'resnet18'; did you mean 'resnet-18'"),
    ],
)
def test_names_that_are_nearly_right_are_offered(name, offer):
    with pytest.raises(UnknownName, match=offer):
        models[name]


def test_a_folder_of_the_hub_is_a_model(folder):

    transformers = torch_libraries.transformers()
    labels = {0: "cat", 1: "dog", 2: "owl"}
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 6, 8], depths=[1, 1, 1], num_labels=3, id2label=labels
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        transformers.ResNetForImageClassification(config).save_pretrained(folder / "network")
    transformers.ViTImageProcessor(size={"height": 48, "width": 48}, image_mean=[0.4] * 3).save_pretrained(
        folder / "network"
    )
    subject = models["hf/./network"].load()
    assert (subject.size, subject.mean) == (48, (0.4, 0.4, 0.4))
    assert subject.head.classes == ("cat", "dog", "owl")
    assert models["hf/./network:random"].load().weights_digest != subject.weights_digest
    assert answer(subject).shape[0] == len(images())
    before = digest_entry(models["hf/./network"])
    transformers.ViTImageProcessor(size={"height": 48, "width": 48}, image_mean=[0.1] * 3).save_pretrained(
        folder / "network"
    )
    dimmed = digest_entry(models["hf/./network"])
    assert dimmed != before  # what it sees is another image
    transformers.ResNetForImageClassification(config).save_pretrained(folder / "network")
    assert digest_entry(models["hf/./network"]) not in (before, dimmed)


def test_weights_put_into_a_network_of_the_hub_stay_out_of_its_twin(folder):

    transformers = torch_libraries.transformers()
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4, 6, 8], depths=[1, 1, 1])
    network = transformers.ResNetForImageClassification(config)
    network.save_pretrained(folder / "network")
    transformers.ViTImageProcessor(size={"height": 48, "width": 48}).save_pretrained(folder / "network")
    torch.save({n: t + 1 for n, t in network.state_dict().items()}, folder / "mine.pth")
    entry = models[write(folder, '[net]\nnetwork = "hf/./network"\nweights = "mine.pth"\n')]
    trained = entry.load().weights_digest
    assert entry.load(weights="random").weights_digest == models["hf/./network:random"].load().weights_digest
    assert entry.load().weights_digest == trained


@pytest.mark.parametrize("training", [True, False])
def test_a_network_whose_layers_are_guessed_trains_on_as_it_did(training):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3)).train(training)
    network[1].eval()  # its statistics are frozen
    guess_layers(network, 16)
    assert [m.training for m in network] == [training, False, training]
    assert not any(m._forward_hooks for m in network)


def write(folder, text):
    (folder / "models.toml").write_text(textwrap.dedent(text))
    return "models.toml"
