"""A simulated brain over time with known answers for models with dynamics. Its scores do not apply to real brains.

The data are made when asked for. `simulated-truth-over-time`, the network behind the simulated neurons, must do best.
Without dynamics the course of the responses can be predicted in part only, and there are no solution times: such a
model does not apply.
"""

from __future__ import annotations

from dataclasses import replace

from brainmark.core import Benchmark, Comparison, Control, Record, Setting, Stimuli, register_benchmark
from brainmark.core.libraries import np, pd, xr
from brainmark.data.generated.simulated import simulate_trials
from brainmark.data.generated.simulated_time import BINS, WIDE, faint_objects, solution_times, units_over_time
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.studies import simulated

IMAGES, NEURONS, TRIALS = 240, 40, 6
THRESHOLD = 2.5  # sensitivity (d') with which primates are taken to solve an image
STUDY = replace(simulated.STUDY, regions=(), setting=Setting(degrees=8))


@STUDY.dataset(
    "Simulated.IT-temporal", regions=("IT",), setting=Setting(degrees=8, trials=TRIALS),
    summary="Simulated, not recorded: 40 neurons in 6 bins of 30 ms, 240 images of five objects, 6 trials; faint "
    "objects late.",
)  # fmt: skip
def simulate_recording(seed: int = 0) -> tuple[xr.DataArray, Stimuli]:
    """Simulate trials, repetition x presentation x neuroid x time_bin; reliabilities of their means from .4 to .95."""
    stimuli = _stimuli("Simulated.IT-temporal", seed)
    units = units_over_time(stimuli.media, WIDE)
    reliabilities = np.linspace(0.4, 0.95, NEURONS)
    together = np.moveaxis(units, 1, 2).reshape(-1, units.shape[1])  # an image in a bin after the other
    rates = simulate_trials(together, reliabilities, TRIALS, seed)[0].reshape(TRIALS, IMAGES, len(WIDE), NEURONS)
    measurement = xr.DataArray(
        np.moveaxis(rates, 3, 2),
        dims=("repetition", "presentation", "neuroid", "time_bin"),
        coords={
            "stimulus_id": ("presentation", stimuli.ids),
            "neuroid_id": ("neuroid", [f"simulated-{j:02d}" for j in range(NEURONS)]),
            "region": ("neuroid", ["IT"] * NEURONS),
            "subject": ("neuroid", ["simulation"] * NEURONS),
            "reliability": ("neuroid", reliabilities),
            "time_bin_start": ("time_bin", [start for start, _ in WIDE]),
            "time_bin_end": ("time_bin", [end for _, end in WIDE]),
        },
    )
    return measurement, stimuli


@STUDY.dataset(
    "Simulated.solution_times",
    summary="Simulated, not recorded: when a brain solves each of 240 images of five objects, faint ones later.",
)
def simulate_solution_times(seed: int = 0) -> tuple[xr.DataArray, Stimuli]:
    """Return solution times in ms (presentation,), with the label and the threshold of each image."""
    stimuli = _stimuli("Simulated.solution_times", seed)
    measurement = xr.DataArray(
        solution_times(stimuli.media),
        dims=("presentation",),
        coords={
            "stimulus_id": ("presentation", stimuli.ids),
            "label": ("presentation", stimuli.table["label"].to_numpy()),
            "threshold": ("presentation", np.full(IMAGES, THRESHOLD)),
        },
        attrs={"units": "ms"},
    )
    return measurement, stimuli


def _stimuli(identifier: str, seed: int) -> Stimuli:
    media, labels = faint_objects(IMAGES, seed)
    names = pd.Index([f"faint{i:03d}" for i in range(IMAGES)], name="stimulus_id")
    return Stimuli(identifier, "image", pd.DataFrame({"label": labels}, index=names), media)


def shuffle_times(seed: int = 0) -> Control:
    """Return the control in which the times belong to the wrong images; with shuffled answers none is solved."""

    def compare(benchmark: Benchmark, answer: xr.DataArray) -> Comparison:
        target = benchmark.mean_target
        order = np.random.default_rng(seed).permutation(target.sizes["presentation"])
        return benchmark.metric(answer, target.copy(data=target.values[order]))

    return Control("shuffled times", compare, per_model=True)


register_benchmark(
    "Simulated.IT-temporal-ridge", "Simulated.IT-temporal", "ridge", options={"resamples": 200},
    summary="Simulated, not recorded: neurons of a network over time, predicted bin by bin.",
    ceiling=lambda _: split_half(halvings=10, resamples=200), tags=("temporal",),
)  # fmt: skip
register_benchmark(
    "Simulated.IT-ost", "Simulated.solution_times", "solution_times", ask=Record("IT", BINS), region="IT",
    summary="Simulated, not recorded: when each object can be distinguished from the others.",
    controls=(shuffle_times(),), tags=("temporal",),
)  # fmt: skip
