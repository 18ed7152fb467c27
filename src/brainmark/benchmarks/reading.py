"""What benchmarks of readers share: surprisals against reading times and potentials, and what words cost anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from brainmark.core import (
    Benchmark,
    BenchmarkCard,
    Control,
    benchmarks,
    datasets,
    metrics,
    shuffled,
    untrained_twin,
)
from brainmark.core.comparison import Comparison
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Experiment, Read
from brainmark.core.libraries import xr
from brainmark.data.readers.frequency import log_frequency
from brainmark.metrics.language.reading import reliability_ceiling

FITS: dict[Literal["correlation", "partial", "likelihood"], str] = {
    "correlation": "correlated with how unexpected each word is",
    "partial": "correlated with how unexpected each word is, given its length, frequency and position",
    "likelihood": "and how much better a model that knows how unexpected words are predicts them",
}
NUISANCE = ("length", "log_frequency", "position")


@dataclass(frozen=True)
class Reading:
    """What was measured of readers.

    Attributes
    ----------
    dataset : registered; its stimuli have columns ``length`` and ``position``.
    what : the measure, for the card.
    context : coordinate of the texts.
    sign : -1 where the measure falls as words become less predictable.
    spillover : words whose cost goes on into the next ones.
    leave_out : column of the stimuli that is true for words left out when nuisance is taken into account (the last of a
        sentence, where readers wrap up; Frank et al. 2015 leave them out).
    errors : whether the target knows the error of each mean, so that there is a ceiling.
    parent : node of the tree.
    """

    dataset: str
    what: str
    context: str
    sign: Literal[1, -1] = 1
    spillover: int = 0
    leave_out: str | None = None
    errors: bool = False
    parent: str = "behavior"


def register_reading(prefix: str, reading: Reading, fit: Literal["correlation", "partial", "likelihood"]) -> None:
    """Register the benchmark ``<prefix>-<fit>``: surprisals of a model against what was measured of readers."""
    name, source = f"{prefix}-{fit}", datasets[reading.dataset].card
    spread = reading.spillover if fit != "correlation" else 0
    nuisance = NUISANCE if fit != "correlation" else ()
    card = BenchmarkCard(
        summary=f"{reading.what[:1].upper()}{reading.what[1:]}, {FITS[fit]}.",
        licence=source.licence,
        cite=source.cite,
        domain="language",
        species=source.species,
        region=reading.parent,
        parent=reading.parent,
        datasets=(reading.dataset, "Brown.held_out"),
        metric="reading_fit",
        tags=("reading",),
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Surprisal in bits, each word given those before it in its text; draws of texts for the interval."""
        study = datasets[reading.dataset].load()
        metric = metrics["reading_fit"].load(
            fit=fit, nuisance=nuisance, spillover=spread, context=reading.context, sign=reading.sign
        )
        ceiling = reliability_ceiling(nuisance=nuisance, spillover=spread, context=reading.context)
        words = tuple(word_cost(column, reading.sign) for column in NUISANCE) if fit == "correlation" else ()
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Read("surprisal"), study.setting),
            with_word_costs(study, reading.leave_out if nuisance else None),
            metric=metric,
            ceiling=ceiling if reading.errors and fit != "likelihood" else None,
            controls=(*words, untrained_twin(), shuffled()),
        )


def with_word_costs(study: Dataset, leave_out: str | None = None) -> xr.DataArray:
    """Return the measurement of a study with length, frequency and position of each word as coordinates.

    Words for which the column `leave_out` of the stimuli is true are not measured (NaN).
    """
    assert study.stimuli is not None
    table = study.stimuli.table
    columns = {
        "length": table["length"].to_numpy(float),
        "log_frequency": log_frequency(table["text"].astype(str).tolist()),
        "position": table["position"].to_numpy(float),
    }
    measured = study.measurement.assign_coords({name: ("presentation", values) for name, values in columns.items()})
    return measured if leave_out is None else measured.where(~table[leave_out].to_numpy(bool))


def word_cost(column: str, sign: int = 1) -> Control:
    """Return the control in which a property of the words stands in for the model; rare and late words cost more."""
    cost = -1 if column == "log_frequency" else 1

    def compare(benchmark: Benchmark, _: xr.DataArray) -> Comparison:
        target = benchmark.mean_target
        return benchmark.metric(target.copy(data=cost * target.coords[column].values), target)

    return Control({"log_frequency": "word frequency"}.get(column, f"word {column}"), compare)
