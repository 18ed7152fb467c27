"""Kar 2019 under the identifier and in the convention of Brain-Score: when a model and IT solve each image."""

from __future__ import annotations

from brainmark.brainscore.metrics.assemblies import single
from brainmark.brainscore.metrics.conventions import RATIO
from brainmark.brainscore.metrics.solution_times import SolutionTimes
from brainmark.brainscore.studies.kar2019_data import CITE
from brainmark.core import Benchmark, BenchmarkCard, benchmarks, datasets
from brainmark.core.experiment import Experiment, Record

NAME = "Kar2019-ost"
BINS = tuple((float(start), float(start + 10)) for start in range(70, 250, 10))  # ms
CEILING = 0.79  # computed by the authors
CARD = BenchmarkCard(
    summary="When each object is solved, by macaque IT and by a model over time, as Brain-Score publishes it.",
    licence="not stated; see the publication",
    cite=CITE,
    domain="vision",
    species=("macaque",),
    region="IT",
    parent="IT",
    datasets=("Kar2019",),
    metric="judgement_correlation",
    tree="brainscore",
    tags=("brainscore", "temporal", "many stimuli"),
)


@benchmarks.add(NAME, card=CARD)
def kar2019_ost() -> Benchmark:
    """Without dynamics a model does not apply (published: NaN); starting weights differ, see `SolutionTimes`."""
    study = datasets["Kar2019"].load()
    return Benchmark(
        NAME,
        CARD,
        Experiment(study.stimuli, Record("IT", BINS), study.setting),
        study.measurement,
        metric=SolutionTimes(),
        ceiling=lambda _: single(CEILING),
        convention=RATIO,
    )
