"""De Valois and colleagues 1982: preferred orientations and spatial frequencies in macaque V1, as published histograms.

The counts ship with the package. Orientation 0 is read as horizontal; the two cardinal bins differ little (66 and 77).
"""

from __future__ import annotations

from brainmark.core import Source
from brainmark.core.libraries import xr
from brainmark.data.tables import read_table
from brainmark.studies.tuning import describe_cells, histogram_of, register_tuning

ORIENTATION = Source(
    url="https://doi.org/10.1016/0042-6989(82)90112-2",
    sha256="e39e41f55156cab9ec3ddea04aadaf134d900800de321c80529e648d64864af4",
    size=483,
)
FREQUENCY = Source(
    url="https://doi.org/10.1016/0042-6989(82)90113-4",
    sha256="0be7fc203fe30bc0a3f20ea40c8500d03c3210379023f2b94881ae06c43ccbb2",
    size=483,
)
STUDY = describe_cells("devalois1982a")


@STUDY.dataset(
    "DeValois1982.preferred_orientation",
    "preferred_orientation",
    "degrees",
    ORIENTATION,
    sources=(ORIENTATION,),
    summary="Preferred orientation of 246 cells of macaque V1, in four bins.",
)
@STUDY.dataset(
    "DeValois1982.preferred_spatial_frequency", "preferred_spatial_frequency", "cycles/degree", FREQUENCY,
    cite="devalois1982b", sources=(FREQUENCY,),
    summary="Preferred spatial frequency of 139 cells of macaque V1, in half-octave bins from 0.5 to 8 cycles/degree.",
)  # fmt: skip
def read_counts(name: str, units: str, source: Source) -> tuple[xr.DataArray, None]:
    """Read the numbers of cells in each bin; orientations are degrees modulo 180."""
    table = read_table(f"devalois1982_{name.removeprefix('preferred_')}.csv", source)
    return histogram_of(table, name, units), None


register_tuning(
    "DeValois1982.V1-orientation", "DeValois1982.preferred_orientation", "preferred_orientation",
    "preferred orientation",
)  # fmt: skip
register_tuning(
    "DeValois1982.V1-spatial_frequency", "DeValois1982.preferred_spatial_frequency", "preferred_spatial_frequency",
    "preferred spatial frequency",
)  # fmt: skip
