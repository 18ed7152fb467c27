"""Cowley 2023: macaque V4, two sessions: neurons predicted linearly, and the geometry of the population.

Session 210325 has trials, hence a ceiling. Of session 201025 only averages are published: its scores are raw.
The sessions share neither images nor neurons, so that each is split within itself, and no map from units to neurons
can go from one to the other. What does carry over is the choice of a layer: `brainmark layers` makes it on one
session and tells how good it is on the other.
"""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, benchmarks, control_model, datasets, metrics, shuffled
from brainmark.core.comparison import Ceiling
from brainmark.core.experiment import Experiment, Record
from brainmark.metrics.similarity.alignment import cka_ceiling
from brainmark.metrics.similarity.rsa import rdm_ceiling
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.studies.cowley2023 import CITE

SESSIONS = {"210325": "Cowley2023.V4", "201025": "Cowley2023.V4.201025"}
METRICS = {
    "pls": "predicted linearly, image by image, from 25 components",
    "ridge": "predicted linearly, image by image",
    "rdm": "and which images they answer alike, next to the model (RSA)",
    "cka": "and the kernel of their population, aligned with the model's",
}

RESAMPLES = {"rdm": 200}  # draws of images; ranks of 204,000 and 719,000 pairs take long


def _ceiling(metric: str, resamples: int) -> Ceiling:
    """What the noiseless population would reach, from parts of the trials."""
    return {"rdm": rdm_ceiling, "cka": cka_ceiling}.get(metric, split_half)(resamples=resamples)


def _register(session: str, metric: str) -> None:
    name, dataset = f"{SESSIONS[session]}-{metric}", f"Cowley2023.{session}"
    card = BenchmarkCard(
        summary=f"V4 neurons of one macaque (session {session}), {METRICS[metric]}.",
        licence="GPL-3.0",
        cite=CITE,
        domain="vision",
        species=("macaque",),
        region="V4",
        parent="V4",
        datasets=(dataset,),
        metric=metric,
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Mean response to each image; ceiling from the trials where there are trials."""
        study, resamples = datasets[dataset].load(), RESAMPLES.get(metric, 1000)
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Record("V4"), study.setting),
            study.measurement,
            metric=metrics[metric].load(resamples=resamples),
            ceiling=_ceiling(metric, resamples) if "repetition" in study.measurement.dims else None,
            controls=(control_model("pixels"), shuffled()),
        )


for _session in SESSIONS:
    for _metric in METRICS:
        _register(_session, _metric)
