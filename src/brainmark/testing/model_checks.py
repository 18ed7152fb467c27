"""Checks of a registered model. Each takes the model under test; its first line is shown to the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from brainmark.core.cards import ModelCard
from brainmark.core.errors import InvalidMeasurement, ModelError, NotApplicable
from brainmark.core.experiment import (
    Ask,
    Choose,
    Decide,
    Experiment,
    Match,
    Move,
    NextWord,
    OddOneOut,
    Prefer,
    Rate,
    Read,
    Record,
    Setting,
)  # fmt: skip
from brainmark.core.libraries import np, xr
from brainmark.core.measurement import check_answer
from brainmark.core.registry import models
from brainmark.core.stimuli import Stimuli
from brainmark.core.subject import Subject
from brainmark.core.vocabulary import DOMAINS, MODALITIES
from brainmark.testing.card_checks import card_is_complete
from brainmark.testing.examples import images, repeat, texts
from brainmark.testing.outcome import CheckFailed, CheckSkipped, UnderTest, describe, fail_if

_TIME_BINS = ((50.0, 100.0), (100.0, 150.0))
_TOLERANCE = 1e-3  # of the largest answer: batches of other sizes may round differently


class ModelUnderTest(UnderTest[Subject, ModelCard]):
    """A model, made once, and its answers to a small experiment for every region on its card."""

    @property
    def subject(self) -> Subject:
        """The model; checks that need it are skipped if it cannot be made."""
        if isinstance(self.product, Exception):
            raise CheckSkipped(f"the model cannot be made: {describe(self.product)}")
        if not isinstance(self.product, Subject):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise CheckSkipped("the factory makes no subject")
        return self.product

    @cached_property
    def stimuli(self) -> Stimuli:
        """Three small stimuli of the modality of the model's domain."""
        make = MODALITIES[DOMAINS[self.card.domain]]
        if make is None:
            raise CheckSkipped(f"there are no test stimuli for the domain {self.card.domain!r} yet")
        return make(3)

    def perform(self, stimuli: Stimuli, ask: Ask, setting: Setting | None = None) -> xr.DataArray:
        """Return the checked answer of the model."""
        experiment = Experiment(stimuli, ask, setting or Setting())
        return check_answer(self.subject.perform(experiment), experiment, self.entry.name)

    @cached_property
    def first(self) -> dict[str, xr.DataArray | Exception]:
        """By region on the card: the answer, or what went wrong."""
        found: dict[str, xr.DataArray | Exception] = {}
        for region in self.card.regions:
            try:
                found[region] = self.perform(self.stimuli, Record(region))
            except CheckSkipped:
                raise
            except Exception as error:  # noqa: BLE001 - `answers_for_its_regions` reports it
                found[region] = error
        if not found:
            raise CheckSkipped("the card names no region")
        return found

    def answers(self) -> Iterator[tuple[str, xr.DataArray]]:
        """Yield region and answer where there is a valid one; skip the check if there is none."""
        valid = {r: a for r, a in self.first.items() if not isinstance(a, Exception)}
        if not valid:
            raise CheckSkipped("no valid answer to start from")
        yield from valid.items()

    def region(self) -> str:
        """Return the first region that the model answers for."""
        return next(iter(self.answers()))[0]

    def last(self) -> tuple[str, xr.DataArray]:
        """Return the last region that the model answers for, which rests on most of it, and the answer."""
        return list(self.answers())[-1]


def factory_works(model: ModelUnderTest) -> None:
    """The factory makes something that has `identifier` and `perform`."""
    made = model.product
    fail_if(isinstance(made, Exception), f"the factory raises {describe(made)}" if isinstance(made, Exception) else "")
    for name in ("identifier", "perform"):
        fail_if(not hasattr(made, name), f"what the factory makes ({type(made).__name__}) has no {name!r}")


def identifier_is_the_name(model: ModelUnderTest) -> None:
    """The identifier of the model is the name under which it is registered; a function's subject keeps its own."""
    given = model.subject.identifier
    if given and model.entry.content is not None and model.entry.name not in models:  # found by what it is
        return
    fail_if(given != model.entry.name, f"identifier is {given!r}; the model is registered as {model.entry.name!r}")


def answers_for_its_regions(model: ModelUnderTest) -> None:
    """Every region on the card gives a valid measurement of three stimuli of different sizes."""
    for region, answer in model.first.items():
        if isinstance(answer, NotApplicable):
            raise CheckFailed(f"the card names region {region!r}, but the model refuses it: {answer}")
        if isinstance(answer, Exception) and not isinstance(answer, ModelError):
            raise CheckFailed(f"region {region!r}: {describe(answer)}")


