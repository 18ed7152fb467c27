"""Assemblies in the format of BrainIO as a format of a lab's own recordings."""

from __future__ import annotations

from pathlib import Path

from brainmark.brainscore.brainio import read_assembly
from brainmark.core.libraries import np, pd
from brainmark.data.packaging import Problems, Recordings, Session, add_format
from brainmark.data.packaging.names import as_names


@add_format("brainio", ".nc")
class BrainioSource(Recordings):
    """An assembly of Brain-Score."""

    def read(self, path: Path, base: Path, problems: Problems) -> Session:
        """Return the trials of an assembly; ``animal`` is its word for the subject."""
        assembly = read_assembly(path)
        dims = {"presentation", "neuroid", "time_bin"}
        whole = {"presentation", "neuroid"} <= set(map(str, assembly.dims)) <= dims
        if not whole or "stimulus_id" not in assembly.coords:
            has = ", ".join(map(str, assembly.dims))
            problems.fail(f"{path}: has the dimensions {has}; expected trials of neuroids")
        assembly = assembly.transpose("presentation", "neuroid", "time_bin", missing_dims="ignore")
        columns = {
            str(name): c.values if c.dtype.kind in "fiub" and name != "neuroid_id" else as_names(c.values)
            for name, c in assembly.coords.items()
            if c.dims == ("neuroid",)
        }
        if "neuroid_id" not in columns:
            problems.fail(f"{path}: neuroids have no neuroid_id")
        if "animal" in columns and "subject" not in columns:
            columns["subject"] = columns.pop("animal")
        bins: tuple[tuple[float, float], ...] = ()
        if "time_bin" in assembly.dims:
            if not {"time_bin_start", "time_bin_end"} <= set(map(str, assembly.coords)):
                problems.fail(f"{path}: its time bins have no time_bin_start and time_bin_end")
            scale = 1000.0 if self.time_unit == "s" else 1.0
            edges = (
                (scale * assembly.coords[f"time_bin_{edge}"].values.astype(float)).tolist() for edge in ("start", "end")
            )
            bins = tuple(zip(*edges, strict=True))
        values = np.asarray(assembly.values, assembly.dtype if assembly.dtype.kind == "f" else float)
        values = values[:, :, 0] if len(bins) == 1 else values
        ids = as_names(assembly.coords["stimulus_id"].values)
        kept = ~np.isin(ids, self.skip)
        return Session(str(path), ids[kept], values[kept], pd.DataFrame(columns), bins, self.units)
