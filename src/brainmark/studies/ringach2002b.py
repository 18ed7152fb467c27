"""Ringach 2002 (J Neurophysiol): the shape of simple-cell receptive fields in macaque V1.

nx and ny are the widths (standard deviations) of the envelope of a fitted Gabor function across and along the bars,
in cycles of its carrier. The joint counts ship with the package.
"""

from __future__ import annotations

from typing import Literal

from brainmark.core import DatasetCard, Setting, Source, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, pd
from brainmark.data.tables import histogram_of, read_table

FILE = "ringach2002b_shape.csv"
CITE = """
@article{Ringach2002b,
  title = {Spatial structure and symmetry of simple-cell receptive fields in macaque primary visual cortex},
  author = {Ringach, Dario L.},
  journal = {Journal of Neurophysiology},
  volume = {88}, number = {1}, pages = {455--463},
  year = {2002},
  doi = {10.1152/jn.2002.88.1.455}
}
"""
SOURCE = Source(
    url="https://doi.org/10.1152/jn.2002.88.1.455",
    sha256="a622590e087ddbf21e622a2cf5702c373859c6d232e6e14391cade7e5f92dc92",
    size=1467,
)


def _card(summary: str) -> DatasetCard:
    return DatasetCard(
        summary=summary,
        licence="facts, not protected",
        cite=CITE,
        domain="vision",
        species=("macaque",),
        regions=("V1",),
        modality="image",
        sources=(SOURCE,),
        tags=("tuning",),
    )


NX = _card("Width of the receptive fields of 79 simple cells of macaque V1 across the bars, in cycles.")
NY = _card("Length of the receptive fields of 79 simple cells of macaque V1 along the bars, in cycles.")


@datasets.add("Ringach2002b.nx", card=NX)
def nx() -> Dataset:
    """Numbers of cells: bin, cycles."""
    return _study("nx", NX)


@datasets.add("Ringach2002b.ny", card=NY)
def ny() -> Dataset:
    """Numbers of cells: bin, cycles."""
    return _study("ny", NY)


def joint_counts() -> tuple[np.ndarray, np.ndarray]:
    """Return the joint table: numbers of cells (nx bin, ny bin), and the edges of the bins of either (bins + 1,)."""
    table = _table()
    starts = np.unique(table["nx_start"])
    edges = np.append(starts, table["nx_end"].max())
    counts = table.sort_values(["nx_start", "ny_start"])["cells"].to_numpy(int)
    return counts.reshape(len(starts), -1), edges


def _table() -> pd.DataFrame:

    return read_table(FILE, SOURCE)


def _study(axis: Literal["nx", "ny"], card: DatasetCard) -> Dataset:
    """Return one margin of the joint table."""
    counts, edges = joint_counts()
    cells = counts.sum(axis=1 if axis == "nx" else 0)
    margin = pd.DataFrame({"bin_start": edges[:-1], "bin_end": edges[1:], "cells": cells})
    return Dataset(f"Ringach2002b.{axis}", card, histogram_of(margin, axis, "cycles"), None, Setting())
