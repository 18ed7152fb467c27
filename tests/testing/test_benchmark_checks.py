"""Every check of benchmarks is failed, alone, by a benchmark that breaks its rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from brainmark.core import Benchmark, Comparison, Control, Experiment, Record, Source, shuffled
from brainmark.core.registry import Entry
from brainmark.testing import Case, Echo, Failing, Noise, Refusing, check_benchmark, checks_of
from brainmark.testing.examples import metric_example

EXAMPLE = metric_example("recordings")


def numbered(target: xr.DataArray):
    import pandas as pd

    from brainmark.core import Stimuli

    ids = pd.Index(target.stimulus_id.values, name="stimulus_id")
    return Stimuli("toy", "text", pd.DataFrame({"text": ids.to_numpy()}, index=ids))


def best_match(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
    """Each neuroid's correlation with the unit at its place, modulo the number of units."""
    x, y = prediction.transpose("presentation", "neuroid").values, target.transpose("presentation", "neuroid").values
    x = x[:, np.arange(y.shape[1]) % x.shape[1]]
    values = ((x - x.mean(0)) * (y - y.mean(0))).mean(0) / (x.std(0) * y.std(0))
    return Comparison(
        xr.DataArray(values, dims="neuroid", coords={"neuroid_id": ("neuroid", target.neuroid_id.values)})
    )


def ceiling(target: xr.DataArray, value: float = 0.9) -> Comparison:
    return Comparison(xr.full_like(target.isel(presentation=0), value, dtype=float))


@pytest.fixture(autouse=True)
def parts(registries, make_card):
    registries["dataset"].add("toy-data", card=make_card("dataset"))(lambda: None)
    registries["metric"].add("toy-metric", card=make_card("metric"))(lambda: best_match)


@pytest.fixture
def build(make_card) -> Callable[..., Benchmark]:
    def make(kind: type[Benchmark] = Benchmark, **changes: Any) -> Benchmark:
        fields = {
            "identifier": "toy",
            "card": make_card("benchmark"),
            "experiment": Experiment(numbered(EXAMPLE.target), Record("V1")),
            "target": EXAMPLE.target,
            "metric": best_match,
            "ceiling": ceiling,
            "controls": (shuffled(),),
        }
        return kind(**{**fields, **changes})

    return make


class Trusting(Benchmark):
    """Takes every answer as it is."""

    def accept(self, answer, name):
        return answer.assign_attrs(subject=name)


def fails(prediction, target):
    raise KeyError("orientation")


def high(prediction, target):
    return replace(c := best_match(prediction, target), values=c.values * 0 + 0.8)


def no_number(prediction, target):
    return replace(best_match(prediction, target), details={"alpha": np.float32(1)})


def unseeded(prediction, target):
    found = best_match(prediction, target)
    return replace(found, values=found.values + 1e-9 * np.random.default_rng().uniform(1, 2, found.values.size))


def by_chance(prediction, target):
    """Draws that move further than the ceiling."""
    found = best_match(prediction, target)
    return replace(found, replicates=np.random.default_rng(0).normal(0, 3, (40, 1)) + found.array)


def halves(target):
    """A ceiling where one trial correlates with another, which happens by chance."""
    first, second = target.isel(repetition=0).values, target.isel(repetition=1).values
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(first.T, second.T, strict=True)]
    values = xr.DataArray(np.where(np.array(r) > 0, 0.9, np.nan), dims="neuroid")
    return Comparison(values, replicates=np.full((20, len(r)), np.nan))


noise = xr.concat([EXAMPLE.target] * 2, "repetition").transpose("presentation", "neuroid", "repetition")
noise = noise.copy(data=np.random.default_rng(5).standard_normal(noise.shape))

floor = Control("floor", lambda benchmark, answer: replace(c := ceiling(benchmark.target), values=c.values * 0))

BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # changes of the benchmark, changes of its card
    "card_is_complete": ({}, {"cite": "@misc{toy, title = {Toy}}"}),
    "names_on_the_card_exist": ({}, {"parent": "toy"}),
    "loads": ({"target": EXAMPLE.target[1:]}, {}),
    "identifier_is_the_name": ({"identifier": "other"}, {}),
    "card_is_the_registered_one": ({"card": "other"}, {}),
    "has_controls": ({"controls": ()}, {}),
    "ceiling_is_plausible": ({"ceiling": lambda target: ceiling(target, 1.5)}, {}),
    "ceiling_is_above_chance": ({"target": noise, "ceiling": halves}, {}),
    "scores_random_answers": ({"metric": fails}, {}),
    "random_answers_score_low": ({"metric": high, "controls": (floor,)}, {}),
    "data_can_tell": ({"metric": by_chance}, {}),
    "score_survives_json": ({"metric": no_number}, {}),
    "same_score_twice": ({"metric": unseeded}, {}),
    "same_content_twice": ({"target": "fresh noise"}, {}),
    "broken_answers_are_refused": ({"kind": Trusting}, {}),
}


