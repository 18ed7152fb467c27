"""A recording of Brain-Score's packaging becomes one of our packages, and a package of ours is read by theirs.

    parity/vision/bin/pip install -e . && parity/vision/bin/python bench/parity/packages.py

brainscore-core is enough. Everything is synthetic and lies in a temporary folder; fails if a trial or a coordinate
differs.
"""

from __future__ import annotations

import importlib.metadata
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from brainio import Both, same, stimulus_table, trials

SAID = {
    "identifier": "Parity2026", "summary": "Synthetic.", "licence": "MIT", "species": "macaque", "degrees": 8,
    "cite": "@misc{parity, title = {Parity}, year = {2026}}", "duration": 100,
}  # fmt: skip


def packages(both: Both, bins: int) -> None:
    """Both directions, trial by trial."""
    from brainmark.brainscore import brainio
    from brainmark.data.packaging import load_package, package, parse_description

    name, table = f"theirs{bins}", stimulus_table(60)
    features = np.random.default_rng(3).normal(size=(len(table), 40))
    files = both.write_theirs(table, trials(table, features, 10, 5, bins), name)
    stimuli = {"table": files[1].name, "archive": files[2].name, "id": "image_id"}
    told = {**SAID, "stimuli": stimuli, "recording": {"file": files[0].name, "units": "z"}}
    package(parse_description(told, name), both.folder, both.folder / f"package{bins}")
    study = load_package(both.folder / f"package{bins}")
    theirs = both.read_theirs(*files, name)
    both.check(f"their recording ({bins} bins), packaged: every trial", every_trial(study.measurement, theirs))

    back = both.folder / f"ours{bins}.nc", both.folder / f"ours{bins}.csv", both.folder / f"ours{bins}.zip"
    brainio.write_assembly(study.measurement, back[0])
    brainio.write_stimuli(study.stimuli, back[1], back[2])
    mine = brainio.merge(brainio.read_assembly(back[0]), brainio.read_stimuli(back[1], back[2], f"ours{bins}"))
    there = both.read_theirs(*back, f"ours{bins}")
    both.check(f"our package ({bins} bins), read there: values and coordinates", same(mine, there), f"{there.shape}")


def every_trial(measurement: xr.DataArray, theirs: Any) -> bool:
    """Whether the n-th trial of a stimulus in their file is its n-th repetition here, and none is added."""
    flat = xr.DataArray(theirs).reset_index(list(theirs.indexes)).transpose("presentation", "neuroid", "time_bin")
    values = flat.values if flat.sizes["time_bin"] > 1 else flat.values[:, :, 0]
    ours = measurement.transpose("presentation", "repetition", "neuroid", ...).values
    place = {one: k for k, one in enumerate(measurement.coords["stimulus_id"].values.tolist())}
    seen = dict.fromkeys(place, 0)
    for one, trial in zip(flat["image_id"].values.astype(str).tolist(), values, strict=True):
        if not np.array_equal(ours[place[one], seen[one]], trial):
            return False
        seen[one] += 1
    return int(np.isfinite(ours).sum()) == values.size


def main() -> int:
    """Compare; return the exit status."""
    for name in ("brainscore-core", "xarray", "pandas", "netCDF4", "h5netcdf"):
        print(f"{name} {importlib.metadata.version(name)}", end="; ")
    print()
    with tempfile.TemporaryDirectory() as folder:
        both = Both(Path(folder))
        for bins in (1, 3):
            packages(both, bins)
    return 1 if both.failed else 0


if __name__ == "__main__":
    sys.exit(main())
