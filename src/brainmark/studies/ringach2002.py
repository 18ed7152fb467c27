"""Ringach, Shapley & Hawken 2002: orientation selectivity of 308 cells of macaque V1, drifting gratings.

One dataset for each property, over the cells that responded: mean rate at the best orientation more than
5 spikes/s above the spontaneous rate (304 cells), the criterion of Marques, Schrimpf & DiCarlo 2021. The table of
cells is fetched; `Ringach2002.summary.<property>` ships with the package: how many cells lie on either side of a
landmark of the distribution.
"""

from __future__ import annotations

from typing import NamedTuple

from brainmark.core import DatasetCard, Setting, Source, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, xr
from brainmark.data.fetch import GitFolder
from brainmark.data.readers.arrays import fields_of, mat_of
from brainmark.data.tables import histogram_of, read_table

CITE = """
@article{Ringach2002,
  title = {Orientation selectivity in macaque {V1}: diversity and laminar dependence},
  author = {Ringach, Dario L. and Shapley, Robert M. and Hawken, Michael J.},
  journal = {Journal of Neuroscience},
  volume = {22}, number = {13}, pages = {5639--5651},
  year = {2002},
  doi = {10.1523/JNEUROSCI.22-13-05639.2002}
}
"""
FILE = "ringach_2002_db.mat"
FILES = GitFolder(
    owner="neuroailab",
    repo="TDANN",
    commit="80c585df69dcb831d1d6802e0776a8cf25d8cfef",
    folder="spacetorch/datasets",
    files={FILE: ("2fd5279bc2b9a2605f14ee314605612efafdef9e798a4faf4820a7af427053f1", 41600)},
)
SUMMARY_FILE = "ringach2002_summary.csv"
SUMMARY = Source(
    url="https://doi.org/10.1523/JNEUROSCI.22-13-05639.2002",
    sha256="32653ceaa6749530c7d3414d506bcbe58d70b7bf19d11ae536232b7c5cc3ca05",
    size=712,
)
CELLS = 308
FIELDS = ("animal", "bw", "maxdc", "maxfirst", "mindc", "orivar", "po", "rdepth", "spont")
THRESHOLD = 5.0  # spikes/s above the spontaneous rate


class Property(NamedTuple):
    """A property of a cell: what it is, in which unit, from which fields of the file: field / divisor - less."""

    meaning: str
    units: str
    field: str
    divisor: str | None = None
    less: str | None = None


PROPERTIES = {
    "circular_variance": Property(
        "circular variance of the orientation tuning curve (0: one orientation, 1: none preferred)", "1", "orivar"
    ),
    "orientation_bandwidth": Property(
        "half width of orientation tuning at 1/sqrt(2) of the peak, as published (up to 180)",
        "degrees",
        "bw",
    ),
    "orthogonal_preferred": Property(
        "response at the orientation orthogonal to the preferred one, as a share of the response at the preferred one",
        "1",
        "po",
    ),
    "orthogonal_less_variance": Property(
        "response at the orthogonal orientation, as a share of that at the preferred one, less circular variance",
        "1",
        "po",
        less="orivar",
    ),
    "modulation_ratio": Property("F1/F0: first harmonic over mean rate, best grating", "1", "maxfirst", "maxdc"),
    "max_dc": Property("mean rate at the best orientation", "spikes/s", "maxdc"),
    "min_dc": Property("mean rate at the worst orientation", "spikes/s", "mindc"),
    "max_ac": Property("first harmonic of the rate, best grating", "spikes/s", "maxfirst"),
    "spontaneous": Property("spontaneous rate", "spikes/s", "spont"),
}


def _card(summary: str, licence: str, sources: tuple[Source, ...]) -> DatasetCard:
    return DatasetCard(
        summary=summary,
        licence=licence,
        cite=CITE,
        domain="vision",
        species=("macaque",),
        regions=("V1",),
        modality="image",
        sources=sources,
        tags=("tuning",),
    )


def _register(name: str, prop: Property) -> None:
    identifier = f"Ringach2002.{name}"
    card = _card(f"Macaque V1, 304 cells: {prop.meaning}.", "not stated by the publisher", FILES.sources)

    @datasets.add(identifier, card=card)
    def load() -> Dataset:
        """One value a cell, with animal and relative cortical depth."""
        return _study(identifier, card, name, prop)


def _register_summary(name: str) -> None:
    identifier = f"Ringach2002.summary.{name}"
    card = _card(f"Macaque V1, 304 cells in two bins: {PROPERTIES[name].meaning}.", "facts, not protected", (SUMMARY,))

    @datasets.add(identifier, card=card)
    def load() -> Dataset:
        """Numbers of cells below and above a landmark."""
        table = read_table(SUMMARY_FILE, SUMMARY)
        rows = table[table["property"] == name]
        return Dataset(identifier, card, histogram_of(rows, name, PROPERTIES[name].units), None, Setting())


for _name, _property in PROPERTIES.items():
    _register(_name, _property)
for _name in ("circular_variance", "modulation_ratio"):
    _register_summary(_name)


def _study(identifier: str, card: DatasetCard, name: str, prop: Property) -> Dataset:

    cells = _cells()
    values = cells[prop.field] / cells[prop.divisor] if prop.divisor else cells[prop.field]
    values = values - cells[prop.less] if prop.less else values
    chosen = np.flatnonzero((cells["maxdc"] > cells["spont"] + THRESHOLD) & np.isfinite(values))
    measurement = xr.DataArray(
        values[chosen],
        dims="neuroid",
        coords={
            "neuroid_id": ("neuroid", [f"Ringach2002/{i + 1:03d}" for i in chosen]),
            "region": ("neuroid", ["V1"] * len(chosen)),
            "subject": ("neuroid", cells["animal"][chosen]),
            "depth": ("neuroid", cells["rdepth"][chosen]),
        },
        name=name,
        attrs={"units": prop.units, "long_name": prop.meaning},
    )
    return Dataset(identifier, card, measurement, None, Setting())


def _cells() -> dict[str, np.ndarray]:
    """Return the table of cells: field -> (308,)."""
    path = FILES.fetch(FILE)
    table = fields_of(mat_of(path, "db"), FIELDS, path, (CELLS,))
    return {key: v.astype(str) if key == "animal" else v.astype(np.float64) for key, v in table.items()}
