"""Ringach 2002 (J Neurophysiol): the shape of simple-cell receptive fields in macaque V1.

nx and ny are the widths (standard deviations) of the envelope of a fitted Gabor function across and along the bars,
in cycles of its carrier. The joint counts ship with the package.
"""

from __future__ import annotations

from typing import Literal

from brainmark.core import Source
from brainmark.core.libraries import np, pd, xr
from brainmark.data.tables import read_table
from brainmark.studies.tuning import describe_cells, histogram_of

FILE = "ringach2002b_shape.csv"
SOURCE = Source(
    url="https://doi.org/10.1152/jn.2002.88.1.455",
    sha256="a622590e087ddbf21e622a2cf5702c373859c6d232e6e14391cade7e5f92dc92",
    size=1467,
)
STUDY = describe_cells("ringach2002b", SOURCE)


@STUDY.dataset(
    "Ringach2002b.nx",
    "nx",
    summary="Width of the receptive fields of 79 simple cells of macaque V1 across the bars, in cycles.",
)
@STUDY.dataset(
    "Ringach2002b.ny", "ny",
    summary="Length of the receptive fields of 79 simple cells of macaque V1 along the bars, in cycles.",
)  # fmt: skip
def read_margin(axis: Literal["nx", "ny"]) -> tuple[xr.DataArray, None]:
    """Read the numbers of cells in bins of cycles: one margin of the joint table."""
    counts, edges = joint_counts()
    cells = counts.sum(axis=1 if axis == "nx" else 0)
    margin = pd.DataFrame({"bin_start": edges[:-1], "bin_end": edges[1:], "cells": cells})
    return histogram_of(margin, axis, "cycles"), None


def joint_counts() -> tuple[np.ndarray, np.ndarray]:
    """Return the joint table: numbers of cells (nx bin, ny bin), and the edges of the bins of either (bins + 1,)."""
    table = read_table(FILE, SOURCE)
    starts = np.unique(table["nx_start"])
    edges = np.append(starts, table["nx_end"].max())
    counts = table.sort_values(["nx_start", "ny_start"])["cells"].to_numpy(int)
    return counts.reshape(len(starts), -1), edges
