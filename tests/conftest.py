"""Fixtures that several rooms use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

from brainmark.core import BenchmarkCard, DatasetCard, MetricCard, ModelCard, registry
from brainmark.testing.shapes import check_shapes

for package in ("brainmark.metrics", "brainmark.brainscore.metrics"):  # before any of their modules is imported
    check_shapes(package)

settings.register_profile("default", deadline=None)  # how busy the machine is, is no property of the code
settings.load_profile("default")

_COMMON = {"summary": "toy", "licence": "MIT", "cite": "@misc{toy, title = {Toy}, year = {2001}}"}
_OWN: dict[str, dict[str, Any]] = {
    "model": {"domain": "vision", "family": "toy", "regions": ("V1", "IT"), "degrees": 8.0},
    "dataset": {
        "domain": "vision", "species": ("none",), "regions": ("V1",), "modality": "image", "sources": (),
        "simulated": True,
    },
    "metric": {"compares": "recordings"},
    "benchmark": {
        "domain": "vision", "species": ("none",), "region": "V1", "parent": "V1", "datasets": ("toy-data",),
        "metric": "toy-metric", "simulated": True,
    },
}  # fmt: skip
_TYPES = {"model": ModelCard, "dataset": DatasetCard, "metric": MetricCard, "benchmark": BenchmarkCard}


@pytest.fixture
def make_card() -> Callable[..., Any]:
    """make_card("model", regions=("V4",)) -> a valid card with these fields changed."""
    return lambda kind, **changes: _TYPES[kind](**{**_COMMON, **_OWN[kind], **changes})


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> dict[str, registry.Registry[Any, Any]]:
    """The four registries by kind, empty; what a test adds is forgotten after it."""
    monkeypatch.setattr(registry, "_discovered", True)
    monkeypatch.setattr(registry, "broken_plugins", {})
    four = (registry.models, registry.datasets, registry.metrics, registry.benchmarks)
    for one in four:
        monkeypatch.setattr(one, "_entries", {})
        monkeypatch.setattr(one, "_finders", [])
    return {one.kind: one for one in four}
