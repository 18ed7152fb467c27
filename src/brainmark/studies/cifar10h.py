"""Peterson et al. 2019 (CIFAR-10H): what people took the 10,000 test images of CIFAR-10 for.

About 50 choices among ten labels for each image, made in a browser: the size in degrees is not known. Models learn the
labels from 10,000 training images, also those with a classifier of their own, and give probabilities for the test
images.
"""

from __future__ import annotations

from brainmark.core import (
    Benchmark,
    Choose,
    Comparison,
    Control,
    Dataset,
    Stimuli,
    Study,
    datasets,
    register_benchmark,
    shuffled,
)
from brainmark.core.libraries import np, xr
from brainmark.data.fetch import GitFolder
from brainmark.data.readers.arrays import array_of
from brainmark.data.readers.cifar10 import FIRST, FOLDERS, LABELS, ORDER
from brainmark.studies.cifar10 import choices_of, stimuli

COUNTS = GitFolder(
    "jcpeterson/cifar-10h@48da312b193b82e6939ec20f23d1f09cbdd849c8/data",
    {"cifar10h-counts.npy": ("9b36b4550349af56c79083356312eb4af856cc5fd3caf1f669d40b9d0bbb69ff", 800128)},
)
STUDY = Study(licence="CC-BY-NC-SA-4.0", cite="peterson2019", species="human", domain="vision", modality="image")


@STUDY.dataset(
    "CIFAR10H",
    summary="511,000 choices of people among ten labels for the 10,000 test images of CIFAR-10.",
    sources=(*COUNTS.sources, *ORDER.sources, FOLDERS, FIRST["test"]),
    tags=("many files",),
)
def read_counts() -> tuple[xr.DataArray, Stimuli]:
    """Read how often each label was chosen, presentation x choice."""
    shown = stimuli("test")
    counts = array_of(COUNTS.fetch("cifar10h-counts.npy"), (len(shown), len(LABELS)))
    return choices_of(shown, counts.astype(np.int64)).assign_attrs(units="choices"), shown


def _ask(_: Dataset) -> Choose:
    return Choose(LABELS, datasets["CIFAR10.train"].load().shown)


def shuffled_within_label(seed: int = 0) -> Control:
    """Return the control in which answers are exchanged among images of one label."""

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


for _name, _aspect, _summary in (
    ("soft_labels", "choices", "How people and the model spread their choices over all labels."),
    ("entropy", "entropy", "On which images people and the model are unsure."),
    ("error_patterns", "errors", "What people and the model take an image for when they do not name it rightly."),
):
    register_benchmark(
        f"CIFAR10H-{_name}", "CIFAR10H", "soft_labels", ask=_ask, options={"aspect": _aspect}, summary=_summary,
        controls=(shuffled(), shuffled_within_label()), datasets=("CIFAR10H", "CIFAR10.train"), tags=("many stimuli",),
    )  # fmt: skip
