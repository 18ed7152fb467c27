"""What benchmarks of V1 tuning share: gratings to units near fixation, and the distribution of a property."""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, Control, benchmarks, control_model, datasets, metrics
from brainmark.core.comparison import Comparison
from brainmark.core.libraries import xr
from brainmark.data.generated.gratings import v1_tuning
from brainmark.metrics.tuning.distributions import distribution_ceiling, uniform_floor


def register_tuning(name: str, dataset: str, tuned: str, meaning: str) -> None:
    """Register the benchmark `name`: the distribution of the property `tuned` over a model's V1 and in `dataset`.

    Parameters
    ----------
    name : of the benchmark, ``<Study><Year>.V1-<property>``.
    dataset : registered; one value a cell, or a histogram of cells.
    tuned : property of `brainmark.metrics.tuning.distributions`.
    meaning : what the property is, for the card.
    """
    source = datasets[dataset].card
    card = BenchmarkCard(
        summary=f"How {meaning} is distributed over V1 neurons of macaques and units of the model.",
        licence=source.licence,
        cite=source.cite,
        domain="vision",
        species=source.species,
        region="V1",
        parent="V1",
        datasets=(dataset,),
        metric="tuning_distribution",
        tags=("tuning",),
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Drifting gratings of 8 degrees; units near fixation; 1 - normalised Kolmogorov-Smirnov distance."""
        return Benchmark(
            name,
            card,
            v1_tuning(),
            datasets[dataset].load().measurement,
            metric=metrics["tuning_distribution"].load(property=tuned),
            ceiling=distribution_ceiling(tuned),
            controls=(uniform(tuned), control_model("pixels")),
        )


def uniform(tuned: str) -> Control:
    """Return the control in which the units are spread evenly over the range of the property: a high floor."""

    def compare(benchmark: Benchmark, _: xr.DataArray) -> Comparison:

        floor = uniform_floor(benchmark.target, tuned)
        return Comparison(xr.DataArray([floor], dims="property"), center="mean")

    return Control("uniform", compare)
