"""Answers kept in memory while several benchmarks put the same experiment to the same subject."""

from __future__ import annotations

from collections import OrderedDict

from brainmark.core.experiment import Experiment
from brainmark.core.libraries import xr
from brainmark.core.subject import Subject


class Answers:
    """The most recent answers, up to `budget` bytes; the oldest go first.

    `Subject.perform` is pure, so an answer stands for every experiment that asks the same about the same stimuli under
    the same names. Whoever keeps answers keeps their subjects too: they are told apart as objects.
    """

    def __init__(self, budget: int = 2 * 2**30) -> None:
        self.budget = budget
        self._kept: OrderedDict[tuple[int, str, tuple[str, ...]], xr.DataArray] = OrderedDict()

    def of(self, subject: Subject, identifier: str) -> Subject:
        """Return the subject, called `identifier`, asked only once for each experiment."""
        return _Remembered(subject, identifier, self)

    def get(self, subject: Subject, experiment: Experiment) -> xr.DataArray:
        """Return the answer of `subject`, kept or new."""
        key = (id(subject), *experiment.asked)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key].copy(deep=False)
        answer = subject.perform(experiment)
        if not isinstance(answer, xr.DataArray):  # pyright: ignore[reportUnnecessaryIsInstance]
            return answer  # refused, with its type, by whoever checks it
        self._kept[key] = answer
        while len(self._kept) > 1 and sum(a.nbytes for a in self._kept.values()) > self.budget:
            self._kept.popitem(last=False)
        return answer.copy(deep=False)


class _Remembered:
    def __init__(self, subject: Subject, identifier: str, answers: Answers) -> None:
        self.identifier = identifier
        self._subject, self._answers = subject, answers

    def perform(self, experiment: Experiment) -> xr.DataArray:
        return self._answers.get(self._subject, experiment)
