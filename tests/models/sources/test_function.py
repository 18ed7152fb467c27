"""Models that a function makes, or that a module holds."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from brainmark.core import Experiment, Record, models
from brainmark.core.errors import DataError, InvalidModel, ModelError, UnknownName
from brainmark.run.declared import digest_entry
from brainmark.testing.examples import images

pytestmark = pytest.mark.usefixtures("quiet")


def answer(subject, region="IT"):
    return subject.perform(Experiment(images(), Record(region))).values


def tiny() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 6, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_a_function_of_ones_own_is_a_model(folder):
    subject = models["my_networks_here:make_model"].load()
    assert subject.identifier == "my_networks_here:make_model"
    assert models["my_networks_here:make_model"].load(width=6).module[0].out_channels == 6
    assert answer(subject, "V1").shape[0] == len(images())


def test_the_code_beside_a_function_counts_for_remembered_scores(folder):
    (folder / "my_networks_here.py").write_text("import helpers_here\n" + (folder / "my_networks_here.py").read_text())
    (folder / "helpers_here.py").write_text("WIDTH = 3\n")
    try:
        before = digest_entry(models["my_networks_here:make_model"])
        (folder / "helpers_here.py").write_text("WIDTH = 4\n")
        assert before is not None
        assert digest_entry(models["my_networks_here:make_model"]) != before
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
