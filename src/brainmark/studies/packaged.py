"""Packaged data sets and the benchmarks on them, named by the path of the folder.

``PATH`` is the data set, ``PATH:V4-ridge`` a benchmark on it; ``PATH:ridge`` where there is one region. Recordings are
predicted or compared as populations, region by region, and bin by bin where they have time bins; dissimilarities are
compared as they are; choices and ratings with those of people.
"""

from __future__ import annotations

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
    Record,
    UnknownName,
    benchmarks,
    control_model,
    datasets,
    metrics,
    register_benchmark,
    shuffled,
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

METRICS = {  # kind of measurement -> metrics that a bare path stands for, and further ones
    "recording": (("ridge", "pls"), ("ols", "single_unit", "rdm", "cka")),
    "dissimilarity": (("rdm",), ()),
    "choices": (("error_consistency",), ("confusion_similarity", "accuracy_distance")),
    "counts": (("soft_labels",), ()),
    "ratings": (("judgement_correlation",), ()),
}
POPULATION = frozenset({"rdm", "cka"})
"""Metrics that need every neuroid on every stimulus."""


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
    return ("behavior",) if about.kind in ("choices", "counts", "ratings") else about.regions


def _benchmark(name: str, path: Path, dataset: str, chosen: str) -> Entry[Benchmark, BenchmarkCard]:
    about = read_card(path)
    region, _, metric = chosen.rpartition("-")
    select = partial(_select, about=about, region=region, metric=metric)
    pixels = about.modality == "image" and about.kind in ("recording", "dissimilarity")
    return register_benchmark(
        name, dataset, metric, listed=False, summary=f"{about.identifier}: {about.summary} Compared by {metric}.",
        ask=partial(_ask, about=about, path=path, region=region, select=select), target=select,
        options=_options_of_counts if about.kind == "counts" else None,
        ceiling=_ceiling_of_counts if about.kind == "counts" else "metric",
        controls=(*((control_model("pixels"),) if pixels else ()), shuffled()), region=region, tags=("packaged",),
    )  # fmt: skip


def _select(data: Dataset, about: PackageCard, region: str, metric: str) -> xr.DataArray:
    """Select the neuroids of one region, and the stimuli shown to any of them (of populations, to all of them)."""
    if about.kind != "recording":
        return data.measurement
    part = data.measurement.isel(neuroid=data.measurement.coords["region"].values.astype(str) == region)
    others = [d for d in part.dims if d not in ("presentation", "neuroid")]
    cells = part.notnull().any(others) if others else part.notnull()
    shown = cells.all("neuroid") if metric in POPULATION else cells.any("neuroid")
    if int(shown.sum()) < 3:
        raise InvalidMeasurement(
            f"{region}: {int(shown.sum())} of {shown.size} stimuli were shown to all {part.sizes['neuroid']} neuroids; "
            f"{metric} compares populations: package animals that saw other stimuli apart, or use ridge"
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
    if about.kind == "dissimilarity":
        return Experiment(stimuli, Record(region), data.setting)
    target = select(data)
    if target.sizes["presentation"] < len(stimuli):
        stimuli = stimuli.take(stimuli.table.index.get_indexer(target.coords["stimulus_id"].values))
    return Experiment(stimuli, record(region, target), data.setting)


def _options_of_counts(data: Dataset) -> dict[str, str]:
    return {"aspect": "errors" if "label" in data.measurement.coords else "choices"}


def _ceiling_of_counts(data: Dataset) -> Ceiling | None:
    """Return a ceiling from halves of the choices; each stimulus needs two."""
    enough = bool((data.measurement.sum("choice") >= 2).all())
    return metrics["soft_labels"].ceiling(**_options_of_counts(data)) if enough else None
