"""A simulated brain: the known-answer test of the whole chain. Says nothing about real brains.

The network behind the simulated neurons, `simulated-truth`, must score 1; nothing else may.
"""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, benchmarks, control_model, datasets, metrics, shuffled
from brainmark.core.experiment import Experiment, Record
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.studies.simulated import BRAINMARK

CARD = BenchmarkCard(
    summary="Simulated, not recorded: neurons of a known network with trial noise, predicted linearly.",
    licence="MIT",
    cite=BRAINMARK,
    domain="vision",
    species=("simulation",),
    region="IT",
    parent="simulated",
    datasets=("Simulated.IT",),
    metric="ridge",
    simulated=True,
)


@benchmarks.add("Simulated.IT-ridge", card=CARD)
def simulated_it_ridge() -> Benchmark:
    """60 simulated neurons, 480 images, 8 trials; reliabilities of the means .4 to .95."""
    study = datasets["Simulated.IT"].load()
    return Benchmark(
        "Simulated.IT-ridge",
        CARD,
        Experiment(study.stimuli, Record("IT"), study.setting),
        study.measurement,
        metric=metrics["ridge"].load(),
        ceiling=split_half(),
        controls=(control_model("pixels"), shuffled()),
    )
