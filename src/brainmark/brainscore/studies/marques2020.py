"""Marques 2020 under Brain-Score's identifiers: 22 properties of V1 cells, compared by their distributions."""

from __future__ import annotations

from brainmark.brainscore.metrics.conventions import RATIO
from brainmark.brainscore.metrics.tuning import ceiling, compared
from brainmark.brainscore.studies.marques2020_data import CITE, LICENCE, PROPERTIES, dataset_of, shown
from brainmark.core import Benchmark, BenchmarkCard, benchmarks, control_model, datasets
from brainmark.core.experiment import Experiment, Record

NEAR = 0.15  # degrees between the centre of a receptive field and the stimuli


def _register(identifier: str) -> None:
    name, (assembly, tuned) = f"Marques2020_{identifier}", PROPERTIES[identifier]
    card = BenchmarkCard(
        summary=f"How {tuned.replace('_', ' ')} is distributed over V1 cells and units, as Brain-Score publishes it.",
        licence=LICENCE,
        cite=CITE,
        domain="vision",
        species=("macaque",),
        region="V1",
        parent="V1",
        datasets=(dataset_of(identifier),),
        metric="tuning_distribution",
        tree="brainscore",
        tags=("brainscore", "tuning", "many stimuli"),
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Similarity / that of the cells to draws of themselves; units by where they look, see `brainscore.tuning`."""
        from dataclasses import replace

        study, stimuli = datasets[dataset_of(identifier)].load(), shown(assembly)
        return Benchmark(
            name,
            card,
            Experiment(
                stimuli,
                Record("V1", eccentricity=NEAR),
                replace(study.setting, degrees=float(stimuli.table["degrees"].iloc[0])),
            ),
            study.measurement,
            metric=compared(assembly, tuned, {str(c): stimuli.table[c].to_numpy() for c in stimuli.table}),
            ceiling=ceiling,
            controls=(control_model("pixels"),),
            convention=RATIO,
        )


for _identifier in PROPERTIES:
    _register(_identifier)