def answers_are_finite(model: ModelUnderTest) -> None:
    """No answer holds NaN or infinite values."""
    for region, answer in model.first.items():
        fail_if(isinstance(answer, ModelError), f"region {region!r}: {answer}")


def answers_depend_on_stimuli(model: ModelUnderTest) -> None:
    """Different stimuli give different answers (a model that cannot answer says so; it never returns zeros)."""
    for region, answer in model.answers():
        rows = answer.transpose("presentation", ...).values.reshape(answer.sizes["presentation"], -1)
        fail_if(bool((rows == rows[:1]).all()), f"region {region!r}: the same answer to every stimulus")


def same_answer_twice(model: ModelUnderTest) -> None:
    """The same experiment gives the same bits again."""
    region, answer = model.last()
    _same_bits(answer, model.perform(model.stimuli, Record(region)), f"region {region!r}, asked again")


def new_instance_agrees(model: ModelUnderTest) -> None:
    """A second model from the factory gives the same bits."""
    region, answer = model.last()
    again = ModelUnderTest(model.entry)
    _same_bits(answer, again.perform(model.stimuli, Record(region)), f"region {region!r}, made again")


def rows_follow_the_stimuli(model: ModelUnderTest) -> None:
    """Stimuli in another order give the same rows in that order."""
    _skip_stochastic(model)
    order = [2, 0, 1]
    region, answer = model.last()
    moved = model.perform(model.stimuli.take(order), Record(region))
    _close(answer.isel(presentation=order), moved, f"region {region!r}, stimuli in another order")


def one_stimulus_is_enough(model: ModelUnderTest) -> None:
    """A stimulus shown alone gives the same row as among others, from the same neuroids."""
    _skip_stochastic(model)
    region, answer = model.last()
    alone = model.perform(model.stimuli.take([1]), Record(region))
    if alone.sizes["neuroid"] != answer.sizes["neuroid"] or _ids(alone) != _ids(answer):
        raise CheckFailed(
            f"region {region!r}: {alone.sizes['neuroid']} neuroids for one stimulus, "
            f"{answer.sizes['neuroid']} or others for three; neuroids may not depend on the stimuli"
        )
    _close(answer.isel(presentation=[1]), alone, f"region {region!r}, one stimulus alone")


def equal_stimuli_give_equal_rows(model: ModelUnderTest) -> None:
    """A stimulus that is shown twice under two names gives two equal rows."""
    _skip_stochastic(model)
    region = model.region()
    answer = model.perform(repeat(model.stimuli, [1, 0, 1]), Record(region))
    _close(answer.isel(presentation=[0]), answer.isel(presentation=[2]), f"region {region!r}, the same stimulus twice")


def stimuli_are_left_untouched(model: ModelUnderTest) -> None:
    """Neither media nor table of the stimuli are changed."""
    region = model.region()
    shown = images(seed=1) if model.stimuli.modality == "image" else Stimuli(**vars(model.stimuli))
    digest, table = shown.digest, shown.table.copy()
    model.perform(shown, Record(region))
    after = Stimuli(shown.identifier, shown.modality, shown.table, shown.media)
    fail_if(after.digest != digest, "the model changed the content of the stimuli; let it work on a copy")
    fail_if(not after.table.equals(table), "the model changed the table of the stimuli; let it work on a copy")


def time_bins_are_answered_or_refused(model: ModelUnderTest) -> None:
    """Asked for time bins, the model answers for exactly these, or raises NotApplicable."""
    _answer_or_reason(model, model.stimuli, Record(model.region(), _TIME_BINS))


def trials_are_answered(model: ModelUnderTest) -> None:
    """Asked for three trials, the model gives one answer (no noise) or three repetitions."""
    region = model.region()
    answer = _answer_or_reason(model, model.stimuli, Record(region), Setting(trials=3))
    if not isinstance(answer, str):
        given = answer.sizes.get("repetition", 1)
        fail_if(given not in (1, 3), f"asked for 3 trials, the answer has {given} repetitions")


