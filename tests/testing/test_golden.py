"""Golden scores: a number that changed without its version is found before it leaves scores that no longer hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from brainmark.core import convention, registry
from brainmark.metrics.regression import predictivity
from brainmark.metrics.statistics.splits import Shuffled
from brainmark.testing.golden import (
    COMMAND,
    MODELS,
    Golden,
    compute,
    explain_difference,
    group_benchmarks,
    list_all,
    read_golden,
    write_golden,
)

FILE = Path(__file__).parents[1] / "golden" / "scores.json"
KEPT = read_golden(FILE)


@pytest.mark.parametrize("name", sorted(KEPT))
def test_numbers_are_those_of_their_versions(name: str) -> None:
    assert name in list_all(), f"{name} is registered no more; write the golden numbers anew: {COMMAND}"
    assert explain_difference(name, KEPT[name], compute(name)) == ""


def test_everything_that_is_registered_has_golden_numbers() -> None:
    missing = list_all().keys() - KEPT.keys()
    assert not missing, explain_difference(sorted(missing)[0], None, Golden({}, {}))
    covered = [n for one in KEPT.values() for n in one.depends_on if n.startswith("benchmark ")]
    assert sorted(covered) == sorted(f"benchmark {n}: version" for names in group_benchmarks() for n in names)
    ours = {e.name for e in registry.models.entries() if e.module.startswith("brainmark.models.subjects")}
    families = {registry.models[name].card.family for name in MODELS}
    assert {registry.models[name].card.family for name in ours} <= families


def test_what_is_not_simulated_is_said() -> None:
    silent = [name for name, one in KEPT.items() if not one.numbers and not one.left_out]
    assert silent == []
    empty = [name for name, one in KEPT.items() if not one.numbers]
    assert all(name.startswith("benchmark Marques2020_") for name in empty), "they need gratings and textures"
    assert all(
        number is not None for name, one in KEPT.items() for label, number in one.numbers.items() if label == "value"
    )


def test_a_changed_number_of_folds_is_found_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards against a change of numbers that leaves older scores in place."""
    monkeypatch.setattr(predictivity, "TEN_FOLDS", Shuffled(8))
    told = explain_difference("metric ols", KEPT["metric ols"], compute("metric ols"))
    assert "and no version was raised" in told
    assert "raise `version` of metric ols, and write the golden numbers anew" in told
    assert told.endswith(COMMAND)


def test_a_changed_rule_for_scores_is_found_on_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convention.RatioOfCentres, "normalize", lambda self, raw, ceiling: raw.aggregate() * 1.001)
    name = next(one for one in KEPT if one.startswith("benchmark Cowley2023") and one.endswith("ridge"))
    told = explain_difference(name, KEPT[name], compute(name))
    assert "raise `version` of " in told and "scoring" in told and "metric ridge" in told


def test_a_raised_version_and_new_parameters_demand_new_numbers() -> None:
    kept = Golden({"metric m: version": "1", "metric m: folds": "5"}, {"value": 0.5})
    raised = replace(kept, depends_on={**kept.depends_on, "metric m: version": "2"}, numbers={"value": 0.6})
    told = explain_difference("metric m", kept, raised)
    assert told == f"metric m: metric m: version was 1, now 2; write the golden numbers anew: {COMMAND}"
    assert "metric m: folds was 5, now 4" in explain_difference("metric m", kept, replace(kept, depends_on={
        "metric m: version": "1", "metric m: folds": "4"}))  # fmt: skip
    assert explain_difference("metric m", kept, kept) == ""
    assert explain_difference("metric m", None, kept).startswith("metric m has no golden numbers yet; write them: ")


@pytest.mark.parametrize(
    ("number", "same"), [(0.5 + 1e-8, True), (0.5 + 1e-5, False), (None, False), (0.0, False), (-0.5, False)]
)
def test_numbers_may_differ_by_rounding_alone(number: float | None, same: bool) -> None:
    kept = Golden({"metric m: version": "1"}, {"value": 0.5})
    assert (explain_difference("metric m", kept, replace(kept, numbers={"value": number})) == "") == same
    assert explain_difference("metric m", kept, replace(kept, numbers={})) != ""
    assert explain_difference("metric m", replace(kept, numbers={"value": None}), kept) != ""


def test_a_file_comes_back_as_it_was(tmp_path: Path) -> None:
    found = {
        "metric b": Golden({"a": "1"}, {"value": 0.1, "low": None}, ("ceiling: none",)),
        "metric a": Golden({}, {}),
    }
    write_golden(tmp_path / "a.json", found)
    assert read_golden(tmp_path / "a.json") == found
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["metric a", "metric b"]
