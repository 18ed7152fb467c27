"""Kriegeskorte 2008: dissimilarities of 92 objects in IT of monkeys and humans, and as judged by people (Mur 2013)."""

from __future__ import annotations

from typing import NamedTuple

from brainmark.core import Benchmark, BenchmarkCard, benchmarks, control_model, datasets, metrics, shuffled
from brainmark.core.experiment import Experiment, Record
from brainmark.metrics.similarity.rsa import rdm_ceiling


class Part(NamedTuple):
    """Whose dissimilarities: as the summary says it, and where they belong in the tree."""

    whose: str
    parent: str


PARTS = {
    "monkeyIT": Part("macaque IT", "IT"),
    "humanIT": Part("human IT", "IT"),
    "judgements": Part("people who arrange them by similarity", "behavior"),
}


def _register(part: str) -> None:
    name, dataset = f"Kriegeskorte2008.{part}-rdm", f"Kriegeskorte2008.{part}"
    source = datasets[dataset].card
    card = BenchmarkCard(
        summary=f"Which of 92 objects are alike to {PARTS[part].whose} and to the IT of the model (RSA).",
        licence=source.licence,
        cite=source.cite,
        domain="vision",
        species=source.species,
        region=PARTS[part].parent,
        parent=PARTS[part].parent,
        datasets=(dataset,),
        metric="rdm",
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Spearman correlation of two RDMs, subject by subject; ceiling between subjects where there are several."""
        study = datasets[dataset].load()
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Record("IT"), study.setting),
            study.measurement,
            metric=metrics["rdm"].load(),
            ceiling=rdm_ceiling() if "subject" in study.measurement.dims else None,
            controls=(control_model("pixels"), shuffled()),
        )


for _part in PARTS:
    _register(_part)
