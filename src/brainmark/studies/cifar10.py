"""CIFAR-10 (Krizhevsky 2009): 32 x 32 photographs of ten kinds of objects, with their labels.

The 10,000 test images stand in their usual order; of the 50,000 training images, the first 1000 of each label are
registered. The images are JPEG copies: their pixels differ a little from the lossless originals.
"""

from __future__ import annotations

from brainmark.core import DatasetCard, Setting, Source, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, pd, xr
from brainmark.data.readers.cifar10 import FIRST, FOLDERS, LABELS, ORDER, Split, arrays

CITE = """
@techreport{Krizhevsky2009,
  title = {Learning multiple layers of features from tiny images},
  author = {Krizhevsky, Alex},
  institution = {University of Toronto},
  year = {2009}
}
"""
LICENCE = "none stated (CIFAR-10)"


def _card(summary: str, *sources: Source) -> DatasetCard:
    return DatasetCard(
        summary=summary,
        licence=LICENCE,
        cite=CITE,
        domain="vision",
        species=("human",),
        regions=(),
        modality="image",
        sources=(FOLDERS, *sources),
        tags=("engineering", "many files"),
    )


TEST_CARD = _card("Labels of the 10,000 test images of CIFAR-10.", *ORDER.sources, FIRST["test"])
TRAIN_CARD = _card("Labels of 10,000 training images of CIFAR-10, the first 1000 of each label.", FIRST["train"])


@datasets.add("CIFAR10.test", card=TEST_CARD)
def test_images() -> Dataset:
    """Labels as choices: presentation x choice, 1 for the label that the authors gave."""
    return _study("test", TEST_CARD)


@datasets.add("CIFAR10.train", card=TRAIN_CARD)
def training_images() -> Dataset:
    """Labels as choices: presentation x choice, 1 for the label that the authors gave."""
    return _study("train", TRAIN_CARD)


def _study(split: Split, card: DatasetCard) -> Dataset:

    shown = stimuli(split)
    labels = shown.table["label"].to_numpy()
    measurement = xr.DataArray(
        (labels[:, None] == np.array(LABELS)).astype(np.int64),
        dims=("presentation", "choice"),
        coords={
            "stimulus_id": ("presentation", shown.ids),
            "label": ("presentation", labels),
            "choice": ("choice", list(LABELS)),
        },
    )
    return Dataset(f"CIFAR10.{split}", card, measurement, shown, Setting())


def stimuli(split: Split) -> Stimuli:
    """Return the images of a split with their label (column ``label``)."""
    pixels, labels = arrays(split)
    numbers = np.arange(len(labels))
    ids = pd.Index([f"CIFAR10/{split}/{number:05d}" for number in numbers], name="stimulus_id")
    table = pd.DataFrame({"label": np.array(LABELS)[labels]}, index=ids)
    return Stimuli(f"CIFAR10.{split}", "image", table, pixels)
