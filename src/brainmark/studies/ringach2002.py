"""Ringach, Shapley & Hawken 2002: orientation selectivity of 308 cells of macaque V1, drifting gratings.

One dataset for each property, over the cells that responded: mean rate at the best orientation more than
5 spikes/s above the spontaneous rate (304 cells), the criterion of Marques, Schrimpf & DiCarlo 2021. The table of
cells is fetched; `Ringach2002.summary.<property>` ships with the package: how many cells lie on either side of a
landmark of the distribution.
"""

from __future__ import annotations

from typing import NamedTuple

from brainmark.core import Source, Study
from brainmark.core.libraries import np, xr
from brainmark.data.fetch import GitFolder
from brainmark.data.readers.matlab import fields_of, mat_of
from brainmark.data.tables import read_table
from brainmark.studies.tuning import histogram_of, register_tuning

FILE = "ringach_2002_db.mat"
FILES = GitFolder(
    "neuroailab/TDANN@80c585df69dcb831d1d6802e0776a8cf25d8cfef/spacetorch/datasets",
    {FILE: ("2fd5279bc2b9a2605f14ee314605612efafdef9e798a4faf4820a7af427053f1", 41600)},
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
STUDY = Study(
    licence="not stated by the publisher", cite="ringach2002", species="macaque", domain="vision", modality="image",
    regions=("V1",), sources=FILES.sources, tags=("tuning",),
)  # fmt: skip


class TuningProperty(NamedTuple):
    """A property of a cell: what it is, in which unit, from which fields of the file: field / divisor - less.

    `compared` says in the summary of its benchmark what is distributed; None: there is no benchmark.
    """

    meaning: str
    units: str
    field: str
    divisor: str | None = None
    less: str | None = None
    compared: str | None = None


PROPERTIES = {
    "circular_variance": TuningProperty(
        "circular variance of the orientation tuning curve (0: one orientation, 1: none preferred)", "1", "orivar",
        compared="circular variance of orientation tuning",
    ),
    "orientation_bandwidth": TuningProperty(
        "half width of orientation tuning at 1/sqrt(2) of the peak, as published (up to 180)", "degrees", "bw",
        compared="the half width of orientation tuning at 1/sqrt(2) of the peak",
    ),
    "orthogonal_preferred": TuningProperty(
        "response at the orientation orthogonal to the preferred one, as a share of the response at the preferred one",
        "1", "po", compared="the response at the orientation orthogonal to the preferred one, over that at it,",
    ),
    "orthogonal_less_variance": TuningProperty(
        "response at the orthogonal orientation, as a share of that at the preferred one, less circular variance",
        "1", "po", less="orivar",
        compared="the same share, less circular variance: two measures of selectivity compared,",
    ),
    "modulation_ratio": TuningProperty(
        "F1/F0: first harmonic over mean rate, best grating", "1", "maxfirst", "maxdc",
        compared="the modulation by drifting gratings (F1/F0)",
    ),
    "max_dc": TuningProperty(
        "mean rate at the best orientation", "spikes/s", "maxdc",
        compared="the mean rate at the best grating, with the model's median mapped on that of the cells,",
    ),
    "min_dc": TuningProperty("mean rate at the worst orientation", "spikes/s", "mindc"),
    "max_ac": TuningProperty("first harmonic of the rate, best grating", "spikes/s", "maxfirst"),
    "spontaneous": TuningProperty("spontaneous rate", "spikes/s", "spont"),
}  # fmt: skip


def read_property(name: str) -> tuple[xr.DataArray, None]:
    """Read one value for each cell, with animal and relative cortical depth."""
    cells, prop = _cells(), PROPERTIES[name]
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
    return measurement, None


def read_summary(name: str) -> tuple[xr.DataArray, None]:
    """Read the numbers of cells below and above a landmark."""
    table = read_table(SUMMARY_FILE, SUMMARY)
    return histogram_of(table[table["property"] == name], name, PROPERTIES[name].units), None


def _cells() -> dict[str, np.ndarray]:
    """Return the table of cells: field -> (308,)."""
    path = FILES.fetch(FILE)
    table = fields_of(mat_of(path, "db"), FIELDS, path, (CELLS,))
    return {key: v.astype(str) if key == "animal" else v.astype(np.float64) for key, v in table.items()}


for _name, _property in PROPERTIES.items():
    STUDY.dataset(f"Ringach2002.{_name}", _name, summary=f"Macaque V1, 304 cells: {_property.meaning}.")(read_property)
    if _property.compared:
        register_tuning(f"Ringach2002.V1-{_name}", f"Ringach2002.{_name}", _name, _property.compared)
for _name in ("circular_variance", "modulation_ratio"):
    STUDY.dataset(
        f"Ringach2002.summary.{_name}", _name, licence="facts, not protected", sources=(SUMMARY,),
        summary=f"Macaque V1, 304 cells in two bins: {PROPERTIES[_name].meaning}.",
    )(read_summary)  # fmt: skip
    register_tuning(
        f"Ringach2002.V1.summary-{_name}", f"Ringach2002.summary.{_name}", _name,
        f"{PROPERTIES[_name].compared} (two bins)",
    )  # fmt: skip
