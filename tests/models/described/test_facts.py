"""What nobody stated of a network is marked as a guess, with the line that would state it."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pytest
from torch import nn
from typer.testing import CliRunner

from brainmark import VisionSubject, load_model
from brainmark.cli import app as cli
from brainmark.models.described.facts import describe_subject
from brainmark.models.subjects.coerce import as_subject

CODE = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
"""
STATED = """
[net]
source = "mine_to_guess:make"
size = 32
mean = [0.1, 0.2, 0.3]
std = [1, 1, 1]
degrees = 5.0
regions.IT = "1"
behavior = "3"
head = false
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine_to_guess.py").write_text(CODE)
    (tmp_path / "models.toml").write_text(STATED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("mine_to_guess", None)


def show(name: str) -> dict[str, str]:
    done = CliRunner().invoke(cli.app, ["show", name, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["facts"]


def test_a_bare_network_is_said_to_be_guessed(here: Path):
    """It was given the mean and deviation of ImageNet without a word."""
    with pytest.warns(UserWarning, match=r"layers chosen by their depth alone .*size, mean, std not stated"):
        load_model("mine_to_guess:make")
    facts = show("mine_to_guess:make")
    assert facts["mean"] == "0.485, 0.456, 0.406  (a guess; to state it: mean = [...])"
    assert facts["layer of V4"].endswith("(a guess; to state it: regions.V4 = ...)")
    assert all("a guess" in facts[name] for name in ("std", "size", "degrees", "behavior", "head"))


def test_what_a_table_states_is_no_guess(here: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not load_model("models.toml#net").guesses
    facts = show("models.toml#net")
    assert "a guess" not in str(facts)
    assert (facts["layer of IT"], facts["mean"], facts["degrees"]) == ("1", "0.1, 0.2, 0.3", "5")
    assert (facts["size"], facts["behavior"], facts["head"]) == ("32 pixels", "3", "none")


def test_a_table_that_states_regions_alone_warns_of_the_rest(here: Path):
    (here / "models.toml").write_text('[net]\nsource = "mine_to_guess:make"\nregions.IT = "1"\n')
    with pytest.warns(UserWarning, match=r"^models.toml#net: size, mean, std not stated, and taken to be usual"):
        subject = load_model("models.toml#net")
    assert set(subject.guesses) == {"degrees", "size", "mean", "std", "head", "behavior"}


def test_libraries_know_what_their_networks_are_given():
    facts = show("torchvision/squeezenet1_1:random")
    assert facts["mean"] == "0.485, 0.456, 0.406" and facts["head"] == "output: 1000 logits (the classes of ImageNet)"
    assert "a guess" in facts["layer of V1"]
    zoo = show("alexnet")
    assert "a guess" not in str(zoo) and zoo["layer of V1"] == "features.2; maps averaged to 14 x 14"


def test_a_module_of_the_interface_guesses_what_it_is_not_told():
    subject = as_subject(nn.Conv2d(3, 2, 3), mean=(0.0,), std=(1.0,), size=32)
    assert isinstance(subject, VisionSubject)
    assert subject.guesses == ("regions", "degrees")
    assert subject.with_regions({"IT": "output"}).guesses == ("degrees",)
    assert describe_subject(subject)["layer of every region"].startswith("output  (a guess")
