"""Data sets and benchmarks are registered by one call each; and what holds of all that are registered."""

from __future__ import annotations

from typing import Any

import pytest

from brainmark.core import BenchmarkCard, Comparison, benchmarks, datasets, metrics, register_benchmark
from brainmark.core.registry import MetricEntry


def test_every_benchmark_is_put_together_by_the_one_builder():
    """It loads the metric that the card names: `test_the_metric_on_the_card_is_computed`."""
    builder = benchmarks["Simulated.IT-ridge"].factory.__code__
    others = [e.name for e in benchmarks.entries() if e.factory.__code__ is not builder]
    assert others == []


def test_cards_name_what_is_registered():
    for entry in benchmarks.entries():
        assert entry.card.metric in metrics, entry.name
        for dataset in entry.card.datasets:
            assert dataset in datasets, entry.name


def test_the_metric_on_the_card_is_computed(monkeypatch: pytest.MonkeyPatch):
    loaded: list[tuple[str, dict[str, Any]]] = []

    def load(entry: MetricEntry, **options: Any):
        loaded.append((entry.name, options))
        return lambda prediction, target: pytest.fail("nothing is scored here")

    monkeypatch.setattr(MetricEntry, "load", load)
    entry = register_benchmark(
        "Simulated.IT-cka", "Simulated.IT", "cka", summary="Two", options={"resamples": 7}, listed=False
    )
    made = entry.load()
    assert loaded == [("cka", {"resamples": 7})]
    assert entry.card.metric == "cka"
    assert made.card is entry.card
    assert "Simulated.IT-cka" not in benchmarks


def test_a_benchmark_takes_from_its_data_set_and_its_metric_what_it_does_not_say():
    entry = register_benchmark("Simulated.IT-pls", "Simulated.IT", "pls", summary="One", listed=False)
    source = datasets["Simulated.IT"].card
    assert entry.card == BenchmarkCard(
        summary="One", licence=source.licence, cite=source.cite, domain="vision", species=("simulation",), region="IT",
        parent="simulated", datasets=("Simulated.IT",), metric="pls", simulated=True,
    )  # fmt: skip
    made = entry.load()
    assert [control.name for control in made.controls] == ["pixels", "shuffled"]
    assert made.ceiling is not None
    assert entry.module == __name__


def test_a_ceiling_and_options_may_depend_on_the_data():
    top = Comparison(datasets["Simulated.IT"].load().measurement.isel(repetition=0, presentation=0, drop=True))
    made = register_benchmark(
        "Simulated.IT-known", "Simulated.IT", "ridge", summary="One", listed=False,
        options=lambda data: {"resamples": len(data.shown)}, ceiling=lambda data: lambda target: top, controls=(),
        target=lambda data: data.mean,
    ).load()  # fmt: skip
    assert made.ceiling_comparison is top
    assert made.controls == ()
    assert "repetition" not in made.target.dims
    none = register_benchmark("None", "Simulated.IT", "ridge", summary="One", listed=False, ceiling=None).load()
    assert none.ceiling is None
