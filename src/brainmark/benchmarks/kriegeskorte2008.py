"""Kriegeskorte 2008: dissimilarities of 92 objects in the inferior temporal cortex of monkeys and humans."""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, benchmarks, control_model, datasets, metrics, shuffled
from brainmark.data.studies.kriegeskorte2008 import CITE

SPECIES = {"monkeyIT": "macaque", "humanIT": "human"}


def _register(part: str) -> None:
    name, dataset = f"Kriegeskorte2008.{part}-rdm", f"Kriegeskorte2008.{part}"
    card = BenchmarkCard(
        summary=f"Which of 92 objects are alike to {SPECIES[part]} IT and to the model (RSA).",
        licence="MIT (rsatoolbox); published with the paper",
        cite=CITE,
        domain="vision",
        species=(SPECIES[part],),
        region="IT",
        parent="IT",
        datasets=(dataset,),
        metric="rdm",
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Spearman correlation of model and brain RDM; ceiling between subjects where there are several."""
        from brainmark.core.experiment import Experiment, Record
        from brainmark.metrics.similarity import rdm_ceiling

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


for _part in SPECIES:
    _register(_part)