def any_size_in_degrees(model: ModelUnderTest) -> None:
    """Images narrower and wider than the field of view are answered or refused."""
    if model.stimuli.modality != "image":
        raise CheckSkipped(f"stimuli are {model.stimuli.modality}s")
    region, field_of_view = model.region(), model.card.degrees or 8.0
    for factor in (0.5, 1.5):
        _answer_or_reason(model, model.stimuli, Record(region), Setting(degrees=factor * field_of_view))


def unknown_region_is_refused(model: ModelUnderTest) -> None:
    """A region that no brain has raises NotApplicable with a reason."""
    answer = _answer_or_reason(model, model.stimuli, Record("no-such-region"))
    fail_if(not isinstance(answer, str), "region 'no-such-region' is answered; raise NotApplicable with the reason")


def other_questions_are_answered_or_refused(model: ModelUnderTest) -> None:
    """Every other question gives a valid answer, or NotApplicable with a reason; never zeros."""
    six = repeat(model.stimuli, [0, 1, 2, 2, 1, 0])
    questions: tuple[Ask, ...] = (
        Choose(("ant", "bee")), OddOneOut(), Match(), Prefer(), Read("reading_time"), Read("surprisal"), NextWord(),
        Rate("How pleasant?", 1, 7), Move(("hand",), "mm"), Decide(("left", "right")),
    )  # fmt: skip
    for ask in questions:
        _answer_or_reason(model, six, ask)


def other_stimuli_are_answered_or_refused(model: ModelUnderTest) -> None:
    """Stimuli of another modality give a valid answer, or NotApplicable with a reason."""
    region = model.region()
    other = texts() if model.stimuli.modality == "image" else images()
    _answer_or_reason(model, other, Record(region))


def _answer_or_reason(
    model: ModelUnderTest, stimuli: Stimuli, ask: Ask, setting: Setting | None = None
) -> xr.DataArray | str:
    """The valid answer, or the reason of NotApplicable; anything else fails the check."""
    asked = f"{type(ask).__name__} with {stimuli.modality}s"
    subject = model.subject
    try:
        answer = model.perform(stimuli, ask, setting)
    except NotApplicable as refusal:
        fail_if(not str(refusal).strip(), f"{asked} is refused without a reason: NotApplicable('...why...')")
        return str(refusal)
    except InvalidMeasurement as error:
        raise CheckFailed(f"{asked}: {error}") from error
    except Exception as error:
        raise CheckFailed(f"{asked} should be answered or raise NotApplicable; it raises {describe(error)}") from error
    zeros = answer.dtype.kind in "fiu" and answer.size > 1 and not answer.values.any()
    fail_if(zeros and not isinstance(ask, OddOneOut), f"{subject.identifier} answers {asked} with zeros only")
    return answer


def _skip_stochastic(model: ModelUnderTest) -> None:
    if "stochastic" in model.card.tags:
        raise CheckSkipped("the card says that answers are stochastic")


def _ids(answer: xr.DataArray) -> list[str]:
    return answer.coords["neuroid_id"].values.astype(str).tolist()


def _same_bits(first: xr.DataArray, second: xr.DataArray, where: str) -> None:
    fail_if(first.dims != second.dims, f"{where}: dimensions {second.dims} instead of {first.dims}")
    fail_if(first.shape != second.shape, f"{where}: shape {second.shape} instead of {first.shape}")
    differ = int((first.values != second.values).sum())
    fail_if(differ > 0, f"{where}: {differ} of {first.size} values differ; seed what is random")


def _close(expected: xr.DataArray, given: xr.DataArray, where: str) -> None:
    fail_if(given.shape != expected.shape, f"{where}: shape {given.shape} instead of {expected.shape}")
    left, right = np.asarray(expected.values, float), np.asarray(given.values, float)
    scale, off = float(np.abs(left).max()), float(np.abs(left - right).max())
    fail_if(off > _TOLERANCE * scale, f"{where}: answers differ by {off:.3g} where the largest is {scale:.3g}")


CHECKS: tuple[Callable[[Any], None], ...] = (
    card_is_complete,
    factory_works,
    identifier_is_the_name,
    answers_for_its_regions,
    answers_are_finite,
    answers_depend_on_stimuli,
    same_answer_twice,
    new_instance_agrees,
    rows_follow_the_stimuli,
    one_stimulus_is_enough,
    equal_stimuli_give_equal_rows,
    stimuli_are_left_untouched,
    time_bins_are_answered_or_refused,
    trials_are_answered,
    any_size_in_degrees,
    unknown_region_is_refused,
    other_questions_are_answered_or_refused,
    other_stimuli_are_answered_or_refused,
)
