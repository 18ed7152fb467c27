"""Models by names that nobody registered."""

from __future__ import annotations

import sys
import textwrap
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from brainmark.core import Experiment, Record, models
from brainmark.core.errors import DataError, InvalidModel, ModelError, UnknownName
from brainmark.data.fetch import Checkpoint
from brainmark.models.described.depth import guess_layers
from brainmark.models.described.weights import PublishedWeights
from brainmark.models.sources import torch_libraries
from brainmark.models.sources.timm import Timm
from brainmark.models.sources.torchvision import Torchvision
from brainmark.models.subjects.readout import Readout
from brainmark.run.stamp import entry_fingerprint
from brainmark.testing.examples import images

NETWORK = """
import torch
from torch import nn

def make_model(width: int = 4):
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, width, 3, 2), nn.ReLU(), nn.Conv2d(width, width, 3, 2), nn.ReLU(),
                         nn.Conv2d(width, width, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 5))

def needs(path):
    return make_model()

def number():
    return 3

def sees():
    from brainmark.models.subjects.vision import VisionSubject
    return VisionSubject("mine", make_model(), {"IT": "3"}, degrees=12.0)

def breaks():
    raise KeyError("weights")
"""


@pytest.fixture(autouse=True)
def quiet():
    """What the tests want to hear they ask for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*layers chosen by their depth")
        yield


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a module of one's own, which is forgotten afterwards."""
    (tmp_path / "my_networks_here.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield tmp_path
    sys.modules.pop("my_networks_here", None)


@pytest.fixture
def unreachable(monkeypatch, tmp_path):
    """A machine without a network and with empty caches."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("socket.getaddrinfo", _no_address)
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BRAINMARK_MIRROR", raising=False)


def _no_address(*_):
    raise OSError("Name or service not known")


def answer(subject, region="IT"):
    return subject.perform(Experiment(images(), Record(region))).values


def tiny() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 6, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())


# --- untrained twins


def test_twins_are_drawn_from_their_seed_alone_and_leave_other_draws_as_they_were():
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002 - the global one is meant
    first, again, other = (models[f"squeezenet1_1:random{s}"].load() for s in ("", "=0", "=1"))
    assert [s.identifier for s in (first, again, other)] == ["squeezenet1_1:random"] * 2 + ["squeezenet1_1:random=1"]
    assert first.weights_digest == again.weights_digest != other.weights_digest
    np.testing.assert_array_equal(answer(first), answer(again))
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002


def test_twins_have_one_name_and_a_card_that_says_what_they_are():
    entry = models["alexnet:random=0"]
    assert entry.name == "alexnet:random"
    assert entry.card.summary == "Untrained twin of alexnet: random weights, seed 0."
    assert {"untrained", "control"} <= set(entry.card.tags)
    prints = {entry_fingerprint(models[n]) for n in ("alexnet", "alexnet:random", "alexnet:random=1")}
    assert len(prints) == 3


def test_what_has_no_trained_weights_has_no_untrained_twin():
    with pytest.raises(InvalidModel, match="'pixels' has no weights that were trained"):
        models["pixels:random"]
    with pytest.raises(UnknownName, match="unknown model 'alexnt'; did you mean 'alexnet'"):
        models["alexnt:random"]


def test_weights_are_published_or_random():
    with pytest.raises(InvalidModel, match="weights is 'trained'; give 'published' or 'random'"):
        models["alexnet"].load(weights="trained").module  # noqa: B018


# --- published weights


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


# --- libraries


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
    before = entry_fingerprint(models["hf/./network"])
    transformers.ViTImageProcessor(size={"height": 48, "width": 48}, image_mean=[0.1] * 3).save_pretrained(
        folder / "network"
    )
    dimmed = entry_fingerprint(models["hf/./network"])
    assert dimmed != before  # what it sees is another image
    transformers.ResNetForImageClassification(config).save_pretrained(folder / "network")
    assert entry_fingerprint(models["hf/./network"]) not in (before, dimmed)


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


# --- functions


def test_a_function_of_ones_own_is_a_model(folder):
    subject = models["my_networks_here:make_model"].load()
    assert subject.identifier == "my_networks_here:make_model"
    assert models["my_networks_here:make_model"].load(width=6).module[0].out_channels == 6
    assert answer(subject, "V1").shape[0] == len(images())


def test_the_code_beside_a_function_counts_for_remembered_scores(folder):
    (folder / "my_networks_here.py").write_text("import helpers_here\n" + NETWORK)
    (folder / "helpers_here.py").write_text("WIDTH = 3\n")
    try:
        before = entry_fingerprint(models["my_networks_here:make_model"])
        (folder / "helpers_here.py").write_text("WIDTH = 4\n")
        assert before is not None
        assert entry_fingerprint(models["my_networks_here:make_model"]) != before
    finally:
        sys.modules.pop("helpers_here", None)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("my_networks_here:make_modl", UnknownName, "did you mean 'make_model'"),
        ("no_such_module_here:make", DataError, "no module 'no_such_module_here' in "),
        ("no_such_module_here.py:make", DataError, "modules go without .py: no_such_module_here:make"),
        ("alexnet:rando", DataError, "the untrained twin of the model 'alexnet' is alexnet:random"),
        ("my_networks_here:needs", InvalidModel, "its option 'path' has no default"),
    ],
)
def test_functions_that_cannot_be_used_are_told_before_they_are_called(name, error, said, folder):
    with pytest.raises(error, match=said):
        models[name]


def test_the_card_says_what_a_function_makes_and_nothing_is_drawn_for_it(folder):
    torch.manual_seed(5)
    drawn = torch.get_rng_state()
    plain, subject, broken = (models[f"my_networks_here:{name}"].card for name in ("make_model", "sees", "breaks"))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert (plain.domain, plain.regions, plain.degrees) == ("vision", ("V1", "V2", "V4", "IT"), 8.0)
    assert (subject.domain, subject.regions, subject.degrees) == ("vision", ("IT",), 12.0)
    assert broken.domain == "vision"  # why it fails is told when it is loaded


def test_functions_that_fail_or_make_something_else_are_told(folder):
    with pytest.raises(ModelError, match="the function failed: KeyError: 'weights'"):
        models["my_networks_here:breaks"].load()
    with pytest.raises(InvalidModel, match="a int is not a subject"):
        models["my_networks_here:number"].load()


class Counted:
    """Makes networks whose weights are others each time, and counts them."""

    count = 0

    def __call__(self):
        Counted.count += 1
        torch.manual_seed(Counted.count)
        return tiny()


def test_what_is_digested_is_what_is_scored(folder):
    models["my_networks_here:make_model"]  # imports the module
    sys.modules["my_networks_here"].anew = Counted()
    entry = models["my_networks_here:anew"]
    made = Counted.count
    digests = [entry.content(), entry.content(), entry.load().weights_digest]
    assert len(set(digests)) == 1  # though each call draws other weights
    assert Counted.count == made + 1
    assert models["my_networks_here:anew"].content() != digests[0]


def test_weights_without_a_seed_are_the_same_again(folder):
    with (folder / "my_networks_here.py").open("a") as file:
        file.write("\ndef unseeded():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))\n")
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = models["my_networks_here:unseeded"].load().weights_digest
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert models["my_networks_here:unseeded"].content() == first


def test_a_module_may_hold_the_network_or_subject_itself(folder):
    with (folder / "my_networks_here.py").open("a") as file:
        file.write("\nnetwork = make_model()\nsubject = sees()\n")
    assert answer(models["my_networks_here:network"].load(), "V1").shape[0] == len(images())
    assert models["my_networks_here:subject"].load().degrees == 12.0
    assert models["my_networks_here:subject"].card.regions == ("IT",)


# --- exported programs


def export(path, stimuli=2, dynamic=True, size=32):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = ({0: torch.export.Dim.DYNAMIC},) if dynamic else None
        program = torch.export.export(tiny().eval(), (torch.zeros(stimuli, 3, size, size),), dynamic_shapes=shapes)
        torch.export.save(program, path)


def test_an_exported_program_is_a_model_with_its_layers(folder):
    export("net.pt2")
    subject = models["net.pt2"].load()
    assert subject.size == 32
    assert answer(subject).shape[0] == len(images())
    before = entry_fingerprint(models["net.pt2"])
    torch.manual_seed(9)
    export("net.pt2")
    assert entry_fingerprint(models["net.pt2"]) != before


def test_a_file_beside_an_exported_program_describes_it(folder):
    export("net.pt2")
    (folder / "net.toml").write_text('degrees = 5\nregions.V4 = { layer = "2", pool = 3 }\n'.replace("5", "5.0"))
    subject = models["net.pt2"].load()
    assert (subject.degrees, list(subject.regions), subject.regions["V4"].pool) == (5.0, ["V4"], 3)


def test_programs_that_cannot_be_used_say_how_to_export_them(folder):
    export("fixed.pt2", dynamic=False)
    with pytest.raises(InvalidModel, match="was exported for batches of 2; export it for any number"):
        models["fixed.pt2"].load()
    (folder / "damaged.pt2").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"damaged.pt2: is not an exported program"):
        models["damaged.pt2"].load()
    with pytest.raises(DataError, match=r"lost.pt2: there is no such file"):
        models["lost.pt2"]


# --- depth


def test_layers_are_chosen_by_depth_among_blocks_and_stages_are_looked_into():
    stages = nn.Sequential(*(nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU()) for _ in range(10)))
    network = nn.Sequential(nn.Conv2d(3, 8, 1), stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    guess = guess_layers(
        network, 16
    )  # 12 weighted layers: shares .2, .4, .6, .9 end nearest to the 2nd, 5th, 7th, 11th
    assert guess.regions == {"V1": "1.0.1", "V2": "1.3.1", "V4": "1.5.1", "IT": "3"}
    assert guess.last == "3"


def test_a_network_that_does_not_take_images_says_so():
    with pytest.raises(ModelError, match=r"Linear does not take an image \(1, 3, 16, 16\)"):
        guess_layers(nn.Linear(7, 3), 16)


def test_layers_that_run_twice_are_not_chosen():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return self.b(self.a(self.a(x)))

    assert set(guess_layers(Twice(), 8).regions.values()) == {"b"}


# --- files of descriptions


def write(folder, text):
    (folder / "models.toml").write_text(textwrap.dedent(text))
    return "models.toml"


def test_a_description_says_layers_pixels_and_head(folder):
    file = write(folder, """
        [mine]
        network = "my_networks_here:make_model"
        degrees = 4.0
        size = 40
        mean = [0.1, 0.2, 0.3]
        std = [1.0, 1.0, 1.0]
        regions.V1 = "0"
        regions.IT = { layer = "4", pool = 2, first = 1.5, step = 4.0 }
        behavior = "6"
        head = { layer = "output", classes = ["a", "b", "c", "d", "e"] }
        [other]
        network = "squeezenet1_1"
        """)  # fmt: skip
    subject = models[f"{file}#mine"].load()
    assert (subject.identifier, subject.degrees, subject.size) == (f"{file}#mine", 4.0, 40)
    assert subject.regions["IT"] == Readout("4", 2, 1.5, 4.0)
    assert subject.regions["IT"].as_table() == {"layer": "4", "pool": 2, "first": 1.5, "step": 4.0}
    assert subject.head.classes == ("a", "b", "c", "d", "e")
    assert models[f"{file}#mine"].card.regions == ("V1", "IT")
    twin = models[f"{file}#other:random"].load()
    assert twin.identifier == f"{file}#other:random"
    assert list(twin.regions) == ["V1", "V2", "V4", "IT"]


def test_weights_of_a_file_replace_published_ones(folder, unreachable):
    source = Torchvision("squeezenet1_1").build_untrained()
    torch.save(source.state_dict(), folder / "mine.pth")
    file = write(folder, '[net]\nnetwork = "squeezenet1_1"\nweights = "mine.pth"\n')
    subject = models[file].load()
    assert torch.equal(subject.module.features[0].weight, source.features[0].weight)
    before = entry_fingerprint(models[file])
    torch.save(Torchvision("squeezenet1_1").build_untrained().state_dict(), folder / "mine.pth")
    assert entry_fingerprint(models[file]) != before
    torch.save({"no": torch.zeros(1)}, folder / "mine.pth")
    with pytest.raises(ModelError, match=r"mine.pth: cannot be put into the network"):
        models[file].load()


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("[a]\nnetwork = 'alexnt'", InvalidModel, r"\[a\]: source is 'alexnt': unknown model .* 'alexnet'"),
        ("[a]\nnetwork = 'alexnet'\nsize = 'big'", InvalidModel, r"\[a\]: size is 'big': .* valid integer"),
        ("[a]\nnetwork = 'alexnet'\nregion.V4 = 'x'", UnknownName, r"\[a\] 'region'; did you mean 'regions'"),
        ("[a]\nnetwork = 'alexnet'\nregions.V4 = {layr = 'x'}", UnknownName, r"'regions.V4.layr'"),
        ("[a]\nnetwork = 'alexnet'\nmean = [0.5]", InvalidModel, r"\[a\]: mean is \[0.5\]: .*give three numbers"),
        ("[a]\nnetwork = 'alexnet'\nregions.IT = {layer = []}", InvalidModel, r"IT.layer is \[\]: .*name a layer"),
        ("[a]\nnetwork = 'alexnet'\nbehavior = 3", InvalidModel, r"\[a\]: behavior is 3: "),
        ("[a]\nnetwork = 'alexnet'\nweights = 'w.pth'", DataError, r"weights is 'w.pth': there is no file"),
        ("[a]\nnetwork = 'n.pt2'", DataError, r"source is 'n.pt2': .*there is no such file"),
        ("[a]\nnetwork = 'alexnet'\ncite = 'me'", InvalidModel, r"\[a\]: cite is 'me': .*not a BibTeX"),
        ("[a]\nsize = 3", InvalidModel, r"\[a\]: source is .*Field required"),
        ("[a", InvalidModel, r"models.toml: Expected ']'"),
        ("", InvalidModel, r"models.toml: describes no model"),
        ("[a]\nnetwork = 'alexnet'\n[b]\nnetwork = 'alexnet'", UnknownName, r"it describes: a, b"),
    ],
)  # fmt: skip
def test_descriptions_that_cannot_be_used_name_file_field_and_value(text, error, said, folder):
    with pytest.raises(error, match=said):
        models[write(folder, text)]


def test_layers_that_are_not_there_are_told_with_the_nearest(folder):
    file = write(folder, "[a]\nnetwork = 'squeezenet1_1'\nregions.IT = 'features.99'")
    with pytest.raises(UnknownName, match=r"\[a\] regions.IT 'features.99'; did you mean 'features"):
        models[f"{file}#a:random"].load()


def test_a_file_that_is_not_there_is_told(folder):
    with pytest.raises(DataError, match=r"none.toml: No such file"):
        models["none.toml#a"]


def test_the_hub_is_asked_where_it_can_be_reached(monkeypatch):
    from brainmark.models.sources import source as sources

    monkeypatch.setattr("socket.getaddrinfo", lambda *_: [])
    with sources.hub():
        import huggingface_hub.constants as constants

        assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr("socket.getaddrinfo", _no_address)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with sources.hub():
        assert constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": "http://proxy.example.org"})
    with sources.hub():
        assert not constants.HF_HUB_OFFLINE


def test_a_tag_of_timm_without_weights_is_told():
    with pytest.raises(DataError, match="no weights of timm's resnetv2_152 are published"):
        Timm("resnetv2_152").load_trained()