@pytest.fixture
def entry(build, make_card) -> Callable[..., Entry]:
    def make(changes: dict[str, Any], on_card: dict[str, Any]) -> Entry:
        card = make_card("benchmark", **on_card)
        given = make_card("benchmark", summary="another") if changes.get("card") else card

        def factory() -> Benchmark:
            target = changes.get("target", EXAMPLE.target)
            if isinstance(target, str):
                target = EXAMPLE.target.copy(data=np.random.default_rng().standard_normal(EXAMPLE.target.shape))
            return build(**{**changes, "card": given, "target": target})

        return Entry("benchmark", "toy", factory, card)

    return make


def results(entry: Entry) -> dict[str, Any]:
    return {check.__name__: Case(entry, check).result() for check in checks_of("benchmark")}


def failed(entry: Entry) -> dict[str, str]:
    return {name: r.message for name, r in results(entry).items() if r.outcome == "failed"}


def test_every_check_has_a_benchmark_that_breaks_it():
    only_skips = {"files_are_at_hand"}
    assert [*BROKEN] == [c.__name__ for c in checks_of("benchmark") if c.__name__ not in only_skips]


@pytest.mark.parametrize("check", BROKEN)
def test_a_broken_benchmark_fails_exactly_its_check(check, entry):
    messages = failed(entry(*BROKEN[check]))
    assert list(messages) == [check]
    assert messages[check]


def test_a_good_benchmark_passes_all(entry):
    assert {r.outcome for r in check_benchmark(entry({}, {}))} == {"passed"}


def test_a_benchmark_without_ceiling_skips_only_that(entry):
    found = results(entry({"ceiling": None}, {}))
    assert [name for name, r in found.items() if r.outcome != "passed"] == ["ceiling_is_plausible"]


def test_missing_data_skip_what_needs_them(entry, registries, make_card, monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BRAINMARK_MIRROR", raising=False)
    lost = Source(url="https://example.org/toy/rates.npy", sha256="0" * 64, size=10)
    card = make_card("dataset", sources=(lost,), simulated=False)
    registries["dataset"].add("real-data", card=card)(lambda: None)
    found = results(entry({}, {"datasets": ("real-data",), "simulated": False}))
    passed = [name for name, r in found.items() if r.outcome == "passed"]
    assert passed == ["card_is_complete", "names_on_the_card_exist"]
    assert {r.outcome for name, r in found.items() if name not in passed} == {"skipped"}
    assert "real-data: https://example.org/toy/rates.npy missing" in found["files_are_at_hand"].message


@pytest.mark.parametrize(
    ("changes", "on_card", "check", "message"),
    [
        ({}, {"metric": "nope"}, "names_on_the_card_exist", "the metric 'nope', which is not registered"),
        ({}, {"datasets": ("nope",)}, "names_on_the_card_exist", "the dataset 'nope', which is not registered"),
        ({}, {"superseded_by": "nope"}, "names_on_the_card_exist", "superseded_by names 'nope'"),
        ({}, {"simulated": False}, "names_on_the_card_exist", "simulated=False, its datasets say True"),
        ({"target": EXAMPLE.target[1:]}, {}, "loads", "95 presentations do not match 96 stimuli"),
        (
            {"ceiling": lambda t: ceiling(t, np.nan)},
            {},
            "ceiling_is_plausible",
            "these data have no ceiling: it is undefined for all units",
        ),
        ({"ceiling": lambda t: 1 / 0}, {}, "ceiling_is_plausible", "the ceiling raises ZeroDivisionError"),
        ({"controls": (floor, floor)}, {}, "has_controls", "two controls have one name: floor, floor"),
        ({"metric": fails}, {}, "scores_random_answers", "random answers raise MethodError"),
        ({"kind": Trusting}, {}, "broken_answers_are_refused", "the truncated subject is not refused"),
    ],
)
def test_messages_say_what_is_wrong(changes, on_card, check, message, entry):
    assert message in failed(entry(changes, on_card))[check]


def test_random_answers_without_any_value_are_no_fault(entry):
    def undefined(prediction, target):
        return replace(c := best_match(prediction, target), values=c.values * np.nan)

    found = results(entry({"metric": undefined, "controls": (floor,)}, {}))
    assert found["scores_random_answers"].outcome == "passed"
    assert found["random_answers_score_low"].outcome == "skipped"


def test_the_echo_of_the_target_reaches_the_top_and_noise_does_not(build):
    benchmark = build()
    assert benchmark(Echo(EXAMPLE.target)).raw == pytest.approx(1.0)
    assert abs(benchmark(Noise()).raw) < 0.2


def test_subjects_that_refuse_or_fail_are_told_apart(build):
    from brainmark.core import ModelError, NotApplicable

    with pytest.raises(NotApplicable, match="takes part in nothing"):
        build()(Refusing())
    with pytest.raises(ModelError, match="failing on toy: ValueError: this subject always fails"):
        build()(Failing())
