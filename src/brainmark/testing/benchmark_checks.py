"""Checks of a registered benchmark. Benchmarks without local data are skipped; nothing is downloaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

from brainmark.core.benchmark import Benchmark
from brainmark.core.cards import BenchmarkCard
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement, ModelError
from brainmark.core.libraries import np, xr
from brainmark.core.registry import benchmarks, datasets, metrics
from brainmark.core.score import Score
from brainmark.testing.card_checks import card_is_complete
from brainmark.testing.dataset_checks import DatasetUnderTest, content_digest
from brainmark.testing.outcome import CheckFailed, CheckSkipped, DataUnderTest, attempt, describe, fail_if
from brainmark.testing.subjects import Misnamed, Noise, Truncated, Undefined

_SCATTER = 3.0  # correlations of unrelated things over n stimuli scatter by 1 / sqrt(n)
_BEYOND_DOUBT = 0.95  # share of draws of stimuli under which units have a ceiling: there is a signal
_MIXED = 8  # times that stimuli are mixed up to see what ceiling there is without a signal
_HIGHEST_CEILING = 1.2  # a ceiling is estimated, and may exceed 1 by its error


class BenchmarkUnderTest(DataUnderTest[Benchmark, BenchmarkCard]):
    """A benchmark, made once, and the score of a subject that answers at random."""

    @cached_property
    def missing(self) -> str:
        """Which data are not on this machine; empty if all are there."""
        known = [name for name in self.card.datasets if datasets.get(name)]
        lost = {name: DatasetUnderTest(datasets[name]).missing for name in known}
        return "; ".join(f"{name}: {files}" for name, files in lost.items() if files)

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark; checks that need it are skipped if it does not load."""
        if not isinstance(self.product, Benchmark):
            raise CheckSkipped("the benchmark does not load")
        return self.product

    @cached_property
    def outcome(self) -> Score | Exception:
        """The score of random answers, or the error in its place."""
        benchmark = self.benchmark
        return attempt(lambda: benchmark(Noise()))

    @property
    def score(self) -> Score:
        """The score of random answers; checks that need it are skipped if there is none."""
        if isinstance(self.outcome, Exception):
            raise CheckSkipped(f"random answers get no score: {describe(self.outcome)}")
        return self.outcome


def names_on_the_card_exist(benchmark: BenchmarkUnderTest) -> None:
    """Datasets and metric on the card are registered; the parent is another node."""
    card, name = benchmark.card, benchmark.entry.name
    for dataset in card.datasets:
        fail_if(datasets.get(dataset) is None, f"the card names the dataset {dataset!r}, which is not registered")
    fail_if(card.metric not in metrics, f"the card names the metric {card.metric!r}, which is not registered")
    fail_if(card.parent == name, f"the benchmark {name!r} is its own parent")
    after = card.superseded_by
    fail_if(after == name or (after is not None and after not in benchmarks), f"superseded_by names {after!r}")
    simulated = all(datasets[d].card.simulated for d in card.datasets)
    fail_if(simulated != card.simulated, f"the card says simulated={card.simulated}, its datasets say {simulated}")


def files_are_at_hand(benchmark: BenchmarkUnderTest) -> None:
    """The files of its datasets are in the cache or a mirror (skipped if not: the other checks need them)."""
    if benchmark.missing:
        raise CheckSkipped(benchmark.missing)


def loads(benchmark: BenchmarkUnderTest) -> None:
    """The factory makes a Benchmark."""
    product = benchmark.product
    if isinstance(product, Exception):
        raise CheckFailed(f"loading raises {describe(product)}")
    fail_if(not isinstance(product, Benchmark), f"the factory makes a {type(product).__name__}, not a Benchmark")


def identifier_is_the_name(benchmark: BenchmarkUnderTest) -> None:
    """The identifier of the benchmark is the name under which it is registered."""
    given = benchmark.benchmark.identifier
    fail_if(given != benchmark.entry.name, f"identifier is {given!r}; it is registered as {benchmark.entry.name!r}")


