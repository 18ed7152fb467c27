"""A simulated brain that tests the whole chain with known answers. Its scores do not apply to real brains.

The data are made when asked for. The network behind the simulated neurons, `simulated-truth`, must score 1; nothing
else may.
"""

from __future__ import annotations

from brainmark.core import Setting, Stimuli, Study, register_benchmark
from brainmark.core.libraries import np, pd, xr
from brainmark.data.generated.leaves import dead_leaves
from brainmark.data.generated.simulated import PIXELS, network_features, simulate_trials

IMAGES, NEURONS, TRIALS = 480, 60, 8
STUDY = Study(
    licence="MIT", cite="brainmark", species="simulation", domain="vision", modality="image", regions=("IT",),
    setting=Setting(degrees=8, trials=TRIALS), simulated=True,
)  # fmt: skip


@STUDY.dataset(
    "Simulated.IT",
    summary="Simulated, not recorded: 60 neurons reading out a known network, 480 dead-leaves images, 8 trials.",
)
def simulate_it(seed: int = 0) -> tuple[xr.DataArray, Stimuli]:
    """Simulate neurons whose trial means have reliabilities spread evenly from .4 to .95."""
    names = [f"leaves{i:03d}" for i in range(IMAGES)]
    media = tuple(dead_leaves(IMAGES, PIXELS, seed))  # made once a process
    reliabilities = np.linspace(0.4, 0.95, NEURONS)
    rates, _ = simulate_trials(network_features(media), reliabilities, TRIALS, seed)
    measurement = xr.DataArray(
        rates,
        dims=("repetition", "presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", names),
            "neuroid_id": ("neuroid", [f"simulated-{j:02d}" for j in range(NEURONS)]),
            "region": ("neuroid", ["IT"] * NEURONS),
            "subject": ("neuroid", ["simulation"] * NEURONS),
            "reliability": ("neuroid", reliabilities),
        },
    )
    return measurement, Stimuli("Simulated.IT", "image", pd.DataFrame({"stimulus_id": names}), media)


register_benchmark(
    "Simulated.IT-ridge", "Simulated.IT", "ridge",
    summary="Simulated, not recorded: neurons of a known network with trial noise, predicted linearly.",
)  # fmt: skip
