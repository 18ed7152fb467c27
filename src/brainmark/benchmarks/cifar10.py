"""CIFAR-10 as engineering benchmarks: top-1 accuracy on the test images, plain and under fifteen corruptions.

Each test image is shown once with each corruption: at severity 1, 2, 3, 4 or 5 in turn, so that every severity has
2000 images. The published corrupted set shows each at all five, and other frost.
"""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, Stimuli, benchmarks, datasets, metrics, shuffled
from brainmark.core.experiment import Choose, Experiment
from brainmark.core.libraries import np
from brainmark.data.generated.corruptions import corrupt
from brainmark.studies.cifar10 import CITE, LABELS, LICENCE

HENDRYCKS_2019 = """@inproceedings{hendrycks2019,
  title = {Benchmarking neural network robustness to common corruptions and perturbations},
  author = {Hendrycks, Dan and Dietterich, Thomas}, booktitle = {ICLR}, year = {2019}}"""
CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise",
    "defocus_blur", "glass_blur", "motion_blur", "zoom_blur",
    "snow", "frost", "fog", "brightness",
    "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip


def _register(corruption: str | None) -> None:
    name = f"CIFAR10C.{corruption}-top1" if corruption else "CIFAR10-top1"
    shown = f" under {corruption.replace('_', ' ')}, severities 1 to 5" if corruption else ""
    card = BenchmarkCard(
        summary=f"Accuracy of naming the 10,000 test images of CIFAR-10{shown}.",
        licence=LICENCE,
        cite=f"{CITE}\n{HENDRYCKS_2019}" if corruption else CITE,
        domain="vision",
        species=("none",),
        region="behavior",
        parent="engineering",
        datasets=("CIFAR10.test",),
        metric="accuracy",
        tags=("engineering", "many stimuli", *(("robustness",) if corruption else ())),
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Choices among the ten labels; the right one is the authors' label, so the ceiling is 1 by definition."""
        study = datasets["CIFAR10.test"].load()
        stimuli = _corrupted(study.stimuli, corruption) if corruption else study.stimuli
        return Benchmark(
            name,
            card,
            Experiment(stimuli, Choose(labels=LABELS), study.setting),
            study.measurement,
            metric=metrics["accuracy"].load(),
            controls=(shuffled(),),
        )


def _corrupted(stimuli: Stimuli, corruption: str) -> Stimuli:
    """Return the stimuli under a corruption, with the column ``severity``."""
    pixels = np.asarray(stimuli.media)
    severity = np.arange(len(pixels)) % 5 + 1
    changed = np.empty_like(pixels)
    for level in range(1, 6):
        changed[severity == level] = corrupt(pixels[severity == level], corruption, level)
    table = stimuli.table.assign(severity=severity)
    return Stimuli(f"CIFAR10C.{corruption}", stimuli.modality, table, changed)


for _corruption in (None, *CORRUPTIONS):
    _register(_corruption)
