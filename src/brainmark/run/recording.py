"""Records what a model answers to the experiments of benchmarks, in a file that is scored without the model."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from brainmark.core.benchmark import Benchmark
from brainmark.core.containment import contain
from brainmark.core.errors import NotApplicable, warn
from brainmark.core.experiment import Experiment, Record
from brainmark.core.handout import take
from brainmark.core.libraries import xr
from brainmark.data.feature_files import write_answers
from brainmark.models.subjects.features import name_question
from brainmark.run.scoring import GivenBenchmark, GivenModel, Layers
from brainmark.run.stamp import commit, versions


def record_answers(
    model: Any, benchmarks: Sequence[str | Benchmark], path: Path, *, layers: Layers = "committed"
) -> dict[str, tuple[int, ...]]:
    """Write what a model answers to the experiments of benchmarks to a netCDF file; return the shapes by name.

    Benchmarks with the same experiment share an answer. `brainmark.features` scores the file, with the same score to
    the bit. What does not apply to the model is left out, with a warning.

    Parameters
    ----------
    model, layers : see `brainmark.run.scoring.score`.
    path : of the file, ``.nc``.

    Raises
    ------
    NotApplicable : nothing of it applies to the model. Nothing is written then.
    DataError : the file cannot be written.
    """
    subject = GivenModel(model, layers)
    shapes: dict[str, tuple[int, ...]] = {}

    def answer_all() -> Iterator[tuple[str, str, xr.DataArray]]:
        named = Counter[str]()
        reasons: list[str] = []
        for experiment, task in _list_experiments(benchmarks):
            try:
                answer = _answer(subject, experiment, task)
            except NotApplicable as error:
                reasons.append(f"{task.identifier}: {error}")
                continue
            ask = experiment.ask
            name = ask.region if isinstance(ask, Record) else name_question(ask)
            named[name] += 1
            name = name if named[name] == 1 else f"{name}_{named[name]}"
            shapes[name] = answer.shape
            yield name, experiment.digest, answer
        if not shapes:
            raise NotApplicable("; ".join(reasons))
        for reason in reasons:
            warn(f"left out: {reason}")

    write_answers(path, answer_all(), _describe(subject))
    return shapes


def _list_experiments(benchmarks: Sequence[str | Benchmark]) -> Iterator[tuple[Experiment, Benchmark]]:
    """Yield each experiment once, with the first benchmark that asks it."""
    seen: set[Any] = set()
    for given in benchmarks:
        task = GivenBenchmark(given).load()
        if task.experiment.key not in seen:
            seen.add(task.experiment.key)
            yield task.experiment, task


def _answer(model: GivenModel, experiment: Experiment, task: Benchmark) -> xr.DataArray:
    """Return the answer as the model gives it, once it is known to be one."""
    subject = model.subject
    with contain(f"{model.name} on {task.identifier}"):
        answer = take(subject, experiment)
    task.accept(answer, model.name)
    return answer.drop_attrs()


def _describe(model: GivenModel) -> dict[str, str]:
    """Return what made the answers; not when, so that the same answers are the same file."""
    stamp = {
        "brainmark": metadata.version("brainmark"),
        "commit": commit(),
        "python": platform.python_version(),
        "packages": versions(loaded=True),
        "model": model.fingerprint,
        "weights": getattr(model.subject, "weights_digest", None),
        "layers": model.layers,
    }
    return {"model": model.name, "stamp": json.dumps(stamp, sort_keys=True)}
