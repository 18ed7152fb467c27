"""Without the libraries of an extra: what fails for want of them says what to install, as one error of a known kind."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement

import brainmark
from brainmark.core import MissingDependency, models
from brainmark.core.errors import EXTRAS_WITH, saying_what_to_install
from brainmark.core.lazy import attach
from brainmark.run.scoring import score_all


@pytest.fixture
def no_torch(monkeypatch):
    """As a plain ``pip install brainmark`` leaves it: torch cannot be imported, nor our modules that need it."""
    for name in [n for n in sys.modules if n == "torch" or n.startswith("brainmark.models.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.parametrize(
    ("name", "extra"),
    [("gabor", "vision"), ("gpt2", "language"), ("timm/resnet18", "vision"), ("a_module:f", "vision")],
)
def test_a_model_that_needs_torch_says_what_to_install(no_torch, name, extra):
    with pytest.raises(MissingDependency, match=rf"{name}' needs torch; .* pip install 'brainmark\[{extra}\]'"):
        brainmark.load_model(name)


def test_its_score_is_a_failure_of_the_environment_and_others_are_scored(no_torch):
    gabor, pixels = score_all(["gabor", "pixels"], ["DeValois1982.V1-orientation"], cache=False)
    assert gabor.kind == "environment" and "brainmark[vision]" in gabor.reason
    assert pixels.value >= 0


def test_a_public_name_whose_module_needs_torch_says_so(tmp_path, monkeypatch):
    package = tmp_path / "without_torch"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text("import torch_that_is_absent\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(EXTRAS_WITH, "torch_that_is_absent", ("vision",))
    getattr_, _, _ = attach("without_torch", {"nets": "Net"})
    with pytest.raises(MissingDependency, match=r"without_torch.Net needs torch_that_is_absent"):
        getattr_("Net")


@pytest.mark.parametrize("name", ["somebodys_library", "torch.no_such_part", None])
def test_other_import_errors_stay_as_they_are(name):
    with pytest.raises(ModuleNotFoundError, match="absent"), saying_what_to_install("it"):
        raise ModuleNotFoundError("absent", name=name)


def test_scikit_learn_goes_by_the_name_that_is_installed():
    with pytest.raises(MissingDependency, match="it needs scikit-learn; "), saying_what_to_install("it"):
        raise ModuleNotFoundError("absent", name="sklearn")


def test_the_extras_bring_what_they_are_said_to_bring():
    required = [Requirement(r) for r in metadata.requires("brainmark") or ()]
    for library, extras in EXTRAS_WITH.items():
        for extra in extras:
            brought = {r.name for r in required if r.marker and r.marker.evaluate({"extra": extra})}
            assert {"sklearn": "scikit-learn"}.get(library, library) in brought, (library, extra)


def test_the_four_registries_know_models_without_torch(no_torch):
    assert "gabor" in models and models["gabor"].card.domain == "vision"
