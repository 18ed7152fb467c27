"""Shared by studies of V1 tuning: histograms of cells, gratings near fixation, and comparison of distributions."""

from __future__ import annotations

from brainmark.core import Benchmark, Comparison, Control, Source, Study, control_model, register_benchmark
from brainmark.core.libraries import pd, xr
from brainmark.core.study import calling_module
from brainmark.data.generated.gratings import v1_tuning
from brainmark.metrics.tuning.distributions import uniform_floor


def describe_cells(cite: str, *sources: Source) -> Study:
    """Return the study of cells of macaque V1 whose counts were published, and ship with the package."""
    return Study(
        licence="facts, not protected", cite=cite, species="macaque", domain="vision", modality="image",
        regions=("V1",), sources=sources, tags=("tuning",),
    )  # fmt: skip


def histogram_of(table: pd.DataFrame, name: str, units: str) -> xr.DataArray:
    """Return the columns ``bin_start, bin_end, cells`` as a histogram: (bin,), numbers of cells."""
    return xr.DataArray(
        table["cells"].to_numpy(int),
        dims="bin",
        coords={column: ("bin", table[column].to_numpy(float)) for column in ("bin_start", "bin_end")},
        name=name,
        attrs={"units": units},
    )


def register_tuning(name: str, dataset: str, tuned: str, meaning: str) -> None:
    """Register the benchmark `name`: the distribution of the property `tuned` over a model's V1 and in `dataset`.

    Models see drifting gratings of 8 degrees, and units near fixation count. `tuned` is a property of
    `brainmark.metrics.tuning.distributions`; `meaning` says for the card what it is.
    """
    register_benchmark(
        name, dataset, "tuning_distribution", ask=lambda _: v1_tuning(), options={"property": tuned},
        summary=f"How {meaning} is distributed over V1 neurons of macaques and units of the model.",
        controls=(uniform(tuned), control_model("pixels")), tags=("tuning",), module=calling_module(),
    )  # fmt: skip


def uniform(tuned: str) -> Control:
    """Return the control in which the units are spread evenly over the range of the property: a high floor."""

    def compare(benchmark: Benchmark, _: xr.DataArray) -> Comparison:
        floor = uniform_floor(benchmark.target, tuned)
        return Comparison(xr.DataArray([floor], dims="property"), center="mean")

    return Control("uniform", compare)
