"""Libraries of networks are imported in one place, whatever torch lies beside them."""

from __future__ import annotations

import importlib

import pytest
import torch

from brainmark.core.errors import MissingDependency
from brainmark.models.sources import torch_libraries
from brainmark.models.sources.torch_libraries import UnusableLibrary


def test_torchvision_runs_a_network_here():
    network = torch_libraries.torchvision().models.squeezenet1_1(weights=None).eval()
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)


@pytest.mark.parametrize("name", ["torchvision", "timm", "transformers"])
def test_each_library_is_the_module_of_its_name(name):
    assert getattr(torch_libraries, name)().__name__ == name


def test_a_library_that_is_not_installed_names_the_extra(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingDependency, match=r"needs timm; install it with: pip install 'brainmark\[vision\]'"):
        torch_libraries._import("timm")


def test_a_library_whose_own_import_fails_is_not_called_missing(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'huggingface_hub'", name="huggingface_hub")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(UnusableLibrary, match=r"timm is installed, but cannot be imported: .*'huggingface_hub'"):
        torch_libraries._import("timm")


def test_operators_that_do_not_load_are_declared_and_the_import_is_tried_again(monkeypatch):
    tries = []

    def mended(name):
        tries.append(name)
        if len(tries) == 1:
            raise RuntimeError("operator torchvision::nms does not exist")
        return torch

    monkeypatch.setattr(importlib, "import_module", mended)
    monkeypatch.setattr(torch_libraries.sys, "modules", dict(torch_libraries.sys.modules))
    assert torch_libraries.torchvision.__wrapped__() is torch
    assert tries == ["torchvision"] * 2
    assert hasattr(torch.ops.torchvision, "nms")


def test_another_fault_of_torchvision_is_told(monkeypatch):
    def broken(name):
        raise RuntimeError("compiled with another CUDA")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(UnusableLibrary, match=r"compiled with another CUDA; install versions .* that belong together"):
        torch_libraries.torchvision.__wrapped__()
