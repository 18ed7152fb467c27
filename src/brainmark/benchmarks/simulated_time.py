"""A simulated brain over time: what dynamics are worth where the answer is known. Says nothing about real brains.

`simulated-truth-over-time`, the network behind the simulated neurons, must do best. Without dynamics the course of
the responses can be predicted in part only, and there are no solution times: such a model does not apply.
"""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, Control, benchmarks, control_model, datasets, metrics, shuffled
from brainmark.core.comparison import Comparison
from brainmark.core.experiment import Experiment, Record
from brainmark.core.libraries import np, xr
from brainmark.data.generated.simulated_time import BINS, WIDE
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.time import temporal
from brainmark.metrics.time.temporal import each_time_bin, each_time_bin_ceiling
from brainmark.studies.simulated import BRAINMARK


def _card(summary: str, dataset: str, metric: str) -> BenchmarkCard:
    return BenchmarkCard(
        summary=f"Simulated, not recorded: {summary}",
        licence="MIT",
        cite=BRAINMARK,
        domain="vision",
        species=("simulation",),
        region="IT",
        parent="simulated",
        datasets=(dataset,),
        metric=metric,
        simulated=True,
        tags=("temporal",),
    )


TEMPORAL = _card("neurons of a network over time, predicted bin by bin.", "Simulated.IT-temporal", "ridge")
TIMES = _card("when each object is told from the others.", "Simulated.solution_times", "judgement_correlation")


@benchmarks.add("Simulated.IT-temporal-ridge", card=TEMPORAL)
def temporal_ridge() -> Benchmark:
    """40 simulated neurons, 240 images, 6 bins of 30 ms, 6 trials; one value a bin."""
    study = datasets["Simulated.IT-temporal"].load()
    return Benchmark(
        "Simulated.IT-temporal-ridge",
        TEMPORAL,
        Experiment(study.stimuli, Record("IT", WIDE), study.setting),
        study.measurement,
        metric=each_time_bin(metrics["ridge"].load(resamples=200)),
        ceiling=each_time_bin_ceiling(split_half(halvings=10, resamples=200)),
        controls=(control_model("pixels"), shuffled()),
    )


@benchmarks.add("Simulated.IT-ost", card=TIMES)
def solution_times() -> Benchmark:
    """Solution times of 240 images, without noise: there is no ceiling to divide by."""
    study = datasets["Simulated.solution_times"].load()
    return Benchmark(
        "Simulated.IT-ost",
        TIMES,
        Experiment(study.stimuli, Record("IT", BINS), study.setting),
        study.measurement,
        metric=temporal.solution_times(),
        controls=(shuffled_times(),),
    )


def shuffled_times(seed: int = 0) -> Control:
    """Return the control in which the times belong to the wrong images; with shuffled answers none is solved."""

    def compare(benchmark: Benchmark, answer: xr.DataArray) -> Comparison:

        target = benchmark.mean_target
        order = np.random.default_rng(seed).permutation(target.sizes["presentation"])
        return benchmark.metric(answer, target.copy(data=target.values[order]))

    return Control("shuffled times", compare, per_model=True)
