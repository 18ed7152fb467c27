"""Kar 2019: when macaque IT holds what an object is, image by image (object solution times), as Brain-Score has it.

1318 images of ten objects (two stand twice in the files). The assembly holds, for two kinds of decoders of IT, the
time in ms at which the sensitivity i1 reaches that of the animals' choices (NaN: never), and that sensitivity.
"""

from __future__ import annotations

from brainmark.brainscore.brainio import merged, read_assembly, read_stimuli
from brainmark.brainscore.files import row
from brainmark.core import DatasetCard, InvalidMeasurement, Setting, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, xr
from brainmark.data.fetch import fetch_all

NAME, DECODER, DEGREES = "Kar2019", "svm", 8.0
CITE = """@article{Kar2019,
  title = {Evidence that recurrent circuits are critical to the ventral stream's execution of core object recognition
           behavior},
  author = {Kar, Kohitij and Kubilius, Jonas and Schmidt, Kailyn and Issa, Elias B. and DiCarlo, James J.},
  journal = {Nature Neuroscience}, volume = {22}, number = {6}, pages = {974--983}, year = {2019},
  doi = {10.1038/s41593-019-0392-5}
}"""
CARD = DatasetCard(
    summary="Object solution times of macaque IT for 1318 images of ten objects, published by Brain-Score.",
    licence="not stated; see the publication",
    cite=CITE,
    domain="vision",
    species=("macaque",),
    regions=("IT",),
    modality="image",
    sources=row("assembly", NAME).sources + row("stimuli", NAME).sources,
    tags=("brainscore", "temporal"),
)


@datasets.add(NAME, card=CARD)
def kar2019() -> Dataset:
    """Times of the decoder that the benchmark uses (a support vector machine), images in order of their identifiers."""
    path, table, archive = fetch_all(row("assembly", NAME).sources + row("stimuli", NAME).sources)
    stimuli = read_stimuli(table, archive, NAME, first=True)
    assembly = merged(read_assembly(path), stimuli)
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
    return Dataset(NAME, CARD, measurement, shown, Setting(degrees=DEGREES, trials=44))
