"""Chooses the layer for a region on some stimuli, scores it on others, and keeps the result with all candidates."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from brainmark.core import registry
from brainmark.core.benchmark import Benchmark
from brainmark.core.containment import contain
from brainmark.core.controls import UNTRAINED_TWIN
from brainmark.core.errors import BrainmarkError, DataError, InvalidModel, ModelError, NotApplicable
from brainmark.core.experiment import Experiment, Record
from brainmark.core.handout import hand_out
from brainmark.core.libraries import np, xr
from brainmark.core.memory import available_memory
from brainmark.core.score import Interval, Score
from brainmark.core.subject import Subject
from brainmark.data.fetch.places import home, short_name
from brainmark.data.writing import write_whole
from brainmark.metrics.time.haemodynamics import BLOCK
from brainmark.models.subjects.coerce import as_subject
from brainmark.models.subjects.layered import LayeredSubject
from brainmark.models.subjects.readout import Pool, Readout

PUBLIC: Mapping[str, tuple[str, str | None]] = {
    "V4": ("Cowley2023.V4.201025-ridge", "Cowley2023.V4-ridge"),
    "IT": ("Kriegeskorte2008.monkeyIT-rdm", None),
    "language_system": ("Brennan2016.LATL-ridge", None),
}
"""Region -> what its layer is chosen on, and what the choice is tested on (None: the rest of the same stimuli)."""

LAYER_NOTE = "is recorded from layer"
"""In the note on a score with a chosen layer."""
MOST_UNITS = 4096
_SHARE = 0.25  # of the free memory that the activations of one pass may take
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Candidate:
    """A layer that was tried.

    Attributes
    ----------
    layer, pool : see `subjects.readout.Readout`.
    units : that were compared.
    value : score on the stimuli that the choice was made on; None if there is none (`reason`).
    """

    layer: str
    pool: int | Pool | None
    units: int
    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class Choice:
    """The layer of one region, and how it was found.

    Attributes
    ----------
    model, weights : the name it was asked for by, or its own; and sha256 of its weights.
    region : what the layer stands for.
    chosen : layer, and pool, with the largest value; of equals, the first.
    candidates : all layers tried, in the order they run.
    public, held_out : the benchmarks (and which part of them) on which the layer was chosen and tested.
    value, interval : score of the chosen layer on `held_out`.
    committed : score there of the layer that the model itself commits to the region; None: it commits none.
    split : how stimuli, or the volumes of a run, were parted, if they were.
    stimuli : digest of those of `public`, before they were parted.
    """

    model: str
    weights: str
    region: str
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    public: str
    held_out: str
    value: float
    interval: Interval | None
    committed: float | None
    split: str = ""
    stimuli: str = ""

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Choice:
        """Make an object from what `dataclasses.asdict` returned, also after JSON."""
        interval = None if plain["interval"] is None else tuple(plain["interval"])
        candidates = tuple(Candidate(**c) for c in plain["candidates"])
        made: dict[str, Any] = {"chosen": Candidate(**plain["chosen"]), "candidates": candidates, "interval": interval}
        return cls(**{**plain, **made})


def choose_layers(
    model: str | LayeredSubject | Any,
    benchmark: str | Benchmark,
    held_out: str | Benchmark | None = None,
    *,
    layers: str | Sequence[str] = "blocks",
    share: float = 0.5,
    seed: int = 0,
    most_units: int = MOST_UNITS,
    progress: Progress | None = None,
) -> Choice:
    """Score every candidate layer on public stimuli, and the best one on others.

    Activations of all candidates come from one pass of the network (or as many as memory needs). Maps of more than
    `most_units` units are averaged to coarser ones, and the choice commits to that; other layers are taken whole.
    Of a language network, the blocks are tried, pooled as it commits to the region.

    Parameters
    ----------
    model : a registered name, a network, or a subject with layers.
    benchmark : the one on which the layer is chosen; it records from the region.
    held_out : the one on which the choice is tested, with other stimuli. None: `benchmark` is split, `share` of it to
        choose on and the rest to test on. Stimuli are split at random, texts are kept whole (a single one is cut in
        two), and a run is split in time, with a gap as long as the response of blood flow.
    layers : names of candidates, patterns such as ``layer3.*``, ``blocks``, or ``all`` that put out numbers of their
        own.
    seed : of the random split.
    progress : called with (layers done, layers in all), first with none done.

    Raises
    ------
    NotApplicable : the model has no layers to choose from, or the benchmark records from no region.
    UnknownName : a layer, model or benchmark.
    ModelError : no candidate has a score.
    """
    subject = _load_subject(model)
    whole = _load_benchmark(benchmark)
    public, test, split = _part(whole, None if held_out is None else _load_benchmark(held_out), share, seed)
    region = cast(Record, public.experiment.ask).region
    with contain(f"{subject.identifier} on {public.identifier}"):
        shapes = subject.layers(public.experiment, [layers] if isinstance(layers, str) else layers)
    candidates = _try_layers(subject, public, shapes, most_units, progress)
    scored = [c for c in candidates if c.value is not None]
    if not scored:
        raise ModelError(f"{subject.identifier}: no layer has a score on {public.identifier}: {candidates[0].reason}")
    best = max(scored, key=lambda c: cast(float, c.value))
    own = subject.regions.get(region)
    readouts = [Readout(best.layer, best.pool), *([] if own is None else [own])]
    result, *committed = [_compare(subject, test, *_record(subject, test, [readout])) for readout in readouts]
    return Choice(
        model=model if isinstance(model, str) else subject.identifier,
        weights=subject.weights_digest,
        region=region,
        chosen=best,
        candidates=tuple(candidates),
        public=public.identifier,
        held_out=test.identifier,
        value=result.value,
        interval=result.interval,
        committed=committed[0].value if committed else None,
        split=split,
        stimuli=whole.experiment.stimuli.digest,
    )


def _load_subject(model: Any) -> LayeredSubject:
    made: Subject = registry.models[model].load() if isinstance(model, str) else as_subject(model)
    if not isinstance(made, LayeredSubject):
        raise NotApplicable(f"{made.identifier} is a {type(made).__name__}, which has no layers to choose from")
    return made


def _load_benchmark(given: str | Benchmark) -> Benchmark:
    """Return the benchmark without its controls, which choose nothing."""
    made = registry.benchmarks[given].load() if isinstance(given, str) else given
    if not isinstance(made.experiment.ask, Record):
        raise NotApplicable(f"{made.identifier} records no region, so no layer can be chosen on it")
    return replace(made, controls=())


def _part(public: Benchmark, held_out: Benchmark | None, share: float, seed: int) -> tuple[Benchmark, Benchmark, str]:
    """Return the benchmarks to choose on and to test on, and how the stimuli were split."""
    if held_out is not None:
        regions = {cast(Record, b.experiment.ask).region for b in (public, held_out)}
        if len(regions) > 1:
            raise NotApplicable(f"{public.identifier} and {held_out.identifier} record from {' and '.join(regions)}")
        shared = set(public.experiment.stimuli.ids) & set(held_out.experiment.stimuli.ids)
        if shared:
            raise NotApplicable(
                f"{public.identifier} and {held_out.identifier} share {len(shared)} stimuli; omit held_out "
                "to split them"
            )
        return public, held_out, ""
    run = _is_run(public)
    what = "volumes" if run else "stimuli"
    count = public.target.sizes["time_bin"] if run else len(public.experiment.stimuli)
    choosing, testing, how = _split_run(count, share) if run else _split_stimuli(public.experiment, share, seed)
    if not 0 < share < 1 or min(len(choosing), len(testing)) < 2:
        raise ValueError(
            f"share = {share}: of {count} {what}, at least two are needed to choose a layer, and two to score it"
        )
    split = f"{len(choosing)} of {count} {what} choose, {len(testing)} test ({how})"
    first = part_of(public, choosing, f"{public.identifier} (choosing {len(choosing)} of {count} {what})")
    second = part_of(public, testing, f"{public.identifier} (testing {len(testing)} of {count} {what})")
    return first, second, split


def _is_run(benchmark: Benchmark) -> bool:
    """Return whether volumes of one run were measured in place of presentations."""
    return "time_bin" in benchmark.target.dims and "presentation" not in benchmark.target.dims


def _split_run(count: int, share: float) -> tuple[np.ndarray, np.ndarray, str]:
    """Return volumes of a run to choose on, and later ones to test on, so that no word acts on both."""
    to_choose = round(share * (count - BLOCK))
    return np.arange(max(0, to_choose)), np.arange(max(0, to_choose) + BLOCK, count), f"later, after a gap of {BLOCK}"


def _split_stimuli(experiment: Experiment, share: float, seed: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Return positions to choose on and to test on. All parts of a text stay together; a single text is cut."""
    count = len(experiment.stimuli)
    contexts = [np.asarray(c, int) for c in experiment.contexts]
    to_choose = round(share * count)
    if len(contexts) == 1:
        return contexts[0][:to_choose], contexts[0][to_choose:], "later in the text"
    shuffled = [contexts[i] for i in np.random.default_rng(seed).permutation(len(contexts))]
    ends = np.cumsum([len(c) for c in shuffled])
    whole = int(np.argmin(np.abs(ends - to_choose))) + 1 if to_choose else 0
    first, second = (
        np.sort(np.concatenate([np.array([], int), *some])) for some in (shuffled[:whole], shuffled[whole:])
    )
    return first, second, f"seed {seed}"


