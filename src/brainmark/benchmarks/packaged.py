"""Benchmarks on data sets that a lab packaged: ``PATH:V4-ridge``; ``PATH:ridge`` where there is one region.

What a metric compares decides which of them fit: recordings are predicted or compared as populations, region by
region; dissimilarities are compared as they are; choices and ratings with those of people. Recordings in time bins are
compared bin by bin.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from brainmark.core import Benchmark, BenchmarkCard, benchmarks, control_model, datasets, metrics, shuffled
from brainmark.core.comparison import Ceiling, Metric
from brainmark.core.dataset import Dataset
from brainmark.core.errors import InvalidMeasurement, UnknownName
from brainmark.core.experiment import Ask, Choose, Experiment, Rate, Record
from brainmark.core.libraries import np, xr
from brainmark.core.registry import Entry
from brainmark.data.packaging.folder import PackageCard, fitting_of, read_card
from brainmark.metrics.behavior import choices
from brainmark.metrics.behavior.judgements import judgement_ceiling
from brainmark.metrics.behavior.soft_labels import soft_labels_ceiling
from brainmark.metrics.similarity.alignment import cka_ceiling
from brainmark.metrics.similarity.rsa import rdm_ceiling
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.time.temporal import each_time_bin, each_time_bin_ceiling
from brainmark.studies.packaged import package_at

if TYPE_CHECKING:
    from collections.abc import Callable


USUAL = {
    "recording": ("ridge", "pls"),
    "dissimilarity": ("rdm",),
    "choices": ("error_consistency",),
    "counts": ("soft_labels",),
    "ratings": ("judgement_correlation",),
}
"""Metrics that a bare path stands for."""
ALLOWED = {
    "recording": ("ridge", "pls", "ols", "single_unit", "rdm", "cka"),
    "dissimilarity": ("rdm",),
    "choices": ("error_consistency", "confusion_similarity", "accuracy_distance"),
    "counts": ("soft_labels",),
    "ratings": ("judgement_correlation",),
}
POPULATION = frozenset({"rdm", "cka"})
"""Metrics that need every neuroid on every stimulus."""


@benchmarks.add_finder
def find_benchmark(name: str) -> Entry[Benchmark, BenchmarkCard] | None:
    """Return the benchmark ``PATH:REGION-METRIC`` on a packaged data set; None for any other name.

    Raises
    ------
    DataError : the package is broken.
    UnknownName : it has no such benchmark; says which it has.
    """
    bare = package_at(name)  # first: a path may hold a colon
    where, _, chosen = (name, "", "") if bare else name.rpartition(":")
    path = bare or package_at(where)
    if path is None or not where:
        return None
    known = names_at(path)
    if bare and len(usual_at(path)) == 1:
        chosen = usual_at(path)[0]
    if len(_parts(path)) == 1:
        chosen = {n.rpartition("-")[2]: n for n in known}.get(chosen, chosen)
    if chosen not in known:
        listing = f" ({'; '.join(f'{where}:{n}' for n in known)})"
        raise UnknownName(f"benchmark of {where}", chosen or name, known, listing)
    return _entry(name, path, where, chosen)


def names_at(path: Path) -> list[str]:
    """Return the benchmarks that a packaged data set has, ``REGION-METRIC``. Raises DataError."""
    kind = _card_at(path).kind
    return [f"{part}-{metric}" for part in _parts(path) for metric in ALLOWED[kind]]


def usual_at(path: Path) -> list[str]:
    """Return those of them that its bare path stands for. Raises DataError."""
    return [f"{part}-{metric}" for part in _parts(path) for metric in USUAL[_card_at(path).kind]]


def expanded(name: str) -> list[str]:
    """Return the names of the usual benchmarks of the packaged data set at a path; the name itself for any other."""
    path = package_at(name)
    return [name] if path is None else [f"{name.rstrip('/')}:{one}" for one in usual_at(path)]


def _card_at(path: Path) -> PackageCard:

    return read_card(path)


def _parts(path: Path) -> tuple[str, ...]:
    told = _card_at(path)
    return ("behavior",) if told.kind in ("choices", "counts", "ratings") else told.regions


def _entry(name: str, path: Path, dataset: str, benchmark: str) -> Entry[Benchmark, BenchmarkCard]:
    told = _card_at(path)
    region, _, metric = benchmark.rpartition("-")
    card = BenchmarkCard(
        summary=f"{told.identifier}: {told.summary} Compared by {metric}.",
        licence=told.licence,
        cite=told.cite,
        domain=told.domain,
        species=told.species,
        region=region,
        parent=region,
        datasets=(dataset,),
        metric=metric,
        tags=("packaged",),
    )

    def load() -> Benchmark:
        return _benchmark(name, card, path, datasets[dataset].load(), told)

    load.__module__ = __name__
    return Entry("benchmark", name, load, card)


def _benchmark(name: str, card: BenchmarkCard, path: Path, study: Dataset, told: PackageCard) -> Benchmark:

    target, stimuli = study.measurement, study.stimuli
    assert stimuli is not None
    if told.kind == "recording":
        target = _in_region(target, card.region, card.metric)
        shown = [stimuli.ids.tolist().index(one) for one in target.coords["stimulus_id"].values]
        stimuli = stimuli if len(shown) == len(stimuli) else stimuli.take(shown)
    metric, ceiling = _compared(card, target, told)
    controls = (
        (control_model("pixels"),) if told.modality == "image" and told.kind in ("recording", "dissimilarity") else ()
    )
    return Benchmark(
        name,
        card,
        Experiment(stimuli, _ask(card, path, target, told), study.setting),
        target,
        metric=metric,
        ceiling=ceiling,
        controls=(*controls, shuffled()),
    )


def _in_region(recording: xr.DataArray, region: str, metric: str) -> xr.DataArray:
    """Neuroids of one region, and the stimuli that were shown to any of them; of populations, to all of them."""
    part = recording.isel(neuroid=recording.coords["region"].values.astype(str) == region)
    measured = part.notnull()
    others = [d for d in part.dims if d not in ("presentation", "neuroid")]
    cells = measured.any(others) if others else measured
    shown = cells.all("neuroid") if metric in POPULATION else cells.any("neuroid")
    if int(shown.sum()) < 3:
        raise InvalidMeasurement(
            f"{region}: {int(shown.sum())} of {shown.size} stimuli were shown to all {part.sizes['neuroid']} neuroids; "
            f"{metric} compares populations: package animals that saw other stimuli apart, or use ridge"
        )
    return part.isel(presentation=np.flatnonzero(shown.values))


def _ask(card: BenchmarkCard, path: Path, target: xr.DataArray, told: PackageCard) -> Ask:

    if told.kind in ("choices", "counts"):
        return Choose(tuple(target.coords["choice"].values.astype(str).tolist()), fitting_of(path))
    if told.kind == "ratings":
        low, high = told.scale or (0.0, 1.0)
        return Rate(told.question or "", low, high, fitting_of(path))
    if "time_bin" in target.dims:
        edges = [target.coords[f"time_bin_{edge}"].values.astype(float).tolist() for edge in ("start", "end")]
        return Record(card.region, tuple(zip(*edges, strict=True)))
    return Record(card.region)


def _compared(card: BenchmarkCard, target: xr.DataArray, told: PackageCard) -> tuple[Metric, Ceiling | None]:
    """Metric and ceiling; none where there are no trials (or people) to measure one from."""
    if told.kind in ("choices", "counts"):
        return _of_choices(card.metric, target)
    metric = metrics[card.metric].load()
    if told.kind == "ratings":
        return metric, judgement_ceiling() if target.sizes["subject"] > 1 else None
    if told.kind == "dissimilarity":
        return metric, rdm_ceiling() if target.sizes.get("subject", 1) > 1 else None
    ceiling = _recording_ceiling(card.metric) if "repetition" in target.dims else None
    if "time_bin" not in target.dims:
        return metric, ceiling

    return each_time_bin(metric), None if ceiling is None else each_time_bin_ceiling(ceiling)


def _recording_ceiling(metric: str) -> Ceiling | None:

    makers: dict[str, Callable[[], Ceiling]] = {"rdm": rdm_ceiling, "cka": cka_ceiling}
    return makers.get(metric, split_half)()


def _of_choices(metric: str, target: xr.DataArray) -> tuple[Metric, Ceiling | None]:

    if metric == "soft_labels":
        aspect = "errors" if "label" in target.coords else "choices"
        enough = bool((target.sum("choice") >= 2).all())
        return metrics[metric].load(aspect=aspect), soft_labels_ceiling(aspect) if enough else None
    if target.sizes["subject"] < 2:
        return metrics[metric].load(), None
    ceilings: dict[str, Callable[[], Ceiling]] = {
        "error_consistency": choices.error_consistency_ceiling,
        "confusion_similarity": choices.confusion_ceiling,
        "accuracy_distance": choices.accuracy_distance_ceiling,
    }
    return metrics[metric].load(), ceilings[metric]()
