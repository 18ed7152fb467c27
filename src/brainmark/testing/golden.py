"""Golden scores: the numbers of every registered metric, benchmark and model of our own on small simulated data.

They are kept in one file with the versions that they belong to. A number that changed while no version did is a change
that would leave scores in place which no longer hold: a test says so, and names the card whose version is to be raised.
After that, or after a deliberate change of parameters, the file is written anew:

    python -m brainmark.testing.golden tests/golden/scores.json

Benchmarks with the same metric, parameters, ceiling and convention share one simulated target of the kind that their
metric compares. What needs the real data (a ceiling or an adaptation that reads their columns) is left out, and the
file says so for each.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from brainmark.core import registry
from brainmark.core.benchmark import Benchmark, Control
from brainmark.core.comparison import Comparison
from brainmark.core.controls import UNTRAINED_TWIN, shuffled
from brainmark.core.dataset import Dataset
from brainmark.core.errors import NotApplicable
from brainmark.core.experiment import Experiment, Read, Record, Setting
from brainmark.core.libraries import np, pd, xr
from brainmark.core.registry import Entry
from brainmark.core.score import Score
from brainmark.core.source_code import is_our_code
from brainmark.core.stimuli import Stimuli
from brainmark.core.subject import Subject
from brainmark.core.time_bins import each_time_bin, each_time_bin_ceiling
from brainmark.core.versions import SCORING
from brainmark.models.networks.kneser_ney import KneserNey
from brainmark.models.subjects.word_models import WORD, ngram_subject
from brainmark.run.declared import Declared, declare, declare_benchmark, declare_model, write_plainly
from brainmark.store.results import list_differences
from brainmark.testing.examples import images, metric_example, texts

COUNT = 48
"""Presentations of the simulated data."""
RESAMPLES = 40
REPEATS = 4
CLOSE = 1e-6
"""Largest relative difference of two numbers that are the same; models are allowed `CLOSE_MODELS`."""
CLOSE_MODELS = 1e-5
COMMAND = "python -m brainmark.testing.golden tests/golden/scores.json"
CLASSES = {"object_name": 4, "texture_type": 2, "paradigm": 4}
"""Columns that say what presentations show, and how many kinds there are."""
TEXTS = ("story", "sentence_id", "sentence", "source")
"""Columns that say to which text words belong; there are 12 texts, one after another."""
COSTS = ("length", "log_frequency", "position", "word_rate", "sound_power", "word_length", "people", "error_variance")
"""Columns of numbers: what words cost, what people answer."""
KINDS = ("subject", "repetition", "counts", "")
"""How a target is measured several times; the first that suits a benchmark is used. "" : once."""


@dataclass(frozen=True)
class Golden:
    """The numbers of one thing.

    Attributes
    ----------
    depends_on : versions and parameters that they belong to, see `run.declared`.
    numbers : by name.
    left_out : what is not simulated, and why.
    """

    depends_on: Mapping[str, str]
    numbers: Mapping[str, float | None]
    left_out: tuple[str, ...] = ()


@functools.cache
def list_all() -> dict[str, Callable[[], Golden]]:
    """Return what has golden numbers, by name, with what computes them.

    It is every metric of ours on the example of its kind; every group of our benchmarks that compute alike, under its
    first name; and every model whose code is ours, untrained, or one of its family.
    """
    found: dict[str, Callable[[], Golden]] = {
        f"metric {entry.name}": functools.partial(_of_metric, entry)
        for entry in registry.metrics.entries()
        if is_our_code(entry.module)
    }
    found |= {f"benchmark {names[0]}": functools.partial(_of_benchmarks, names) for names in group_benchmarks()}
    return found | {f"model {name}": functools.partial(_of_model, name) for name in MODELS}


def compute(name: str) -> Golden:
    """Return the numbers of one thing of `list_all`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list_all()[name]()


def group_benchmarks() -> list[list[str]]:
    """Return the names of all benchmarks of ours, those together that share metric, parameters and the like."""
    groups: dict[str, list[str]] = {}
    for entry in registry.benchmarks.entries():
        if is_our_code(entry.module):
            groups.setdefault(_parameters_of(entry), []).append(entry.name)
    return list(groups.values())


