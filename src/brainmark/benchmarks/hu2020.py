"""Hu 2020 (SyntaxGym): whether surprisals obey what a grammar of English predicts, suite by suite.

Predictions are about sums of surprisals over regions. A model without expectations fulfils some of them by chance:
see the control, in which surprisals are exchanged between regions.
"""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, benchmarks, datasets, metrics, shuffled, untrained_twin
from brainmark.core.experiment import Experiment, Read
from brainmark.studies.hu2020 import CITE, LICENCE, SUITES, predictions


def _register(suite: str) -> None:
    name = f"SyntaxGym.{suite}"
    card = BenchmarkCard(
        summary=f"Share of items in which surprisals are as the grammar predicts (suite {suite}).",
        licence=LICENCE,
        cite=CITE,
        domain="language",
        species=("none",),
        region="behavior",
        parent="engineering",
        datasets=(name,),
        metric="predictions_hold",
        tags=("engineering", "grammar"),
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """One value a prediction; surprisal in bits, each region given those before it in its sentence."""
        study = datasets[name].load()
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Read("surprisal"), study.setting),
            study.measurement,
            metric=metrics["predictions_hold"].load(formulas=predictions(suite)),
            controls=(untrained_twin(), shuffled()),
        )


for _suite in SUITES:
    _register(_suite)
