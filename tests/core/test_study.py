"""Data sets and benchmarks are registered by one call each; and what holds of all that are registered."""

from __future__ import annotations

from typing import Any

import pytest

from brainmark.core import (
    BenchmarkCard,
    Comparison,
    InvalidMeasurement,
    InvalidRegistration,
    MethodError,
    Study,
    UnknownName,
    benchmarks,
    datasets,
    metrics,
    register_benchmark,
)
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


def test_a_region_that_the_data_do_not_have_is_refused():
    entry = register_benchmark("Simulated.V4-ridge", "Simulated.IT", "ridge", summary="One", region="V4", listed=False)
    with pytest.raises(InvalidMeasurement, match=r"Simulated\.V4-ridge: no neuroid is in region 'V4' .*have IT;"):
        entry.load()


def test_an_unknown_metric_is_refused_when_the_benchmark_is_registered():
    with pytest.raises(UnknownName, match="unknown metric 'rigde'; did you mean 'ridge'"):
        register_benchmark("Simulated.IT-rigde", "Simulated.IT", "rigde", summary="One", listed=False)


def test_adapt_changes_what_the_metric_of_the_card_gets_and_no_more(monkeypatch: pytest.MonkeyPatch):
    given: list[Any] = []
    monkeypatch.setattr(MetricEntry, "load", lambda entry, **options: lambda *pair: given.append((entry.name, *pair)))
    made = register_benchmark(
        "Simulated.IT-adapted", "Simulated.IT", "cka", summary="One", listed=False, ceiling=None, controls=(),
        adapt=lambda data: lambda prediction, target: (prediction + 1, data.measurement),
    ).load()  # fmt: skip
    made.metric(made.mean_target, made.mean_target)
    ((name, prediction, target),) = given
    assert name == "cka"
    assert prediction.equals(made.mean_target + 1)
    assert "repetition" in target.dims


def test_a_metric_that_returns_a_number_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(MetricEntry, "load", lambda entry, **options: lambda prediction, target: 0.5)
    made = register_benchmark("Simulated.IT-half", "Simulated.IT", "cka", summary="One", listed=False).load()
    answer = made.mean_target.assign_attrs(subject="toy")
    with pytest.raises(MethodError, match=r"Simulated\.IT-half: the metric 'cka'.* returned a float; .*a Comparison"):
        made.score_answer(answer)


def test_a_data_set_that_returns_the_measurement_alone_is_told_what_to_return(request: pytest.FixtureRequest):
    source = datasets["Simulated.IT"].load()
    registries = request.getfixturevalue("registries")
    study = Study(
        licence="MIT", cite="majajhong2015", species="simulation", domain="vision", modality="image", simulated=True
    )
    study.dataset("Toy2001", summary="One")(lambda: source.measurement)
    with pytest.raises(InvalidRegistration, match=r"dataset 'Toy2001': .* returns a DataArray alone; return \(measure"):
        registries["dataset"]["Toy2001"].load()
    with pytest.raises(InvalidRegistration, match="DatasetCard: unknown field 'licens'; did you mean 'licence'"):
        study.dataset("Toy2002", summary="One", licens="MIT")


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("MajajHong2015public.IT-pls", "brainmark.brainscore.studies.public"),
        ("DeValois1982.V1-orientation", "brainmark.studies.devalois1982"),
    ],
)
def test_a_benchmark_is_registered_by_the_module_of_its_study(name: str, module: str):
    assert benchmarks[name].module == module
