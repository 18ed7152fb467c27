"""Packaged data sets and the benchmarks on them, named by the path of the folder.

``PATH`` is the data set, ``PATH:V4-ridge`` a benchmark on it; ``PATH:ridge`` where there is one region. Recordings are
predicted or compared as populations, region by region, and bin by bin where they have time bins; dissimilarities are
compared as they are; choices and ratings with those of people. Models take words of a running text with all that came
before them; folds are whole texts, or blocks of words, and reading times are compared with surprisal.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from brainmark.core import (
    Benchmark,
    BenchmarkCard,
    Ceiling,
    Choose,
    Dataset,
    DatasetCard,
    Experiment,
    InvalidMeasurement,
    Rate,
    Read,
    Record,
    UnknownName,
    benchmarks,
    control_model,
    datasets,
    metrics,
    register_benchmark,
    shuffled,
    untrained_twin,
)
from brainmark.core.libraries import np, xr
from brainmark.core.registry import Entry
from brainmark.core.study import record
from brainmark.data.packaging.folder import (
    PackageCard,
    dataset_card,
    fitting_of,
    load_package,
    read_card,
    verify_package,
)
from brainmark.metrics.statistics.splits import Contiguous, Grouped
from brainmark.models.subjects.readout import LANGUAGE_REGIONS
from brainmark.studies.surprisal import NUISANCE, with_word_costs

METRICS = {  # kind of measurement -> metrics that a bare path stands for, and further ones
    "recording": (("ridge", "pls"), ("ols", "single_unit", "rdm", "cka")),
    "dissimilarity": (("rdm",), ()),
    "choices": (("error_consistency",), ("confusion_similarity", "accuracy_distance")),
    "counts": (("soft_labels",), ()),
    "ratings": (("judgement_correlation",), ()),
    "reading_times": (("reading_fit",), ()),
}
POPULATION = frozenset({"rdm", "cka"})
"""Metrics that need every neuroid on every stimulus."""
BEHAVIOR = frozenset({"choices", "counts", "ratings", "reading_times"})
FOLDS, FEW = 10, 5
"""Folds over running texts, and texts of which there are too few to be folds: blocks of words take their place."""
APART = 20
"""Words between a block that is tested and those that train."""


def package_at(name: str) -> Path | None:
    """Return the folder that a name leads to, if a card of a packaged data set lies in it (or is named itself)."""
    path = Path(name)
    path = path.parent if path.name == "card.toml" else path
    try:
        return path if (path / "card.toml").is_file() else None
    except (OSError, ValueError):  # no name that a file can have
        return None


@datasets.add_finder
def find_dataset(name: str) -> Entry[Dataset, DatasetCard] | None:
    """Return the packaged data set at a path; None for any other name.

    Raises
    ------
    DataError : its card is broken, or a file is missing.
    """
    path = package_at(name)
    if path is None:
        return None

    def load() -> Dataset:
        return load_package(path, name)

    return Entry("dataset", name, load, dataset_card(path), lambda: verify_package(path))


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
    known, usual = names_at(path), usual_at(path)
    if bare and len(usual) == 1:
        chosen = usual[0]
    if len({n.rpartition("-")[0] for n in known}) == 1:  # one region
        chosen = {n.rpartition("-")[2]: n for n in known}.get(chosen, chosen)
    if chosen not in known:
        listing = f" ({'; '.join(f'{where}:{n}' for n in known)})"
        raise UnknownName(f"benchmark of {where}", chosen or name, known, listing)
    return _benchmark(name, path, where, chosen)


def names_at(path: Path) -> list[str]:
    """Return the benchmarks that a packaged data set has, ``REGION-METRIC``. Raises DataError."""
    about = read_card(path)
    usual, further = METRICS[about.kind]
    return [f"{part}-{metric}" for part in _parts(about) for metric in (*usual, *further)]


def usual_at(path: Path) -> list[str]:
    """Return those of them that its bare path stands for. Raises DataError."""
    about = read_card(path)
    return [f"{part}-{metric}" for part in _parts(about) for metric in METRICS[about.kind][0]]


def expand(name: str) -> list[str]:
    """Return the names of the usual benchmarks of the packaged data set at a path; the name itself for any other."""
    path = package_at(name)
    return [name] if path is None else [f"{name.rstrip('/')}:{one}" for one in usual_at(path)]


def _parts(about: PackageCard) -> tuple[str, ...]:
    return ("behavior",) if about.kind in BEHAVIOR else about.regions


def _benchmark(name: str, path: Path, dataset: str, chosen: str) -> Entry[Benchmark, BenchmarkCard]:
    about = read_card(path)
    region, _, metric = chosen.rpartition("-")
    select = partial(_select, about=about, region=region, metric=metric)
    recorded = about.kind in ("recording", "dissimilarity")
    usual = {"image": ("pixels",), "text": ("word-length", "random-embedding")}[about.modality] if recorded else ()
    twin = (untrained_twin(),) if about.kind == "reading_times" else ()
    return register_benchmark(
        name, dataset, metric, listed=False, summary=f"{about.identifier}: {about.summary} Compared by {metric}.",
        ask=partial(_ask, about=about, path=path, region=region, select=select), target=select,
        options=_options(about, metric),
        ceiling={"counts": _ceiling_of_counts, "reading_times": _ceiling_of_times}.get(about.kind, "metric"),
        controls=(*map(control_model, usual), *twin, shuffled()), region=region, tags=("packaged",),
    )  # fmt: skip


def _select(data: Dataset, about: PackageCard, region: str, metric: str) -> xr.DataArray:
    """Select the neuroids of one region, and the stimuli shown to any of them (of populations, to all of them)."""
    if about.kind == "reading_times":
        return _average_readers(data)
    if about.kind != "recording":
        return data.measurement
    part = data.measurement.isel(neuroid=data.measurement.coords["region"].values.astype(str) == region)
    others = [d for d in part.dims if d not in ("presentation", "neuroid")]
    cells = part.notnull().any(others) if others else part.notnull()
    shown = cells.all("neuroid") if metric in POPULATION else cells.any("neuroid")
    if about.context is not None:  # whole texts: words that were not measured are context
        text = xr.DataArray(data.shown.table[about.context].astype(str).to_numpy(), dims="presentation")
        each = shown.groupby(text.rename("text"))
        shown = (each.all() if metric in POPULATION else each.any()).sel(text=text).drop_vars("text")
    if int(shown.sum()) < 3:
        way = "package animals that saw other stimuli apart"
        if about.context is not None:
            way = "it needs texts in which every word was measured"
        raise InvalidMeasurement(
            f"{region}: {int(shown.sum())} of {shown.size} stimuli were shown to all {part.sizes['neuroid']} neuroids; "
            f"{metric} compares populations: {way}, or use ridge"
        )
    return part.isel(presentation=np.flatnonzero(shown.values))


def _ask(data: Dataset, about: PackageCard, path: Path, region: str, select: Any) -> Experiment:
    stimuli = data.shown
    if about.kind in ("choices", "counts"):
        labels = data.measurement.coords["choice"].values.astype(str).tolist()
        return Experiment(stimuli, Choose(tuple(labels), fitting_of(path)), data.setting)
    if about.kind == "ratings":
        low, high = about.scale or (0.0, 1.0)
        return Experiment(stimuli, Rate(about.question or "", low, high, fitting_of(path)), data.setting)
    if about.kind == "reading_times":
        return Experiment(stimuli, Read("surprisal"), data.setting)
    if about.modality == "text" and region not in LANGUAGE_REGIONS:
        region = LANGUAGE_REGIONS[0]  # what language networks commit to
    if about.kind == "dissimilarity":
        return Experiment(stimuli, Record(region), data.setting)
    target = select(data)
    if target.sizes["presentation"] < len(stimuli):
        stimuli = stimuli.take(stimuli.table.index.get_indexer(target.coords["stimulus_id"].values))
    return Experiment(stimuli, record(region, target), data.setting)


def _options(about: PackageCard, metric: str) -> Callable[[Dataset], dict[str, Any]] | None:
    """Return the options of the metric that depend on the data: words in a text are no independent stimuli."""
    if about.kind == "counts":
        return _options_of_counts
    if about.kind == "reading_times":
        return _options_of_times
    if about.context is None or metric in POPULATION or about.kind != "recording":
        return None
    return partial(_options_of_words, context=about.context)


def _options_of_words(data: Dataset, context: str) -> dict[str, Any]:
    texts = data.shown.table[context].nunique()
    if texts >= FEW:
        return {"splits": Grouped(context, min(FOLDS, texts))}
    return {"splits": Contiguous(FEW, gap=min(APART, len(data.shown) // 50))}


def _options_of_times(data: Dataset) -> dict[str, Any]:
    context = data.setting.context
    several = context is not None and data.shown.table[context].nunique() > 1
    return {"fit": "partial", "nuisance": NUISANCE, "spillover": 1, **({"context": context} if several else {})}


def _average_readers(data: Dataset) -> xr.DataArray:
    """Return the mean reading time of each word (presentation,), with its ``error_variance`` and what words cost."""
    times = with_word_costs(data)
    readers = times.notnull().sum("subject")
    squares = (times - times.mean("subject")) ** 2
    error = squares.sum("subject") / ((readers - 1) * readers).clip(1)
    return times.mean("subject").assign_coords(error_variance=("presentation", error.where(readers > 1).values))


def _ceiling_of_times(data: Dataset) -> Ceiling | None:
    """Return a ceiling from the errors of the means over readers; it needs words that two have read."""
    enough = int((data.measurement.notnull().sum("subject") > 1).sum()) > 2
    return metrics["reading_fit"].ceiling(**_options_of_times(data)) if enough else None


def _options_of_counts(data: Dataset) -> dict[str, str]:
    return {"aspect": "errors" if "label" in data.measurement.coords else "choices"}


def _ceiling_of_counts(data: Dataset) -> Ceiling | None:
    """Return a ceiling from halves of the choices; each stimulus needs two."""
    enough = bool((data.measurement.sum("choice") >= 2).all())
    return metrics["soft_labels"].ceiling(**_options_of_counts(data)) if enough else None
