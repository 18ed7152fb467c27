"""Ringach, Shapley & Hawken 2002: orientation selectivity of 308 cells of macaque V1, drifting gratings.

One dataset for each property, over the cells that responded: mean rate at the best orientation more than
5 spikes/s above the spontaneous rate (304 cells), the criterion of Marques, Schrimpf & DiCarlo 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from brainmark.core import DatasetCard, datasets
from brainmark.data.git import GitFolder

if TYPE_CHECKING:
    import numpy as np

    from brainmark.data.study import Study

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
CELLS = 308
FIELDS = ("animal", "bw", "maxdc", "maxfirst", "mindc", "orivar", "po", "rdepth", "spont")
THRESHOLD = 5.0  # spikes/s above the spontaneous rate


class Property(NamedTuple):
    """A property of a cell: what it is, in which unit, from which fields of the file."""

    meaning: str
    units: str
    field: str
    divisor: str | None = None


PROPERTIES = {
    "circular_variance": Property(
        "circular variance of the orientation tuning curve (0: one orientation, 1: none preferred)", "1", "orivar"
    ),
    "bandwidth": Property("half width of orientation tuning at 1/sqrt(2) of the peak", "degrees", "bw"),
    "orthogonal_preferred_ratio": Property(
        "response at the orientation orthogonal to the preferred one, as a share of the response at the preferred one",
        "1",
        "po",
    ),
    "modulation_ratio": Property("F1/F0: first harmonic over mean rate, best grating", "1", "maxfirst", "maxdc"),
    "max_dc": Property("mean rate at the best orientation", "spikes/s", "maxdc"),
    "min_dc": Property("mean rate at the worst orientation", "spikes/s", "mindc"),
    "max_f1": Property("first harmonic of the rate, best grating", "spikes/s", "maxfirst"),
    "spontaneous": Property("spontaneous rate", "spikes/s", "spont"),
}


def _card(meaning: str) -> DatasetCard:
    return DatasetCard(
        summary=f"Macaque V1, 304 cells: {meaning}.",
        licence="not stated by the publisher",
        cite=CITE,
        domain="vision",
        species=("macaque",),
        regions=("V1",),
        modality="image",
        sources=FILES.sources,
        tags=("tuning",),
    )


def _register(name: str, prop: Property) -> None:
    identifier, card = f"Ringach2002.{name}", _card(prop.meaning)

    @datasets.add(identifier, card=card)
    def load() -> Study:
        """One value a cell, with animal and relative cortical depth (0: pia, 1: white matter)."""
        return _study(identifier, card, name, prop)


for _name, _property in PROPERTIES.items():
    _register(_name, _property)


def _study(identifier: str, card: DatasetCard, name: str, prop: Property) -> Study:
    import numpy as np
    import xarray as xr

    from brainmark.core import Setting
    from brainmark.data.study import Study

    cells = _cells()
    values = cells[prop.field] / cells[prop.divisor] if prop.divisor else cells[prop.field]
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
    return Study(identifier, card, measurement, None, Setting())


def _cells() -> dict[str, np.ndarray]:
    """Return the table of cells: field -> (308,)."""
    import numpy as np

    from brainmark.data.readers import fields_of, mat_of

    path = FILES.fetch(FILE)
    table = fields_of(mat_of(path, "db"), FIELDS, path, (CELLS,))
    return {key: v.astype(str) if key == "animal" else v.astype(np.float64) for key, v in table.items()}