def _parameters_of(entry: Entry[Any, Any]) -> str:
    given = entry.parameters
    parts = [given.get(name) for name in ("options", "ceiling", "adapt", "controls", "convention")]
    timed = bool(getattr(given.get("ask"), "time_bins", ()))
    return f"{entry.card.metric} {write_plainly([*parts, timed])}"


def _of_metric(entry: Any) -> Golden:
    example = metric_example(entry.card.compares, COUNT)
    prediction = example.disturb(example.prediction, 0.7, np.random.default_rng(3))
    result = entry.load(**_few_draws(entry))(prediction, example.target)
    return Golden(declare(entry) or {}, _numbers_of_comparison(result))


def _few_draws(entry: Any) -> dict[str, Any]:
    return {"resamples": RESAMPLES} if entry.options.get("resamples") else {}


def _numbers_of_comparison(result: Comparison) -> dict[str, float | None]:
    return {"value": _plain(result.aggregate())} | {
        name: _plain(summary)
        for name, array in (("units", result.values), ("splits", result.splits), ("draws", result.replicates))
        if array is not None
        for summary in [_weigh(np.asarray(array, float))]
    }


def _weigh(values: np.ndarray) -> float:
    """Return a sum in which every entry has a weight of its own, so that a change of any changes it; NaN count too."""
    flat = values.ravel()
    weights = 1 + np.sin(np.arange(flat.size))
    return float(np.where(np.isfinite(flat), flat, -7.0) @ weights / flat.size)


