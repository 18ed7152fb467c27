"""A simulated brain with a known answer; made when asked for, nothing is downloaded."""

from __future__ import annotations

from brainmark.core import DatasetCard, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Setting
from brainmark.core.libraries import np, pd, xr
from brainmark.core.stimuli import Stimuli
from brainmark.data.generated.leaves import dead_leaves
from brainmark.data.generated.simulated import PIXELS, network_features, simulated_trials

BRAINMARK = """@software{brainmark,
  title = {Brainmark: models of natural intelligence scored against brains and behaviour},
  author = {{The Brainmark developers}},
  year = {2026}
}"""


@datasets.add(
    "Simulated.IT",
    card=DatasetCard(
        summary="Simulated, not recorded: 60 neurons reading out a known network, 480 dead-leaves images, 8 trials.",
        licence="MIT",
        cite=BRAINMARK,
        domain="vision",
        species=("simulation",),
        regions=("IT",),
        modality="image",
        sources=(),
        simulated=True,
    ),
)
def simulated_it(seed: int = 0) -> Dataset:
    """Reliabilities of the trial means are spread evenly from .4 to .95 over the neurons."""
    images, neurons, trials = 480, 60, 8
    names = [f"leaves{i:03d}" for i in range(images)]
    media = tuple(dead_leaves(images, PIXELS, seed))  # made once a process
    stimuli = Stimuli("Simulated.IT", "image", pd.DataFrame({"stimulus_id": names}), media)
    reliabilities = np.linspace(0.4, 0.95, neurons)
    rates, _ = simulated_trials(network_features(media), reliabilities, trials, seed)
    measurement = xr.DataArray(
        rates,
        dims=("repetition", "presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", names),
            "neuroid_id": ("neuroid", [f"simulated-{j:02d}" for j in range(neurons)]),
            "region": ("neuroid", ["IT"] * neurons),
            "subject": ("neuroid", ["simulation"] * neurons),
            "reliability": ("neuroid", reliabilities),
        },
    )
    return Dataset(
        "Simulated.IT", datasets["Simulated.IT"].card, measurement, stimuli, Setting(degrees=8, trials=trials)
    )