def card_is_the_registered_one(benchmark: BenchmarkUnderTest) -> None:
    """The benchmark carries the card under which it is registered."""
    fail_if(benchmark.benchmark.card != benchmark.card, "the benchmark has another card than the registry")


def has_controls(benchmark: BenchmarkUnderTest) -> None:
    """The benchmark has at least one control, and each has its own name."""
    names = [c.name for c in benchmark.benchmark.controls]
    fail_if(not names, "no controls; a shuffled answer costs one line: controls=(shuffled(),)")
    fail_if(len(set(names)) < len(names), f"two controls have one name: {', '.join(names)}")


def ceiling_is_plausible(benchmark: BenchmarkUnderTest) -> None:
    """The ceiling, where there is one, is finite, above 0, and at most 1.2."""
    if benchmark.benchmark.ceiling is None:
        raise CheckSkipped("the benchmark has no ceiling")
    try:
        comparison = benchmark.benchmark.ceiling_comparison
    except Exception as error:
        raise CheckFailed(f"the ceiling raises {describe(error)}") from error
    top = np.nan if comparison is None else comparison.aggregate()
    why = "" if comparison is None else "; ".join(comparison.notes)
    fail_if(np.isnan(top), f"these data have no ceiling: it is undefined for all units ({why})")
    fail_if(not 0.0 < top <= _HIGHEST_CEILING, f"the ceiling is {top:.3g}; it should lie above 0 and at most at 1.2")


def ceiling_is_above_chance(benchmark: BenchmarkUnderTest) -> None:
    """The ceiling is higher than that of trials (or people) whose stimuli are mixed up: these data have a signal."""
    loaded = benchmark.benchmark
    top = attempt(lambda: loaded.ceiling_comparison)
    if not isinstance(top, Comparison) or loaded.ceiling is None:
        return
    drawn = top.replicates
    if np.isfinite(top.array).all() and (drawn is None or np.isfinite(drawn).mean() > _BEYOND_DOUBT):
        return
    over = next((dim for dim in ("repetition", "subject") if loaded.target.sizes.get(dim, 1) > 1), None)
    if over is None or "presentation" not in loaded.target.dims or "other" in loaded.target.dims:
        return
    mixed = [_add_up(loaded.ceiling(_mix_stimuli(loaded.target, over, seed))) for seed in range(_MIXED)]
    found, by_chance = _add_up(top), float(np.mean(mixed) + 2 * np.std(mixed))
    fail_if(
        found <= by_chance,
        f"the mean ceiling is {found:.2f} (0 for units without one), and up to {by_chance:.2f} where stimuli are mixed "
        "up: these data have no reliable signal, and cannot tell anything; record more trials or stimuli",
    )


def _add_up(ceiling: Comparison) -> float:
    """Return the mean over units, 0 for those without a ceiling."""
    return float(np.nan_to_num(ceiling.array).mean())


def _mix_stimuli(target: xr.DataArray, over: str, seed: int) -> xr.DataArray:
    """Give each trial (or person) the stimuli in an order of its own."""
    generator = np.random.default_rng(seed)
    values = target.transpose(over, "presentation", ...).values
    mixed = np.stack([one[generator.permutation(len(one))] for one in values])
    return target.transpose(over, "presentation", ...).copy(data=mixed).transpose(*target.dims)


def scores_random_answers(benchmark: BenchmarkUnderTest) -> None:
    """A subject that answers at random gets a score, or a clear statement that it has none."""
    outcome = benchmark.outcome
    if isinstance(outcome, Exception) and not isinstance(outcome, ModelError):
        raise CheckFailed(f"random answers raise {describe(outcome)}")


