"""Peterson et al. 2019 (CIFAR-10H): what people took the 10,000 test images of CIFAR-10 for.

About 50 choices among ten labels for each image, made in a browser: the size in degrees is not known.
"""

from __future__ import annotations

from brainmark.core import DatasetCard, Setting, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import np, xr
from brainmark.data.fetch import GitFolder
from brainmark.data.readers.arrays import array_of
from brainmark.data.readers.cifar10 import FIRST, FOLDERS, LABELS, ORDER
from brainmark.studies.cifar10 import stimuli

CITE = """
@inproceedings{Peterson2019,
  title = {Human uncertainty makes classification more robust},
  author = {Peterson, Joshua C. and Battleday, Ruairidh M. and Griffiths, Thomas L. and Russakovsky, Olga},
  booktitle = {Proceedings of the IEEE International Conference on Computer Vision},
  pages = {9617--9626},
  year = {2019}
}
"""
LICENCE = "CC-BY-NC-SA-4.0"
COUNTS = GitFolder(
    owner="jcpeterson",
    repo="cifar-10h",
    commit="48da312b193b82e6939ec20f23d1f09cbdd849c8",
    folder="data",
    files={"cifar10h-counts.npy": ("9b36b4550349af56c79083356312eb4af856cc5fd3caf1f669d40b9d0bbb69ff", 800128)},
)
CARD = DatasetCard(
    summary="511,000 choices of people among ten labels for the 10,000 test images of CIFAR-10.",
    licence=LICENCE,
    cite=CITE,
    domain="vision",
    species=("human",),
    regions=(),
    modality="image",
    sources=(*COUNTS.sources, *ORDER.sources, FOLDERS, FIRST["test"]),
    tags=("many files",),
)


@datasets.add("CIFAR10H", card=CARD)
def cifar10h() -> Dataset:
    """Counts of choices: presentation x choice."""
    shown = stimuli("test")
    counts = array_of(COUNTS.fetch("cifar10h-counts.npy"), (len(shown), len(LABELS)))
    measurement = xr.DataArray(
        counts.astype(np.int64),
        dims=("presentation", "choice"),
        coords={
            "stimulus_id": ("presentation", shown.ids),
            "label": ("presentation", shown.table["label"].to_numpy()),
            "choice": ("choice", list(LABELS)),
        },
        attrs={"units": "choices"},
    )
    return Dataset("CIFAR10H", CARD, measurement, shown, Setting())
