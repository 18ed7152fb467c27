"""Every network of the zoo: its layers are there, and it has as many parameters as its authors publish."""

from __future__ import annotations

import sys
import tomllib

import pytest
import torch
from torch import nn

from brainmark.core import models
from brainmark.core.errors import InvalidModel, UnknownName
from brainmark.models.described.toml_files import ZOO_FILE
from brainmark.models.zoo import ZOO, register
from brainmark.run.declared import digest_entry
from brainmark.testing import check_model

NETS = {name: m for name, m in ZOO.items() if "imagenet" in m.spec.tags and m.spec.family not in ("cornet", "vonenet")}
PARAMETERS = {  # learnt; torchvision's and timm's tables, the papers' where these have the network
    "alexnet": 61_100_840, "vgg-16": 138_357_544, "vgg-19": 143_667_240,
    "densenet-121": 7_978_856, "densenet-169": 14_149_480, "densenet-201": 20_013_928,
    "resnet-18": 11_689_512, "resnet-34": 21_797_672, "resnet-50_v1": 25_557_032, "resnet-101_v1": 44_549_160,
    "resnet-152_v1": 60_192_808, "resnet-50_v2": 25_549_352,
    "resnet-50_robust_l2_eps3": 25_557_032, "resnet-50_barlow-twins": 23_508_032, "dino_resnet50": 23_508_032,
    "resnext101_32x8d_wsl": 88_791_336, "resnext101_32x16d_wsl": 194_026_792,
    "resnext101_32x32d_wsl": 468_530_472, "resnext101_32x48d_wsl": 828_411_176,
    "squeezenet1_0": 1_248_424, "squeezenet1_1": 1_235_496,
    "inception_v1": 6_624_904, "inception_v2": 11_295_240, "inception_v3": 23_834_568, "inception_v4": 42_679_816,
    "inception_resnet_v2": 55_843_464, "xception": 22_855_952,
    "nasnet_large": 88_753_150, "nasnet_mobile": 5_289_978, "pnasnet_large": 86_057_668,
    "efficientnet-b0": 5_288_548, "efficientnet-b1": 7_794_184, "efficientnet-b2": 9_109_994,
    "efficientnet-b3": 12_233_232, "efficientnet-b4": 19_341_616, "efficientnet-b5": 30_389_784,
    "efficientnet-b6": 43_040_704, "efficientnet-b7": 66_347_960,
    "convnext_tiny": 28_589_128, "convnext_small": 50_223_688, "convnext_base": 88_591_464,
    "convnext_large": 197_767_336,
    "vit_tiny_patch16_224": 5_717_416, "vit_small_patch16_224": 22_050_664, "vit_base_patch16_224": 86_567_656,
    "vit_base_patch32_224": 88_224_232, "vit_large_patch16_224": 304_326_632,
    "dino_vits16": 21_665_664, "dino_vits8": 21_670_272, "dino_vitb16": 85_798_656,
    "dinov2_vits14": 22_056_576, "dinov2_vitb14": 86_580_480, "dinov2_vitl14": 304_368_640,
    "clip_resnet50": 38_316_896,
}  # fmt: skip
MOBILENETS = {  # with 1000 classes; here there is one more, "background", which is left out of the answer
    "mobilenet_v1_1.0_224": (4_231_976, 1024), "mobilenet_v1_0.75_192": (2_585_560, 768),
    "mobilenet_v1_0.5_160": (1_331_592, 512), "mobilenet_v1_0.25_128": (470_072, 256),
    "mobilenet_v2_1.0_224": (3_504_872, 1280), "mobilenet_v2_1.4_224": (6_108_776, 1792),
}  # fmt: skip
PARAMETERS |= {name: count + width + 1 for name, (count, width) in MOBILENETS.items()}
STUDY = {
    "alexnet", "squeezenet1_0", "squeezenet1_1", "resnet-18", "resnet-34", "resnet-50_v1", "resnet-101_v1",
    "resnet-152_v1", "resnet-50_v2", "resnet-101_v2", "resnet-152_v2", "vgg-16", "vgg-19", "xception", "densenet-121",
    "densenet-169", "densenet-201", "inception_v1", "inception_v2", "inception_v3", "inception_v4",
    "inception_resnet_v2", "nasnet_mobile", "nasnet_large", "pnasnet_large",
}  # fmt: skip


def bare(name: str) -> nn.Module:
    """The network without values: of 3 GB of weights only the names and shapes are made."""
    with torch.device("meta"):
        return models[name].load(weights="random").module


@pytest.mark.parametrize("name", sorted(NETS))
def test_layers_are_there_and_parameters_as_many_as_published(name):
    module, fields = bare(name), NETS[name].spec.fields(False)
    known = {n for n, _ in module.named_modules()} | {"output"}
    assert {readout.layer for readout in (*fields["regions"].values(), fields["behavior"])} <= known
    count = sum(p.numel() for p in module.parameters())
    assert count == PARAMETERS.get(name, count)


def test_the_networks_of_the_original_study_are_there_by_its_names():
    v1 = {f"mobilenet_v1_{w}_{s}" for w in ("1.0", "0.75", "0.5", "0.25") for s in (224, 192, 160, 128)}
    v2 = {f"mobilenet_v2_{w}_{s}" for w in ("1.0", "0.75", "0.5", "0.35") for s in (224, 192, 160, 128, 96)}
    wanted = {*STUDY, *v1, *v2, "mobilenet_v2_1.4_224", "mobilenet_v2_1.3_224"}
    assert wanted <= set(NETS)
    assert len(NETS) == 105


def test_each_card_says_licence_citation_and_field_of_view():
    for name in NETS:
        card = models[name].card
        assert card.regions == ("V1", "V2", "V4", "IT")
        assert card.degrees == 8.0
        assert card.cite.startswith("@")
        assert "imagenet" in card.tags


