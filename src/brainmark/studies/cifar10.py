"""CIFAR-10 (Krizhevsky 2009): photographs of ten kinds of objects, whose names a model gives, also under corruptions.

The 10,000 test images stand in their usual order; of the 50,000 training images, the first 1000 of each label are
registered. The images are JPEG copies: their pixels differ a little from the lossless originals.

With each of fifteen corruptions each test image is shown once: at severity 1, 2, 3, 4 or 5 in turn, so that every
severity has 2000 images. The published corrupted set shows each at all five, and other frost.
"""

from __future__ import annotations

from functools import partial

from brainmark.core import Choose, Dataset, Experiment, Stimuli, Study, register_benchmark
from brainmark.core.libraries import np, pd, xr
from brainmark.data.generated.corruptions import corrupt
from brainmark.data.readers.cifar10 import FIRST, FOLDERS, LABELS, ORDER, Split, arrays

CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise",
    "defocus_blur", "glass_blur", "motion_blur", "zoom_blur",
    "snow", "frost", "fog", "brightness",
    "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip
STUDY = Study(
    licence="none stated (CIFAR-10)", cite="krizhevsky2009", species="human", domain="vision", modality="image",
    tags=("engineering", "many files"),
)  # fmt: skip


@STUDY.dataset(
    "CIFAR10.test",
    "test",
    summary="Labels of the 10,000 test images of CIFAR-10.",
    sources=(FOLDERS, *ORDER.sources, FIRST["test"]),
)
@STUDY.dataset(
    "CIFAR10.train", "train",
    summary="Labels of 10,000 training images of CIFAR-10, the first 1000 of each label.",
    sources=(FOLDERS, FIRST["train"]),
)  # fmt: skip
def read_labels(split: Split) -> tuple[xr.DataArray, Stimuli]:
    """Read the labels as choices, presentation x choice: 1 for the label that the authors gave."""
    shown = stimuli(split)
    labels = shown.table["label"].to_numpy()
    return choices_of(shown, (labels[:, None] == np.array(LABELS)).astype(np.int64)), shown


def choices_of(shown: Stimuli, counts: np.ndarray) -> xr.DataArray:
    """Return how often each label was chosen for each image as a measurement: presentation x choice."""
    return xr.DataArray(
        counts,
        dims=("presentation", "choice"),
        coords={
            "stimulus_id": ("presentation", shown.ids),
            "label": ("presentation", shown.table["label"].to_numpy()),
            "choice": ("choice", list(LABELS)),
        },
    )


def stimuli(split: Split) -> Stimuli:
    """Return the images of a split with their label (column ``label``)."""
    pixels, labels = arrays(split)
    numbers = np.arange(len(labels))
    ids = pd.Index([f"CIFAR10/{split}/{number:05d}" for number in numbers], name="stimulus_id")
    table = pd.DataFrame({"label": np.array(LABELS)[labels]}, index=ids)
    return Stimuli(f"CIFAR10.{split}", "image", table, pixels)


def _ask_corrupted(data: Dataset, corruption: str) -> Experiment:
    return Experiment(corrupt_stimuli(data.shown, corruption), Choose(LABELS), data.setting)


def corrupt_stimuli(stimuli: Stimuli, corruption: str) -> Stimuli:
    """Return the stimuli under a corruption, with the column ``severity``."""
    pixels = np.asarray(stimuli.media)
    severity = np.arange(len(pixels)) % 5 + 1
    changed = np.empty_like(pixels)
    for level in range(1, 6):
        changed[severity == level] = corrupt(pixels[severity == level], corruption, level)
    table = stimuli.table.assign(severity=severity)
    return Stimuli(f"CIFAR10C.{corruption}", stimuli.modality, table, changed)


TAGS = ("engineering", "many stimuli")
register_benchmark(
    "CIFAR10-top1", "CIFAR10.test", "accuracy", ask=Choose(LABELS), species=("none",), parent="engineering", tags=TAGS,
    summary="Accuracy of naming the 10,000 test images of CIFAR-10.",
)  # fmt: skip
for _corruption in CORRUPTIONS:
    register_benchmark(
        f"CIFAR10C.{_corruption}-top1", "CIFAR10.test", "accuracy",
        ask=partial(_ask_corrupted, corruption=_corruption),
        summary="Accuracy of naming the 10,000 test images of CIFAR-10 "
        f"under {_corruption.replace('_', ' ')}, severities 1 to 5.",
        cite="krizhevsky2009 hendrycks2019", species=("none",), parent="engineering", tags=(*TAGS, "robustness"),
    )  # fmt: skip