def random_answers_score_low(benchmark: BenchmarkUnderTest) -> None:
    """Random answers score below the ceiling, and near the controls or the chance level of the metric."""
    score = benchmark.score
    top = 1.0 if score.ceiling is None else score.ceiling
    fail_if(not score.raw < top, f"random answers score {score.raw:.3f}, the ceiling is {top:.3f}")
    card = metrics[benchmark.card.metric].card if benchmark.card.metric in metrics else None
    if card is None or card.chance is None:
        return
    highest = max([card.chance, *(c.raw for c in score.controls.values())])
    by_chance = _SCATTER / np.sqrt(len(benchmark.benchmark.experiment.stimuli))
    allowed = highest + max(0.25 * (top - highest), by_chance)
    fail_if(score.raw > allowed, f"random answers score {score.raw:.3f}, the best control {highest:.3f} of {top:.3f}")


def data_can_tell(benchmark: BenchmarkUnderTest) -> None:
    """Chance alone does not reach the ceiling: a model can be told from random answers."""
    score = benchmark.score
    card = metrics[benchmark.card.metric].card if benchmark.card.metric in metrics else None
    if card is None or card.chance is None or score.raw_interval is None:
        return
    top = 1.0 if score.ceiling is None else score.ceiling
    reach = card.chance + (score.raw_interval[1] - score.raw_interval[0]) / 2
    stimuli = len(benchmark.benchmark.experiment.answered_ids)
    fail_if(
        reach >= top,
        f"chance alone reaches {reach:.2f} with these {stimuli} presentations (half of the 95 % interval of random "
        f"answers), and the ceiling is {top:.2f}: no model can be told from chance; record more stimuli or trials",
    )


def score_survives_json(benchmark: BenchmarkUnderTest) -> None:
    """The score goes through JSON and comes back the same, without NaN."""
    score = benchmark.score
    try:
        text = json.dumps(score.to_dict(), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckFailed(f"the score cannot be written as JSON: {error}") from error
    back = Score.from_dict(json.loads(text), score.units)
    fail_if(back.to_dict() != score.to_dict(), "the score read from JSON differs from the one written")


def same_score_twice(benchmark: BenchmarkUnderTest) -> None:
    """The same subject gets the same score again."""
    first, second = benchmark.score.to_dict(), benchmark.benchmark(Noise()).to_dict()
    differ = [k for k in first if repr(first[k]) != repr(second[k])]  # repr: NaN is the same as NaN
    fail_if(bool(differ), f"{', '.join(differ)} of the score differ the second time; seed what is random")


def same_content_twice(benchmark: BenchmarkUnderTest) -> None:
    """Made a second time, the benchmark asks the same of subjects and has the same target."""
    first, second = benchmark.benchmark, benchmark.entry.load()
    fail_if(first.experiment.digest != second.experiment.digest, "the experiment differs the second time")
    same = content_digest(first.target) == content_digest(second.target)
    fail_if(not same, "the target differs the second time; seed what is random, sort what has no order")


def broken_answers_are_refused(benchmark: BenchmarkUnderTest) -> None:
    """Answers with missing or misplaced presentations, or with NaN, raise an error instead of a score."""
    loaded = benchmark.benchmark
    for subject in (Truncated(), Misnamed(), Undefined()):
        try:
            loaded.answer(subject)
        except (InvalidMeasurement, ModelError):
            continue
        except Exception as error:
            raise CheckFailed(f"the {subject.identifier} subject raises {describe(error)}") from error
        raise CheckFailed(f"the {subject.identifier} subject is not refused")


CHECKS: tuple[Callable[[Any], None], ...] = (
    card_is_complete,
    names_on_the_card_exist,
    files_are_at_hand,
    loads,
    identifier_is_the_name,
    card_is_the_registered_one,
    has_controls,
    ceiling_is_plausible,
    ceiling_is_above_chance,
    scores_random_answers,
    random_answers_score_low,
    data_can_tell,
    score_survives_json,
    same_score_twice,
    same_content_twice,
    broken_answers_are_refused,
)
