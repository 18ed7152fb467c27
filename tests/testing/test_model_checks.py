"""Every check of models is failed, alone, by a model that breaks its rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import pytest
import xarray as xr

from brainmark.core import Choose, Experiment, MissingDependency, NotApplicable, Record
from brainmark.core.registry import Entry
from brainmark.testing import Case, Constant, Noise, Projection, check_model, checks_of

Alter = Callable[[xr.DataArray, Experiment, int], xr.DataArray]


@dataclass
class Altered:
    """A good model whose answers are altered; `calls` counts them."""

    alter: Alter
    identifier: str = "toy"
    calls: int = 0
    good: Projection = field(default_factory=lambda: Projection(identifier="toy"))

    def perform(self, experiment: Experiment) -> xr.DataArray:
        self.calls += 1
        return self.alter(self.good.perform(experiment), experiment, self.calls)


def good() -> Projection:
    return Projection(identifier="toy")


def altered(alter: Alter) -> Callable[[], Altered]:
    return lambda: Altered(alter)


class AnswersAll:
    """Answers what it should refuse, in one way."""

    identifier = "toy"

    def __init__(self, when: Callable[[Experiment], bool], instead: Callable[[Experiment], xr.DataArray]) -> None:
        self.when, self.instead = when, instead

    def perform(self, experiment: Experiment) -> xr.DataArray:
        return self.instead(experiment) if self.when(experiment) else good().perform(experiment)


def raise_(error: Exception) -> xr.DataArray:
    raise error


def with_nan(answer: xr.DataArray, experiment: Experiment, calls: int) -> xr.DataArray:
    answer[0, 3] = np.nan
    return answer


def sorted_by_name(answer: xr.DataArray, experiment: Experiment, calls: int) -> xr.DataArray:
    return answer.copy(data=answer.values[np.argsort(experiment.stimuli.ids)])


def adapted(answer: xr.DataArray, experiment: Experiment, calls: int) -> xr.DataArray:
    """What was seen before in the same experiment is answered half as strongly."""
    values, seen = answer.values.copy(), set()
    for i, row in enumerate(answer.values):
        values[i] *= 0.5 if row.tobytes() in seen else 1.0
        seen.add(row.tobytes())
    return answer.copy(data=values)


def marks_the_table(answer: xr.DataArray, experiment: Experiment, calls: int) -> xr.DataArray:
    experiment.stimuli.table["seen"] = 1
    return answer


def later_bins(answer: xr.DataArray, experiment: Experiment, calls: int) -> xr.DataArray:
    if "time_bin" not in answer.dims:
        return answer
    return answer.assign_coords(time_bin_end=answer.coords["time_bin_end"] + 10.0)


def one_trial_less(answer: xr.DataArray, experiment: Experiment, calls: int) -> xr.DataArray:
    trials = experiment.setting.trials
    return answer.expand_dims(repetition=trials - 1) if trials > 1 else answer


def only_fitting_sizes(answer: xr.DataArray, experiment: Experiment, calls: int) -> xr.DataArray:
    if experiment.setting.degrees is not None and experiment.setting.degrees < 8:
        raise ValueError("cannot pad")
    return answer


instances = count()


def never_the_same_instance() -> Altered:
    offset = 1e-6 * next(instances)
    return Altered(lambda answer, experiment, calls: answer + offset)


BROKEN = {
    "card_is_complete": (good, {"cite": "@misc{toy, title = {Toy}}"}),
    "factory_works": (lambda: object(), {}),
    "identifier_is_the_name": (lambda: Projection(identifier="other"), {}),
    "answers_for_its_regions": (good, {"regions": ("V1", "V4")}),
    "answers_are_finite": (altered(with_nan), {}),
    "answers_depend_on_stimuli": (altered(lambda a, e, n: a.copy(data=np.ones(a.shape))), {}),
    "same_answer_twice": (altered(lambda a, e, n: a + 1e-6 * max(n - 2, 0)), {}),  # drifts after two answers
    "new_instance_agrees": (never_the_same_instance, {}),
    "rows_follow_the_stimuli": (altered(sorted_by_name), {}),
    "one_stimulus_is_enough": (altered(lambda a, e, n: a * 2 if len(a) == 1 else a), {}),
    "equal_stimuli_give_equal_rows": (altered(adapted), {}),
    "stimuli_are_left_untouched": (altered(marks_the_table), {}),
    "time_bins_are_answered_or_refused": (altered(later_bins), {}),
    "trials_are_answered": (altered(one_trial_less), {}),
    "any_size_in_degrees": (altered(only_fitting_sizes), {}),
    "unknown_region_is_refused": (
        lambda: AnswersAll(lambda e: e.ask == Record("no-such-region"), Noise().perform),
        {},
    ),
    "other_questions_are_answered_or_refused": (
        lambda: AnswersAll(lambda e: isinstance(e.ask, Choose), Constant(0.0).perform),
        {},
    ),
    "other_stimuli_are_answered_or_refused": (
        lambda: AnswersAll(lambda e: e.stimuli.modality == "text", lambda e: raise_(TypeError("str has no shape"))),
        {},
    ),
}


def results(entry: Entry) -> dict[str, object]:
    return {check.__name__: Case(entry, check).result() for check in checks_of(entry.kind)}


def failed(entry: Entry) -> dict[str, str]:
    return {name: r.message for name, r in results(entry).items() if r.outcome == "failed"}


def test_every_check_has_a_model_that_breaks_it():
    assert list(BROKEN) == [check.__name__ for check in checks_of("model")]


@pytest.mark.parametrize("check", BROKEN)
def test_a_broken_model_fails_exactly_its_check(check, make_card):
    factory, changes = BROKEN[check]
    messages = failed(Entry("model", "toy", factory, make_card("model", **changes)))
    assert list(messages) == [check]
    assert messages[check]


@pytest.mark.parametrize("domain", ["vision", "language"])
def test_a_good_model_passes_all(domain, make_card):
    found = check_model(Entry("model", "toy", good, make_card("model", domain=domain)))
    assert len(found) == len(checks_of("model"))
    skipped = [r.message for r in found if r.outcome == "skipped"]
    assert skipped == ([] if domain == "vision" else ["stimuli are texts"])


def test_a_model_that_is_found_by_its_function_keeps_its_own_identifier(make_card):
    found = Entry("model", "mine:make_toy", good, make_card("model"), content=lambda: None)
    assert failed(found) == {}


def test_changed_pixels_are_noticed(make_card):
    def darkens(answer, experiment, calls):
        for i in range(len(experiment.stimuli)):
            experiment.stimuli.media[i][:] //= 2
        return answer

    messages = failed(Entry("model", "toy", altered(darkens), make_card("model")))
    assert "changed the content of the stimuli" in messages["stimuli_are_left_untouched"]


@pytest.mark.parametrize(
    ("factory", "check", "message"),
    [
        (lambda: 1 / 0, "factory_works", "the factory raises ZeroDivisionError: division by zero"),
        (lambda: object(), "factory_works", "what the factory makes (object) has no 'identifier'"),
        (good, "answers_for_its_regions", "the card names region 'V4', but the model refuses it: toy has no region"),
        (
            altered(lambda a, e, n: a[:2]),
            "answers_for_its_regions",
            "'presentation' has 2 entries; 3 stimuli were presented",
        ),
        (altered(with_nan), "answers_are_finite", "1 of 60 values are NaN or infinite"),
        (
            lambda: AnswersAll(lambda e: e.ask == Record("no-such-region"), lambda e: raise_(NotApplicable(" "))),
            "unknown_region_is_refused",
            "is refused without a reason",
        ),
        (
            lambda: AnswersAll(
                lambda e: e.ask == Record("no-such-region"), lambda e: raise_(KeyError("no-such-region"))
            ),
            "unknown_region_is_refused",
            "should be answered or raise NotApplicable; it raises KeyError",
        ),
        (
            lambda: AnswersAll(lambda e: isinstance(e.ask, Choose), Constant(0.0).perform),
            "other_questions_are_answered_or_refused",
            "answers Choose with images with zeros only",
        ),
        (
            altered(lambda a, e, n: a.isel(neuroid=slice(0, 5 * len(a)))),
            "one_stimulus_is_enough",
            "5 neuroids for one stimulus, 15 or others for three",
        ),
    ],
)
def test_messages_say_what_is_wrong(factory, check, message, make_card):
    card = make_card("model", regions=("V1", "V4") if factory is good else ("V1",))
    assert message in failed(Entry("model", "toy", factory, card))[check]


def test_what_is_missing_here_is_skipped_not_failed(make_card):
    def needs_torch():
        raise MissingDependency("torch", "vision", "the toy model")

    found = results(Entry("model", "toy", needs_torch, make_card("model")))
    assert found["card_is_complete"].outcome == "passed"
    rest = [r for name, r in found.items() if name != "card_is_complete"]
    assert {r.outcome for r in rest} == {"skipped"}
    assert all("pip install 'brainmark[vision]'" in r.message for r in rest)


def test_a_model_without_regions_or_test_stimuli_is_skipped_where_these_are_needed(make_card):
    for changes, reason in (({"regions": ()}, "the card names no region"), ({"domain": "audition"}, "'audition' yet")):
        found = results(Entry("model", "toy", good, make_card("model", **changes)))
        assert found["factory_works"].outcome == "passed"
        assert found["same_answer_twice"].outcome == "skipped"
        assert reason in found["same_answer_twice"].message


def test_stochastic_models_need_not_be_equivariant_but_must_be_seeded(make_card):
    def noisy(answer, experiment, calls):
        generator = np.random.default_rng(experiment.setting.seed)
        return answer + generator.standard_normal(answer.shape)

    assert "rows_follow_the_stimuli" in failed(Entry("model", "toy", altered(noisy), make_card("model")))
    assert failed(Entry("model", "toy", altered(noisy), make_card("model", tags=("stochastic",)))) == {}
