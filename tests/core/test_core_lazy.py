"""Packages whose names load their module when first used."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from brainmark.core.lazy import attach


@pytest.fixture
def package(monkeypatch):
    for name, values in {
        "lazy_toy": {},
        "lazy_toy.shapes": {"Square": 4, "Circle": 0},
        "lazy_toy.deep.er": {"Cube": 6},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    return sys.modules["lazy_toy"]


def test_names_come_from_their_homes_and_stay(package):
    getattr_, dir_, all_ = attach("lazy_toy", {"shapes": "Square Circle", "deep.er": "Cube"})
    assert all_ == dir_() == ["Circle", "Cube", "Square"]
    assert getattr_("Square") == 4
    assert getattr_("Cube") == 6
    assert vars(package)["Square"] == 4  # not asked for a second time


def test_unknown_names_are_attribute_errors(package):
    getattr_, _, _ = attach("lazy_toy", {"shapes": "Square"})
    with pytest.raises(AttributeError, match="module 'lazy_toy' has no attribute 'Circle'"):
        getattr_("Circle")


def test_a_home_that_lacks_its_name_says_so(package):
    getattr_, _, _ = attach("lazy_toy", {"shapes": "Hexagon"})
    with pytest.raises(AttributeError, match="has no attribute 'Hexagon'"):
        getattr_("Hexagon")


def test_every_name_of_the_core_exists():
    from brainmark import core

    assert len(core.__all__) > 40
    for name in core.__all__:
        assert getattr(core, name) is not None, name


HEAVY = ("numpy", "pandas", "scipy", "torch", "xarray")


def loaded_by(code: str) -> list[str]:
    shown = f"import sys; {code}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    return subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "from brainmark.core import ModelCard, BenchmarkCard, DatasetCard, MetricCard, NotApplicable, Subject",
        "from brainmark.core import Benchmark, Control, control_model, shuffled",
        "from brainmark.core import Experiment, Record, Setting, Stimuli, ImageFiles",
        "from brainmark.core import models, datasets, metrics, benchmarks; [*models, *datasets, *metrics, *benchmarks]",
        "from brainmark.core import benchmarks; [e.options for e in benchmarks.entries()]",
    ],
)
def test_registering_and_listing_loads_no_array_library(code):
    assert loaded_by(code) == []


def test_the_test_above_can_fail():
    assert "numpy" in loaded_by("from brainmark.core import Score")