def part_of(benchmark: Benchmark, positions: np.ndarray, identifier: str) -> Benchmark:
    """Return the benchmark with the stimuli, or the volumes of its run, at `positions` only, in that order.

    All stimuli of a run are presented.
    """
    if _is_run(benchmark):
        return replace(benchmark, identifier=identifier, target=benchmark.target.isel(time_bin=positions))
    dims = {str(d): positions for d in benchmark.target.dims if d in ("presentation", "other")}
    experiment = replace(benchmark.experiment, stimuli=benchmark.experiment.stimuli.take(positions))
    return replace(benchmark, identifier=identifier, experiment=experiment, target=benchmark.target.isel(dims))


def _try_layers(
    subject: LayeredSubject,
    benchmark: Benchmark,
    shapes: Mapping[str, tuple[int, ...]],
    most_units: int,
    progress: Progress | None,
) -> list[Candidate]:
    """Score each layer, as many at a time as memory holds; without intervals, which choose nothing."""
    ceiling = benchmark.ceiling_comparison
    benchmark = replace(benchmark, metric=_without_draws(benchmark.metric), ceiling=ceiling and (lambda _: ceiling))
    region = cast(Record, benchmark.experiment.ask).region
    budget = available_memory() * _SHARE
    batches: list[list[tuple[str, int | Pool | None]]] = [[]]
    held = 0.0
    for name, shape in shapes.items():
        pool = subject.pool_for(region, shape, most_units)
        needed = 4.0 * len(benchmark.experiment.stimuli) * _count_units(pool, shape)
        if batches[-1] and held + needed > budget:
            batches.append([])
            held = 0.0
        batches[-1].append((name, pool))
        held += needed
    candidates: list[Candidate] = []
    if progress:
        progress(0, len(shapes))
    for batch in batches:
        answers = _record(subject, benchmark, [Readout(*where) for where in batch])
        for number, (layer, pool) in enumerate(batch):
            answer, answers[number] = answers[number], xr.DataArray()  # freed when it is scored
            try:
                value, reason = _compare(subject, benchmark, answer).value, ""
            except BrainmarkError as error:  # constant activations, for one
                value, reason = None, str(error)
            candidates.append(Candidate(layer, pool, answer.sizes["neuroid"], value, reason))
            if progress:
                progress(len(candidates), len(shapes))
    return candidates


