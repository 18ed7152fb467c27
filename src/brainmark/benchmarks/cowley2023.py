"""Cowley 2023: linear predictivity of macaque V4, two sessions.

Session 210325 has trials, hence a ceiling. Of session 201025 only averages are published: its scores are raw.
"""

from __future__ import annotations

from typing import Literal

from brainmark.core import Benchmark, BenchmarkCard, benchmarks, control_model, datasets, metrics, shuffled
from brainmark.data.studies.cowley2023 import CITE

SESSIONS = {"210325": "Cowley2023.V4", "201025": "Cowley2023.V4.201025"}


def _register(session: str, metric: Literal["pls", "ridge"]) -> None:
    name, dataset = f"{SESSIONS[session]}-{metric}", f"Cowley2023.{session}"
    card = BenchmarkCard(
        summary=f"V4 neurons of one macaque (session {session}) predicted linearly, image by image.",
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
        """Mean response to each image; ceiling from split halves of the trials where there are trials."""
        from brainmark.core.experiment import Experiment, Record
        from brainmark.metrics.ceilings import split_half

        study = datasets[dataset].load()
        has_trials = "repetition" in study.measurement.dims
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Record("V4"), study.setting),
            study.measurement,
            metric=metrics[metric].load(),
            ceiling=split_half() if has_trials else None,
            controls=(control_model("pixels"), shuffled()),
        )


for _session in SESSIONS:
    _register(_session, "pls")
    _register(_session, "ridge")
