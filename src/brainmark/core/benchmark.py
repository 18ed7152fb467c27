"""Benchmarks: experiment + target + metric + ceiling + controls -> score.

Array libraries are loaded when a benchmark is made, not before: modules that register benchmarks import this one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial

from brainmark.core.cards import BenchmarkCard
from brainmark.core.comparison import Ceiling, Comparison, Metric, check_comparison
from brainmark.core.containment import contain
from brainmark.core.convention import DEFAULT, Convention
from brainmark.core.devices import compute_on, compute_where_it_fits
from brainmark.core.errors import (
    BrainmarkError,
    InvalidMeasurement,
    MethodError,
    NotApplicable,
    tell,
)
from brainmark.core.experiment import Experiment
from brainmark.core.handout import take
from brainmark.core.libraries import np, xr
from brainmark.core.measurement import average_trials, check_answer, check_measurement, with_stimulus_columns
from brainmark.core.score import Score, make_score
from brainmark.core.subject import Subject, name_of

FEW_PRESENTATIONS = 30
"""Below so many, data that vary can still be too few for a metric to have any value."""


@dataclass(frozen=True, eq=False)
class Control:
    """Something that should score badly.

    `compare` gets the benchmark and the model's answer. With `per_model` False it ignores the answer, and is
    computed once for a benchmark; with True, it may raise NotApplicable, and is then left out.
    """

    name: str
    compare: Callable[[Benchmark, xr.DataArray], Comparison]
    per_model: bool = False


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A comparison of subjects with one set of measurements.

    Attributes
    ----------
    identifier : ``<Study><Year>.<region or condition>-<metric>``.
    card : what it is about.
    experiment : what the subject is asked to do.
    target : what was measured, with its repetitions (or subjects) where they are known.
    metric : (prediction, mean target) -> comparison.
    ceiling : target -> comparison in the units of the metric; None: these data allow none.
    controls : things that should score badly, run on the same data.
    seed : of the interval.
    convention : how the values of units become one score; by default the ratio of centres, with an interval.
    """

    identifier: str
    card: BenchmarkCard
    experiment: Experiment
    target: xr.DataArray
    metric: Metric
    ceiling: Ceiling | None = None
    controls: tuple[Control, ...] = ()
    seed: int = 0
    convention: Convention = DEFAULT

    def __post_init__(self) -> None:

        check_measurement(self.target, f"target of {self.identifier!r}")
        if "presentation" not in self.target.dims:
            return
        shown = self.experiment.answered_ids
        ids = self.target.coords["stimulus_id"].values.astype(str)
        if ids.shape != shown.shape or (ids != shown).any():
            i = next(
                (i for i, (a, b) in enumerate(zip(ids, shown, strict=False)) if a != b),
                min(len(ids), len(shown)),
            )
            raise InvalidMeasurement(
                f"target of {self.identifier!r}: {len(ids)} presentations do not match {len(shown)} stimuli; "
                f"they first differ at presentation {i}"
            )

    @cached_property
    def mean_target(self) -> xr.DataArray:
        """The target averaged over repetitions that were measured."""
        return average_trials(self.target)

    @cached_property
    def ceiling_comparison(self) -> Comparison | None:
        """The ceiling, computed once."""
        ceiling = self.ceiling
        return None if ceiling is None else compute_where_it_fits(partial(ceiling, self.target), "the ceiling")

    @cached_property
    def _fixed_controls(self) -> dict[str, Comparison]:
        fixed = [c for c in self.controls if not c.per_model]
        with compute_on(precision="float32"):  # one number for all models, whatever their precision
            return {c.name: self._compare(c.name, partial(c.compare, self, self.mean_target)) for c in fixed}

    def _compare(self, control: str, compare: Callable[[], Comparison]) -> Comparison:
        """Return what the metric says of the answer, or of a control, on the device in use if it fits there."""
        what = f"the control {control!r}" if control else f"the metric {self.card.metric!r}"
        return self._check_result(compute_where_it_fits(compare, what), control)

    def _check_result(self, result: Comparison, control: str = "") -> Comparison:
        told = f" (control {control!r})" if control else ""
        return check_comparison(result, f"{self.identifier}: the metric {self.card.metric!r}{told}")

    def answer(self, subject: Subject) -> xr.DataArray:
        """Run the experiment on the subject, and check its answer, see `accept`.

        Raises
        ------
        NotApplicable, InvalidMeasurement, ModelError, ResourceError
        """
        name = name_of(subject)
        with contain(f"{name} on {self.identifier}"):
            answer = take(subject, self.experiment)
        return self.accept(answer, name)

    def accept(self, answer: xr.DataArray, name: str) -> xr.DataArray:
        """Check the answer of the subject called `name`, and average its trials.

        Raises
        ------
        InvalidMeasurement, ModelError : it breaks the contract, or holds values that are not numbers.
        """
        answer = check_answer(answer, self.experiment, name).assign_attrs(subject=name)
        if "repetition" in answer.dims:
            answer = answer.mean("repetition", keep_attrs=True)
        return with_stimulus_columns(answer, self.experiment)

    def __call__(self, subject: Subject) -> Score:
        """Score a subject.

        Raises
        ------
        NotApplicable : the subject cannot do what is asked.
        InvalidMeasurement, ModelError : its answer breaks the contract or holds values that are not numbers.
        MethodError : the metric, the ceiling or a control failed.
        """
        return self.score_answer(self.answer(subject))

    def score_answer(self, answer: xr.DataArray) -> Score:
        """Score an answer that was accepted. Raises MethodError: the metric, the ceiling or a control failed."""
        name = str(answer.attrs["subject"])
        where = f"{name} on {self.identifier}"
        self.prepare()
        with _explain_method_errors(f"{where}: the metric {self.card.metric!r} failed"):
            raw = self._compare("", partial(self.metric, answer, self.mean_target))
        if not np.isfinite(raw.array).any():
            self._check_that_something_is_defined(answer, raw)
        controls = dict(self._fixed_controls)
        for control in self.controls:
            if control.per_model:
                with _explain_method_errors(f"{where}: the control {control.name!r} failed"), suppress(NotApplicable):
                    controls[control.name] = self._compare(control.name, partial(control.compare, self, answer))
        top, names = self.ceiling_comparison, (self.identifier, name)
        return make_score(*names, raw, top, controls, self.seed, self.convention)

    def _check_that_something_is_defined(self, answer: xr.DataArray, raw: Comparison) -> None:
        """Blame the data for a comparison without a value where random numbers in place of the answer get none either.

        Raises
        ------
        InvalidMeasurement : says how many presentations there are, and what the metric notes.
        """
        numbers, presentations = self.mean_target.values, answer.sizes.get("presentation", 1)
        varies = numbers.dtype.kind not in "fiub" or (
            np.isfinite(numbers).any() and np.nanmax(numbers) > np.nanmin(numbers)
        )
        if answer.dtype.kind not in "fiub" or (varies and presentations >= FEW_PRESENTATIONS):
            return
        noise = answer.copy(data=np.random.default_rng(self.seed).random(answer.shape))
        try:
            found = self.metric(noise, self.mean_target)
        except BrainmarkError:  # no answer to this question
            return
        if not np.isfinite(found.array).any():
            why = "; ".join(found.notes)
            raise InvalidMeasurement(
                f"{self.identifier}: the metric {self.card.metric!r} is undefined for any answer to these data, which "
                f"have {presentations} presentations and {raw.values.size} units: {why}"
            )

    def prepare(self) -> None:
        """Compute what all subjects share, once: the ceiling, and the controls that do not depend on the subject."""
        with _explain_method_errors(f"{self.identifier}: the ceiling or a control failed"):
            _ = self.ceiling_comparison, self._fixed_controls


@contextmanager
def _explain_method_errors(what: str) -> Generator[None]:
    """Turn unexpected errors into a `MethodError` that names the place; errors of the package pass unchanged."""
    try:
        yield
    except (BrainmarkError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise MethodError(f"{what}: {tell(error)}") from error
