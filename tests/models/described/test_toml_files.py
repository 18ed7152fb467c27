"""Descriptions of models in files."""

from __future__ import annotations

import textwrap

import pytest
import torch

from brainmark.core import models
from brainmark.core.errors import DataError, InvalidModel, ModelError, UnknownName
from brainmark.models.sources.torchvision import Torchvision
from brainmark.models.subjects.readout import Readout
from brainmark.run.declared import digest_entry

pytestmark = pytest.mark.usefixtures("quiet")


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
    before = digest_entry(models[file])
    torch.save(Torchvision("squeezenet1_1").build_untrained().state_dict(), folder / "mine.pth")
    assert digest_entry(models[file]) != before
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
        ("[a", InvalidModel, r"models.toml: no TOML: Expected ']'"),
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
    with pytest.raises(DataError, match=r"none.toml: cannot be read: No such file"):
        models["none.toml#a"]
