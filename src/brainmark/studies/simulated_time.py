"""A simulated brain over time, with a known answer; made when asked for, nothing is downloaded."""

from __future__ import annotations

from brainmark.core import DatasetCard, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Setting
from brainmark.core.libraries import np, pd, xr
from brainmark.data.generated.simulated import simulated_trials
from brainmark.data.generated.simulated_time import WIDE, faint_objects, solution_times, units_over_time
from brainmark.studies.simulated import BRAINMARK

IMAGES, NEURONS, TRIALS = 240, 40, 6
THRESHOLD = 2.5  # sensitivity (d') with which primates are taken to solve an image


def _card(summary: str, regions: tuple[str, ...]) -> DatasetCard:
    return DatasetCard(
        summary=f"Simulated, not recorded: {summary}",
        licence="MIT",
        cite=BRAINMARK,
        domain="vision",
        species=("simulation",),
        regions=regions,
        modality="image",
        sources=(),
        simulated=True,
    )


TEMPORAL = _card("40 neurons in 6 bins of 30 ms, 240 images of five objects, 6 trials; faint objects late.", ("IT",))
TIMES = _card("when a brain solves each of 240 images of five objects, faint ones later.", ())


@datasets.add("Simulated.IT-temporal", card=TEMPORAL)
def simulated_temporal(seed: int = 0) -> Dataset:
    """Trials: repetition x presentation x neuroid x time_bin; reliabilities of their means from .4 to .95."""
    stimuli, _ = _stimuli("Simulated.IT-temporal", seed)
    units = units_over_time(stimuli.media, WIDE)
    reliabilities = np.linspace(0.4, 0.95, NEURONS)
    together = np.moveaxis(units, 1, 2).reshape(-1, units.shape[1])  # an image in a bin after the other
    rates = simulated_trials(together, reliabilities, TRIALS, seed)[0].reshape(TRIALS, IMAGES, len(WIDE), NEURONS)
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
    return Dataset("Simulated.IT-temporal", TEMPORAL, measurement, stimuli, Setting(degrees=8, trials=TRIALS))


@datasets.add("Simulated.solution_times", card=TIMES)
def simulated_solution_times(seed: int = 0) -> Dataset:
    """Solution times in ms (presentation,), with the label and the threshold of each image."""
    stimuli, labels = _stimuli("Simulated.solution_times", seed)
    measurement = xr.DataArray(
        solution_times(stimuli.media),
        dims=("presentation",),
        coords={
            "stimulus_id": ("presentation", stimuli.ids),
            "label": ("presentation", labels),
            "threshold": ("presentation", np.full(IMAGES, THRESHOLD)),
        },
        attrs={"units": "ms"},
    )
    return Dataset("Simulated.solution_times", TIMES, measurement, stimuli, Setting(degrees=8))


def _stimuli(identifier: str, seed: int) -> tuple[Stimuli, np.ndarray]:

    from brainmark.core.stimuli import Stimuli

    media, labels = faint_objects(IMAGES, seed)
    names = pd.Index([f"faint{i:03d}" for i in range(IMAGES)], name="stimulus_id")
    return Stimuli(identifier, "image", pd.DataFrame({"label": labels}, index=names), media), labels