def _without_draws(metric: Any) -> Any:
    """Return the metric, and the one inside it if there is one, without draws for an interval."""
    if not is_dataclass(metric) or isinstance(metric, type):
        return metric
    changes = {"resamples": 0} if hasattr(metric, "resamples") else {}
    if (inner := getattr(metric, "metric", None)) is not None:
        changes["metric"] = _without_draws(inner)
    return replace(cast(Any, metric), **changes)


def _count_units(pool: int | Pool | None, shape: tuple[int, ...]) -> int:
    if not isinstance(pool, int):
        return math.prod(shape)
    return shape[0] * math.prod(min(side, pool) for side in shape[1:])


def _record(subject: LayeredSubject, benchmark: Benchmark, readouts: Sequence[Any]) -> list[xr.DataArray]:
    with contain(f"{subject.identifier} on {benchmark.identifier}"):
        return subject.record_from(hand_out(benchmark.experiment), readouts)


def _compare(subject: LayeredSubject, benchmark: Benchmark, answer: xr.DataArray) -> Score:
    return benchmark.score_answer(benchmark.accept(answer, subject.identifier))


# --- choices that are kept -------------------------------------------------------------------------------------------


def choices_path(model: str) -> Path:
    """Return the file that holds what was chosen for a model; it need not exist."""
    return home() / "layers" / short_name(f"{quote(model, safe='')}.json")