def _plain(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else float(number)


def _of_benchmarks(names: list[str]) -> Golden:
    first = registry.benchmarks[names[0]]
    metric = registry.metrics[first.card.metric]
    depends_on: Declared = {f"benchmark {n}: version": str(registry.benchmarks[n].card.version) for n in names}
    depends_on |= {n: v for n, v in (declare_benchmark(first) or {}).items() if n.startswith("metric ")}
    depends_on |= {"parameters": _parameters_of(first), "scoring: version": str(SCORING)}
    numbers, left_out = _simulate(first, metric)
    return Golden(depends_on, numbers, tuple(left_out))


def _numbers_of_score(made: Score) -> dict[str, float | None]:
    numbers = {name: _plain(getattr(made, name)) for name in ("value", "raw", "ceiling")}
    numbers |= dict(zip(("low", "high"), made.interval or (None, None), strict=True))
    numbers |= {f"control {name}": _plain(control.raw) for name, control in made.controls.items()}
    if made.units is not None:
        numbers["units"] = _weigh(np.asarray(made.units["raw"].values, float))
    return numbers


def _simulate(entry: Any, metric: Any) -> tuple[dict[str, float | None], list[str]]:
    """Return the numbers of a noisy answer on a simulated target, by all of a benchmark that needs no real data.

    Where no target suits the whole of it, they are those of its metric alone, with its parameters or, if these come
    from the data, by default; and what is left out.
    """
    example, given = metric_example(metric.card.compares, COUNT), entry.parameters.get("options") or {}
    answer = _prepare(example.disturb(example.prediction, 0.7, np.random.default_rng(3)), given)
    for kind in KINDS:
        left_out: list[str] = []
        try:
            target = _prepare(_repeat(example.target, kind, entry.card.region), given)
            score = _build(entry, metric, target, left_out).score_answer(answer.assign_attrs(subject="simulated"))
        except Exception:  # noqa: BLE001 - another kind of target may suit
            continue
        return _numbers_of_score(score), left_out
    left_out = ["ceiling, controls, convention: they read columns of the data"]
    for options in ([] if callable(given) else [dict(given)]) + [{}]:
        try:
            found = metric.load(**options, **_few_draws(metric))(answer, _prepare(example.target, given))
        except Exception as error:  # noqa: BLE001 - it is said what is left out
            why = f"{type(error).__name__}: {error}"
            left_out.append(f"parameters: the example of {metric.name} has no such stimuli ({why[:60]})")
        else:
            return _numbers_of_comparison(found), left_out
    return {}, left_out


def _repeat(target: xr.DataArray, kind: str, region: str) -> xr.DataArray:
    """Return a target of the region, measured several times. Raises NotApplicable: that has no meaning for it."""
    if "region" in target.coords:
        target = target.assign_coords(region=("neuroid", np.full(target.sizes["neuroid"], region)))
    if not kind:
        return target
    if kind in target.dims or target.dtype.kind != "f" or ("choice" in target.dims) != (kind == "counts"):
        raise NotApplicable(kind)
    if kind == "counts":
        return (target * 30).round() + 1
    generator, spread = np.random.default_rng(5), float(target.std()) * 0.5
    several = [target + spread * generator.standard_normal(target.shape) for _ in range(REPEATS)]
    names = pd.Index([f"{kind}-{k}" for k in range(REPEATS)], name=kind)
    return xr.concat(several, names).transpose(kind, *target.dims)


def _prepare(measurement: xr.DataArray, options: Any) -> xr.DataArray:
    """Return a measurement with the columns and the choice that benchmarks read, where it has none of that name."""
    if isinstance(options, Mapping) and "choice" in options and "choice" in measurement.dims:
        measurement = measurement.assign_coords(choice=["no", options["choice"]])
    generator = np.random.default_rng(9)
    for dim in ("presentation", "time_bin"):
        if (count := measurement.sizes.get(dim, 0)) >= COUNT:
            columns: dict[str, Any] = {n: [f"{n}-{i % k}" for i in range(count)] for n, k in CLASSES.items()}
            columns |= {name: [f"{name}-{12 * i // count}" for i in range(count)] for name in TEXTS}
            columns |= {name: generator.random(count) + 0.1 for name in COSTS}
            new = {n: (dim, v) for n, v in columns.items() if n not in measurement.coords}
            measurement = measurement.assign_coords(new)
    return measurement


def _build(entry: Any, metric: Any, target: xr.DataArray, left_out: list[str]) -> Benchmark:
    """Return a benchmark on a simulated target: metric, parameters, ceiling, controls and convention of another."""
    given = entry.parameters
    stimuli, data = _show(target), functools.partial(_make_dataset, entry, target)
    options = given.get("options") or {}
    left_out += ["options: from the data; those by default stand in"] if callable(options) else []
    options = {} if callable(options) else dict(options)
    options |= _few_draws(metric) if options.get("resamples") != 0 else {}
    compare, top = metric.load(**options), given.get("ceiling")
    if top == "metric":
        top = metric.ceiling(target, **options)
    elif callable(top):
        make = top
        top = _attempt(lambda: _compute_ceiling(make(data()), target), None, "ceiling", left_out)
    if "time_bin" in target.dims and metric.card.compares in ("recordings", "dissimilarities"):
        compare, top = each_time_bin(compare), None if top is None else each_time_bin_ceiling(top)
    left_out += ["adapt: it reads columns of the data"] if given.get("adapt") else []
    controls = [shuffled()] if given.get("controls") is None else list(given["controls"])
    kept = tuple(_leave_out_failures(c) for c in controls if c.name not in registry.models and c.name != UNTRAINED_TWIN)
    experiment, convention = Experiment(stimuli, Record(entry.card.region)), given.get("convention")
    made = Benchmark(entry.name, entry.card, experiment, target, compare, top, kept)
    return made if convention is None else replace(made, convention=convention)


def _show(target: xr.DataArray) -> Stimuli:
    """Return stimuli with the names and columns of a target."""
    ids = target.coords["stimulus_id"].values.astype(str) if "presentation" in target.dims else np.array(["none"])
    columns = {str(n): c.values for n, c in target.coords.items() if c.dims == ("presentation",) and n != "stimulus_id"}
    return Stimuli("simulated", "text", pd.DataFrame({"text": ids, **columns}, index=pd.Index(ids, name="stimulus_id")))


def _make_dataset(entry: Any, target: xr.DataArray) -> Dataset:
    known = registry.datasets[entry.card.datasets[0]]
    return Dataset(known.name, known.card, target, _show(target), Setting())


def _attempt(make: Callable[[], Any], otherwise: Any, what: str, left_out: list[str]) -> Any:
    """Return what a function of the real data gives for simulated ones; otherwise note that it is left out."""
    try:
        return make()
    except Exception:  # noqa: BLE001 - it may need any column of the data
        left_out.append(f"{what}: it reads columns of the data")
        return otherwise


def _compute_ceiling(ceiling: Any, target: xr.DataArray) -> Any:
    """Return a ceiling that can be computed for a target; it is computed once."""
    if ceiling is None:
        return None
    found = ceiling(target)
    return lambda _: found


def _leave_out_failures(control: Control) -> Control:
    """Return a control that is left out of the score where it cannot be computed."""

    def compare(benchmark: Benchmark, answer: xr.DataArray) -> Comparison:
        try:
            return control.compare(benchmark, answer)
        except Exception as error:
            raise NotApplicable(f"{control.name} needs the data") from error

    return Control(control.name, compare, per_model=True)


MODELS: dict[str, dict[str, Any]] = {
    "pixels": {}, "simulated-truth": {}, "simulated-truth-over-time": {}, "gabor": {}, "hmax": {"patches": 4},
    "voneblock": {}, "sparse-coding": {"weights": "random"}, "CORnet-Z": {"weights": "random"}, "blt-b": {},
    "word-length": {}, "word-position": {}, "word-rate": {}, "random-embedding": {}, "ngram-3": {},
}  # fmt: skip
"""Models whose code is ours, or which stand for a family, with options that keep them small."""


def _of_model(name: str) -> Golden:
    entry = registry.models[name]
    subject = _count_ngrams(name) if name == "ngram-3" else entry.load(**MODELS[name])
    seen = entry.card.domain == "vision"
    asks = [Record(entry.card.regions[0])] if seen else [Read("surprisal"), Record("language_system")]
    numbers: dict[str, float | None] = {}
    for ask in asks:
        try:
            shown = Experiment(images(1) if seen else texts(2), ask, Setting(degrees=8.0 if seen else None))
            values = np.asarray(subject.perform(shown).values, float)
        except NotApplicable:
            continue
        label = getattr(ask, "region", "surprisal")
        numbers |= {f"{label} weighed": _weigh(values), f"{label} spread": _plain(float(np.nanstd(values)))}
    return Golden(declare_model(entry) or {}, numbers)


def _count_ngrams(name: str) -> Subject:
    """Return a model of trigrams of a few sentences: to read its corpora takes long."""
    counted = [WORD.findall(text) for text in texts(8).table["text"]]
    return ngram_subject(name, lambda: KneserNey(counted, 3))


def read_golden(path: Path) -> dict[str, Golden]:
    """Return what a file holds."""
    plain = json.loads(path.read_text(encoding="utf-8"))
    return {name: Golden(one["depends_on"], one["numbers"], tuple(one["left_out"])) for name, one in plain.items()}


def write_golden(path: Path, found: Mapping[str, Golden]) -> None:
    """Write a file, sorted, one line for each thing."""
    lines = [
        f"{json.dumps(name)}: "
        + json.dumps({"depends_on": dict(one.depends_on), "numbers": dict(one.numbers), "left_out": list(one.left_out)})
        for name, one in sorted(found.items())
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def explain_difference(name: str, kept: Golden | None, found: Golden) -> str:
    """Return in words what is wrong with the file, or with the versions; "" where nothing is.

    What raises a key of scores by itself, such as a parameter, needs no version; the file is written anew.
    """
    if kept is None:
        return f"{name} has no golden numbers yet; write them: {COMMAND}"
    changes = list_differences(kept.depends_on, found.depends_on)
    if changes:
        return f"{name}: {changes[0]}; write the golden numbers anew: {COMMAND}"
    close = CLOSE_MODELS if name.startswith("model ") else CLOSE
    moved = [label for label in {*kept.numbers, *found.numbers} if not _is_close(kept, found, label, close)]
    if not moved:
        return ""
    label = sorted(moved)[0]
    cards = [one.removesuffix(": version") for one in found.depends_on if one.endswith(": version")]
    return (
        f"{name}: {label} was {kept.numbers.get(label)}, now {found.numbers.get(label)}, and no version was raised, so "
        "that scores which no longer hold would be served; where it was meant, raise `version` of "
        f"{' or '.join(cards[:6])}, and write the golden numbers anew: {COMMAND}"
    )


def _is_close(kept: Golden, found: Golden, label: str, close: float) -> bool:
    one, other = kept.numbers.get(label), found.numbers.get(label)
    if one is None or other is None:
        return one is other and label in kept.numbers and label in found.numbers
    return math.isclose(one, other, rel_tol=close, abs_tol=close)


def main() -> None:
    """Write the file that is named."""
    parser = argparse.ArgumentParser(description="Write the golden scores of everything that is registered.")
    parser.add_argument("path", type=Path)
    path: Path = parser.parse_args().path
    found = {name: compute(name) for name in list_all()}
    write_golden(path, found)
    sys.stdout.write(f"{len(found)} golden scores: {path}\n")


if __name__ == "__main__":
    main()
