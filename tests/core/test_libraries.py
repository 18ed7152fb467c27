"""Without the libraries of an extra: what fails for want of them says what to install, as one error of a known kind."""

from __future__ import annotations

import copy
import subprocess
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from brainmark.core import MissingDependency
from brainmark.core.errors import EXTRAS_WITH, say_what_to_install
from brainmark.core.libraries import np

WITHOUT_TORCH = """
import sys


class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch" or name.startswith("torch."):
            raise ModuleNotFoundError("No module named 'torch'", name="torch")


sys.meta_path.insert(0, NoTorch())
import brainmark
from brainmark.core import MissingDependency

for name in ("gabor", "gpt2", "timm/resnet18", "a_module:f"):
    try:
        brainmark.load_model(name)
    except MissingDependency as error:
        print(name, "|", error)
for outcome in brainmark.score_all(["gabor", "pixels"], ["DeValois1982.V1-orientation"], cache=False):
    print(outcome.subject, "|", getattr(outcome, "kind", "scored"), "|", getattr(outcome, "reason", ""))
"""


def test_without_torch_what_needs_it_says_what_to_install_and_the_rest_works():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    said = dict(line.split(" | ", 1) for line in done.stdout.splitlines()[:4])
    assert list(said) == ["gabor", "gpt2", "timm/resnet18", "a_module:f"], done.stderr
    for name, extra in zip(said, ("vision", "language", "vision", "vision"), strict=True):
        assert said[name] == f"model {name!r} needs torch; install it with: pip install 'brainmark[{extra}]'"
    gabor, pixels = done.stdout.splitlines()[4:]
    assert gabor.startswith("gabor | environment | ") and "brainmark[vision]" in gabor
    assert pixels.startswith("pixels | scored")


def test_who_needs_a_library_is_named_by_the_block_that_knows():
    inner, outer = say_what_to_install(), say_what_to_install("model 'x'")
    with pytest.raises(MissingDependency, match="model 'x' needs torch; "), outer, inner:
        raise ModuleNotFoundError("absent", name="torch")


def test_a_library_can_be_copied():
    assert copy.copy(np).mean([1.0, 3.0]) == 2.0


@pytest.mark.parametrize("name", ["somebodys_library", "torch.no_such_part", None])
def test_other_import_errors_stay_as_they_are(name):
    with pytest.raises(ModuleNotFoundError, match="absent"), say_what_to_install("it"):
        raise ModuleNotFoundError("absent", name=name)


def test_scikit_learn_goes_by_the_name_that_is_installed():
    with pytest.raises(MissingDependency, match="it needs scikit-learn; "), say_what_to_install("it"):
        raise ModuleNotFoundError("absent", name="sklearn")


def test_the_extras_bring_what_they_are_said_to_bring():
    required = [Requirement(r) for r in metadata.requires("brainmark") or ()]
    for library, extras in EXTRAS_WITH.items():
        for extra in extras:
            brought = {r.name for r in required if r.marker and r.marker.evaluate({"extra": extra})}
            assert {"sklearn": "scikit-learn", "markupsafe": "jinja2"}.get(library, library) in brought, (
                library,
                extra,
            )
