"""Geirhos 2021: whether a model recognises, and errs on, edges, silhouettes and conflicting cues like people do.

Choices are among 16 kinds of objects, read from the model's own classes; a model without such classes does not apply.
"""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, benchmarks, datasets, metrics, shuffled
from brainmark.core.experiment import Choose, Experiment
from brainmark.metrics.behavior.choices import accuracy_distance_ceiling, error_consistency_ceiling
from brainmark.metrics.behavior.shape_bias import shape_bias_ceiling
from brainmark.studies.geirhos2021 import CITE, FOLDERS, LICENCE, OBJECTS

MEASURES = {
    "error_consistency": ("error_consistency", "behavior", "Whether errors are made on the same images as by people"),
    "accuracy_distance": ("accuracy_distance", "behavior", "How near the accuracy is to people's"),
    "shape_bias": ("shape_bias", "behavior", "Whether shape or texture decides as often as it does for people"),
    "top1": ("accuracy", "engineering", "Share of images recognised"),
}


def _register(condition: str, measure: str) -> None:
    name, dataset = f"Geirhos2021.{condition}-{measure}", f"Geirhos2021.{condition}"
    metric, parent, summary = MEASURES[measure]
    card = BenchmarkCard(
        summary=f"{summary}, among 16 kinds of objects ({condition}).",
        licence=LICENCE,
        cite=CITE,
        domain="vision",
        species=("human",),
        region="behavior",
        parent=parent,
        datasets=(dataset,),
        metric=metric,
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Ceiling: each of ten people against the others; of the accuracy itself there is none."""
        ceilings = {
            "error_consistency": error_consistency_ceiling,
            "accuracy_distance": accuracy_distance_ceiling,
            "shape_bias": shape_bias_ceiling,
        }
        study = datasets[dataset].load()
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Choose(OBJECTS), study.setting),
            study.measurement,
            metric=metrics[metric].load(),
            ceiling=ceilings[measure]() if measure in ceilings else None,
            controls=(shuffled(),),
        )


for _condition in FOLDERS:
    for _measure in MEASURES:
        if _measure != "shape_bias" or _condition == "cue-conflict":
            _register(_condition, _measure)