def test_the_zoo_takes_four_lines_for_a_network():
    tables = tomllib.loads(ZOO_FILE.read_text("utf-8"))
    lines = {name: len(table) for name, table in tables.items() if name != "family" and "like" in table}
    few = [name for name, count in lines.items() if count <= 4]
    assert len(few) > 0.9 * len(lines)


@pytest.fixture
def own_entries(monkeypatch):
    monkeypatch.setattr(models, "_entries", dict(models._entries))


def test_a_package_registers_a_file_of_its_own(tmp_path, own_entries):
    file = tmp_path / "models.toml"
    file.write_text(
        '[mine]\ndomain = "vision"\nsource = "torchvision/squeezenet1_1"\nregions = { IT = "features.12" }\n'
        'summary = "A network."\nlicence = "MIT"\ncite = "he2016"\nfamily = "mine"\ndegrees = 6.0\n'
    )
    register(file, "my_package")
    assert models["mine"].card.regions == ("IT",)
    assert models["mine"].module == "my_package"
    subject = models["mine:random=2"].load()
    assert (subject.identifier, subject.degrees) == ("mine:random=2", 6.0)


def test_a_network_of_a_package_takes_four_lines(tmp_path, own_entries):
    file = tmp_path / "nets.toml"
    file.write_text(
        '[mine]\nlike = "imagenet"\nsource = "torchvision/squeezenet1_1"\nregions = { IT = "features.12" }\n'
        '[squeezenet]\nlike = "squeezenet"\nsource = "torchvision/squeezenet1_1"\n'
        '[bare]\nsource = "torchvision/squeezenet1_1"\nregions = { IT = "features.12" }\n'
    )
    register(file)
    card = models["mine"].card
    assert (card.domain, card.family, card.degrees, card.licence) == ("vision", "nets", 8.0, "not stated")
    assert card.summary == "mine: torchvision/squeezenet1_1, as nets.toml describes it."
    assert models["mine"].module == __name__
    assert models["squeezenet"].card.regions == ("V1", "V2", "V4", "IT")
    subjects = [models[name].load(weights="random") for name in ("mine", "squeezenet", "bare")]
    assert [subject.identifier for subject in subjects] == ["mine:random", "squeezenet:random", "bare:random"]
    assert len({subject.mean for subject in subjects}) == 1  # of ImageNet, also where nothing is said
    assert check_model("mine:random")


def test_a_changed_description_is_another_model(tmp_path, own_entries):
    file = tmp_path / "nets.toml"
    digests = []
    for layer, other in (("features.7", 6), ("features.12", 6), ("features.12", 7)):
        file.write_text(
            f'[mine]\nlike = "imagenet"\nsource = "torchvision/squeezenet1_1"\nregions = {{ IT = "{layer}" }}\n'
            f'[other]\nlike = "mine"\ndegrees = {other}.0\n'
        )
        models._entries.pop("other", None)  # its card changes
        register(file)
        digests.append(digest_entry(models["mine:random"]))
    assert None not in digests
    assert digests[0] != digests[1] == digests[2]


def test_changed_code_of_a_network_is_another_model(tmp_path, own_entries, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nets_of_a_file", raising=False)
    code, file, digests = tmp_path / "nets_of_a_file.py", tmp_path / "nets.toml", []
    file.write_text(
        '[mine]\nsource = "nets_of_a_file:make"\nsize = 32\nmean = [0, 0, 0]\nstd = [1, 1, 1]\nregions = { IT = "0" }\n'
    )
    text = "from torch import nn\n\ndef make():\n    return nn.Sequential(nn.Conv2d(3, 4, 5))\n"
    for changed in (text, text + "# a comment\n", text.replace("3, 4, 5", "3, 4, 7")):
        code.write_text(changed)
        register(file)
        digests.append(digest_entry(models["mine"]))
    assert None not in digests
    assert digests[0] == digests[1] != digests[2]
    assert models["mine"].load().identifier == "mine"


def test_a_layer_that_is_not_there_is_named_when_the_model_is_loaded(tmp_path, own_entries):
    file = tmp_path / "nets.toml"
    file.write_text('[mine]\nsource = "torchvision/squeezenet1_1"\nregions = { IT = "feature.12" }\n')
    register(file)
    with pytest.raises(
        UnknownName, match=r"nets\.toml \[mine\] regions\.IT 'feature\.12'; did you mean 'features\.12'"
    ):
        models["mine:random"].load()


SOURCE = 'source = "torchvision/squeezenet1_1"\n'
REGIONS = 'regions = { IT = "features.12" }\n'


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (SOURCE, r"regions is \{\}"),
        (REGIONS, "source is .*Field required"),
        (SOURCE + REGIONS + "degrees = -1.0", r"degrees is -1\.0"),
        (SOURCE + REGIONS + 'cite = "nobody1900"', "cite is 'nobody1900'"),
        (SOURCE + REGIONS + 'cite = "@misc"', "cite is '@misc'"),
        (SOURCE + REGIONS + 'licence = ""', "licence is ''"),
        (SOURCE + REGIONS + "like = [1]", r"like is \[1\]"),
        (REGIONS + 'source = "no-such-model"', "source is 'no-such-model'"),
        (REGIONS + 'source = "hf/a/b"\narguments = { no = 1 }', "arguments is {'no': 1}"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_registered(tmp_path, own_entries, table, says):
    file = tmp_path / "nets.toml"
    file.write_text(f"[good]\n{SOURCE}{REGIONS}[bad]\n{table}\n")
    with pytest.raises(InvalidModel, match=rf"nets\.toml \[bad\]: {says}"):
        register(file)
    assert "good" not in models
