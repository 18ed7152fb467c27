"""Kar 2022: which faces look happy to people with and without autism, and to a model.

Models learn the two words from 16 morphs that nobody judged, and are asked about the 28 that people judged. Both are
of the same four faces: a model may interpolate between pictures of one face, which is why pixels score high and stand
beside every model as a control. With the face that is asked about held out, pixels fall to two thirds.
"""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, benchmarks, control_model, datasets, metrics, shuffled
from brainmark.core.experiment import Choose, Experiment
from brainmark.metrics.behavior.judgements import judgement_ceiling
from brainmark.metrics.behavior.shares import curve_similarity_ceiling
from brainmark.studies.kar2022 import CITE, GROUPS, LICENCE, UNJUDGED, faces

MEASURES = {
    "image_level": ("share_correlation", "Which of 28 morphed faces look how happy, face by face"),
    "psychometric": ("curve_similarity", "How judgements turn from fearful to happy along seven levels of morphing"),
}


def _register(group: str, measure: str) -> None:
    name, dataset = f"Kar2022.{group}-{measure}", f"Kar2022.{group}"
    metric, summary = MEASURES[measure]
    card = BenchmarkCard(
        summary=f"{summary} ({GROUPS[group][1]} people, {group}); models learn from other morphs of the same faces.",
        licence=LICENCE,
        cite=CITE,
        domain="vision",
        species=("human",),
        region="behavior",
        parent="behavior",
        datasets=(dataset,),
        metric=metric,
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Shares of trials judged happy, person by person; ceiling between people."""
        study = datasets[dataset].load()
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Choose(fitting=faces(UNJUDGED)), study.setting),
            study.mean,
            metric=metrics[metric].load(choice="happy"),
            ceiling=judgement_ceiling() if measure == "image_level" else curve_similarity_ceiling(),
            controls=(control_model("pixels"), shuffled()),
        )


for _group in GROUPS:
    for _measure in MEASURES:
        _register(_group, _measure)
