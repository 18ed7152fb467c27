"""Kar 2019: when macaque IT holds what an object is, image by image (object solution times), as Brain-Score has it.

1318 images of ten objects (two stand twice in the files). The assembly holds, for two kinds of decoders of IT, the
time in ms at which the sensitivity i1 reaches that of the animals' choices (NaN: never), and that sensitivity.
"""

from __future__ import annotations

from brainmark.brainscore.brainio import merge, read_assembly, read_stimuli
from brainmark.brainscore.files import row
from brainmark.brainscore.metrics.assemblies import single
from brainmark.brainscore.metrics.conventions import RATIO
from brainmark.brainscore.register import PUBLISHED, register_published
from brainmark.core import InvalidMeasurement, Record, Setting, Stimuli
from brainmark.core.libraries import np, xr
from brainmark.data.fetch import fetch_all

NAME, DECODER = "Kar2019", "svm"
BINS = tuple((float(start), float(start + 10)) for start in range(70, 250, 10))  # ms
CEILING = 0.79  # computed by the authors


@PUBLISHED.dataset(
    NAME, cite="kar2019", species="macaque", regions=("IT",), setting=Setting(degrees=8.0, trials=44),
    summary="Object solution times of macaque IT for 1318 images of ten objects, published by Brain-Score.",
    sources=row("assembly", NAME).sources + row("stimuli", NAME).sources, tags=("brainscore", "temporal"),
)  # fmt: skip
def read_times() -> tuple[xr.DataArray, Stimuli]:
    """Read the times of the decoder that the benchmark uses (a support vector machine), images sorted by identifier."""
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
    return measurement, shown


# Without dynamics a model does not apply (published: NaN); starting weights differ, see `SolutionTimes`.
register_published(
    "Kar2019-ost", NAME, "brainscore-ost", "When each object is solved, by macaque IT and by a model over time",
    ask=Record("IT", BINS), ceiling=lambda _: lambda target: single(CEILING), controls=(), convention=RATIO,
    tags=("temporal", "many stimuli"),
)  # fmt: skip
