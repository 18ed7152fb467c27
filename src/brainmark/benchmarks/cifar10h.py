"""Peterson 2019 (CIFAR-10H): how people spread their choices over ten labels, image by image.

Models learn the labels from 10,000 training images (those with a head of their own, too: all are asked the same), and
give probabilities for the 10,000 test images.
"""

from __future__ import annotations

from typing import Literal

from brainmark.core import Benchmark, BenchmarkCard, Control, benchmarks, datasets, metrics, shuffled
from brainmark.core.comparison import Comparison
from brainmark.core.experiment import Choose, Experiment
from brainmark.core.libraries import np, xr
from brainmark.metrics.behavior.soft_labels import soft_labels_ceiling
from brainmark.studies.cifar10 import LABELS
from brainmark.studies.cifar10h import CITE, LICENCE

ASPECTS: dict[str, tuple[Literal["choices", "entropy", "errors"], str]] = {
    "soft_labels": ("choices", "How people and the model spread their choices over all labels."),
    "entropy": ("entropy", "On which images people and the model are unsure."),
    "error_patterns": ("errors", "What people and the model take an image for when they do not name it rightly."),
}


def _register(aspect: str) -> None:
    name = f"CIFAR10H-{aspect}"
    compared, summary = ASPECTS[aspect]
    card = BenchmarkCard(
        summary=summary,
        licence=LICENCE,
        cite=CITE,
        domain="vision",
        species=("human",),
        region="behavior",
        parent="behavior",
        datasets=("CIFAR10H", "CIFAR10.train"),
        metric="soft_labels",
        tags=("many stimuli",),
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Correlation over images (and labels); ceiling from random halves of the choices."""
        study, examples = datasets["CIFAR10H"].load(), datasets["CIFAR10.train"].load().stimuli
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Choose(LABELS, examples), study.setting),
            study.measurement,
            metric=metrics["soft_labels"].load(aspect=compared),
            ceiling=soft_labels_ceiling(compared),
            controls=(shuffled(), shuffled_within_label()),
        )


def shuffled_within_label(seed: int = 0) -> Control:
    """Return the control in which answers are exchanged among images of one label: what is left is no image's own."""

    def compare(benchmark: Benchmark, answer: xr.DataArray) -> Comparison:

        generator = np.random.default_rng(seed)
        labels = benchmark.target.coords["label"].values
        order = np.arange(len(labels))
        for label in np.unique(labels):
            places = np.flatnonzero(labels == label)
            order[places] = generator.permutation(places)
        wrong = answer.transpose("presentation", ...).copy(data=answer.transpose("presentation", ...).values[order])
        return benchmark.metric(wrong, benchmark.mean_target)

    return Control("shuffled within label", compare, per_model=True)


for _aspect in ASPECTS:
    _register(_aspect)
