"""Kar 2019: when macaque IT holds what an object is, image by image (object solution times), as Brain-Score has it.

1318 images of ten objects (two stand twice in the files). The assembly holds, for two kinds of decoders of IT, the
time in ms at which the sensitivity i1 reaches that of the animals' choices (NaN: never), and that sensitivity.
"""

from __future__ import annotations

from brainmark.brainscore.brainio import merge, read_assembly, read_stimuli
from brainmark.brainscore.cards import benchmark_card, dataset_card
from brainmark.brainscore.files import row
from brainmark.brainscore.metrics.assemblies import single
from brainmark.brainscore.metrics.conventions import RATIO
from brainmark.core import Benchmark, InvalidMeasurement, Setting, benchmarks, datasets, metrics
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Experiment, Record
from brainmark.core.libraries import np, xr
from brainmark.data.fetch import fetch_all

NAME, DECODER, DEGREES = "Kar2019", "svm", 8.0
BINS = tuple((float(start), float(start + 10)) for start in range(70, 250, 10))  # ms
CEILING = 0.79  # computed by the authors
DATA = dataset_card(
    "Object solution times of macaque IT for 1318 images of ten objects, published by Brain-Score.",
    cite="kar2019", species=("macaque",), regions=("IT",), tags=("temporal",),
    sources=row("assembly", NAME).sources + row("stimuli", NAME).sources,
)  # fmt: skip
CARD = benchmark_card(
    "When each object is solved, by macaque IT and by a model over time", NAME, DATA, "brainscore-ost", "IT",
    tags=("temporal", "many stimuli"),
)  # fmt: skip


@datasets.add(NAME, card=DATA)
def kar2019() -> Dataset:
    """Times of the decoder that the benchmark uses (a support vector machine), images in order of their identifiers."""
    path, table, archive = fetch_all(row("assembly", NAME).sources + row("stimuli", NAME).sources)
    stimuli = read_stimuli(table, archive, NAME, first=True)
    assembly = merge(read_assembly(path), stimuli)
    for coordinate in ("decoder", "i1", "image_label"):
        if coordinate not in assembly.coords:
            raise InvalidMeasurement(f"{NAME}: the assembly has no coordinate {coordinate!r}")
    chosen = np.flatnonzero(assembly.coords["decoder"].values.astype(str) == DECODER)
    if len(chosen) != 1:
        raise InvalidMeasurement(f"{NAME}: {len(chosen)} decoders are called {DECODER!r}; expected one")
    times = assembly.isel(decoder=int(chosen[0]))
    ids, first = np.unique(times.coords["stimulus_id"].values.astype(str), return_index=True)
    times = times.isel(presentation=first)
    known = {c: ("presentation", times.coords[c].values) for c in ("i1", "image_label")}
    measurement = xr.DataArray(
        times.values.astype(float),
        dims="presentation",
        coords={"stimulus_id": ("presentation", ids), **known},
        attrs={"units": "ms", "long_name": "object solution time"},
    )
    shown = stimuli.take(stimuli.table.index.get_indexer(ids.tolist()), NAME)
    return Dataset(NAME, DATA, measurement, shown, Setting(degrees=DEGREES, trials=44))


@benchmarks.add("Kar2019-ost", card=CARD)
def kar2019_ost() -> Benchmark:
    """Without dynamics a model does not apply (published: NaN); starting weights differ, see `SolutionTimes`."""
    study = datasets[NAME].load()
    return Benchmark(
        "Kar2019-ost",
        CARD,
        Experiment(study.stimuli, Record("IT", BINS), study.setting),
        study.measurement,
        metric=metrics[CARD.metric].load(),
        ceiling=lambda _: single(CEILING),
        convention=RATIO,
    )