def keep(choice: Choice) -> Path:
    """Remember a choice, instead of an earlier one for the same region; return the file."""
    path = choices_path(choice.model)
    regions = {region: asdict(c) for region, c in {**recall_choices(choice.model), choice.region: choice}.items()}
    try:
        write_whole(path, json.dumps(regions, indent=1, allow_nan=False).encode())
    except OSError as error:
        raise DataError(f"cannot keep the layers of {choice.model} in {path}: {error.strerror or error}") from error
    return path


def recall_choices(model: str) -> dict[str, Choice]:
    """Return region -> choice as kept for a model; empty if there is none.

    Raises
    ------
    DataError : the file is damaged.
    """
    path = choices_path(model)
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        return {region: Choice.from_dict(fields) for region, fields in plain.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} is damaged ({error}); remove it, and choose again: brainmark layers {model}"
        ) from error


def with_chosen_layers(subject: Subject, model: str) -> LayeredSubject:
    """Return the model with the layers that were chosen for it, instead of those it commits to.

    Raises
    ------
    NotApplicable : nothing was chosen for this model.
    InvalidModel : it was chosen for other weights.
    """
    choices = recall_choices(model)
    if not choices or not isinstance(subject, LayeredSubject):
        raise NotApplicable(f"no layers were chosen for {model}; choose them: brainmark layers {model}")
    weights = subject.weights_digest
    for region, choice in choices.items():
        if choice.weights != weights:
            raise InvalidModel(
                f"{model}: its layer for {region} was chosen for other weights (sha256 {choice.weights[:12]}..., "
                f"not {weights[:12]}...); choose again: brainmark layers {model} --region {region}"
            )
    return subject.with_regions({r: Readout(c.chosen.layer, c.chosen.pool) for r, c in choices.items()})


def note_on(model: str, benchmark: Benchmark) -> str:
    """Return what a score with a chosen layer has to say about it."""
    ask = benchmark.experiment.ask
    choice = recall_choices(model).get(ask.region) if isinstance(ask, Record) else None
    if choice is None:
        return ""
    among = f"chosen among {len(choice.candidates)} on {choice.public}"
    note = f"{choice.region} {LAYER_NOTE} {choice.chosen.layer!r}, {among}"
    if choice.public.split(" (")[0] == benchmark.identifier:
        note += ": on stimuli of this benchmark, so the value is too high"
    elif choice.stimuli == benchmark.experiment.stimuli.digest:  # another region, or metric
        note += ": on the same stimuli as here, so the value can be too high"
    if any(control.name == UNTRAINED_TWIN for control in benchmark.controls):
        note += f"; the {UNTRAINED_TWIN} is recorded from the layer that the model commits to"
    return note
