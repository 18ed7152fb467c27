"""Cowley, Stan, Pillow & Smith 2023: V4 of a fixating macaque, two test sessions with a Utah array.

Spike counts in 100 ms bins. How large the images were shown is stated neither with the data nor in the abstract of
the paper; `Setting.degrees` is therefore None.
"""

from __future__ import annotations

from brainmark.core import DataError, DatasetCard, Setting, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import pd, xr
from brainmark.data.fetch import GitFolder
from brainmark.data.readers.archive import ZipImages
from brainmark.data.readers.arrays import array_of

CITE = """
@article{Cowley2023,
  title = {Compact deep neural network models of visual cortex},
  author = {Cowley, Benjamin R. and Stan, Patricia L. and Pillow, Jonathan W. and Smith, Matthew A.},
  journal = {bioRxiv},
  year = {2023},
  doi = {10.1101/2023.11.22.568315}
}
@article{Cowley2026,
  title = {Compact deep neural network models of the visual cortex},
  author = {Cowley, Benjamin R. and Stan, Patricia L. and Pillow, Jonathan W. and Smith, Matthew A.},
  journal = {Nature},
  year = {2026},
  doi = {10.1038/s41586-026-10150-1}
}
"""
FILES = GitFolder(
    owner="cowleygroup",
    repo="V4_compact_models",
    commit="f4552ad9d34a466ebc66658f72a08a8e5038f1cf",
    folder="data_V4_responses",
    files={
        "images/images_210325.zip": (
            "992774eca3508a2ad01accb1a31f5f3e3d90248c49f4eec314f2a915a263e454",
            1841475,
        ),
        "responses_raw/responses_210325.npy": (
            "4008dbbf31a47d9b1b8d8da609f4a7a3433c7071f0e45c611c220b217dd75b76",
            2560128,
        ),
        "images/images_201025.zip": (
            "3abb63679107665eab7220bdeaf7863832a1df943bf3d7792501f5082a55b2e8",
            4131376,
        ),
        "responses_repeat_averaged/responses_201025.npy": (
            "f729f3dc0d29aa38bd380c0da9e39aba916f9e2580949929b65d1714e7217a8a",
            854528,
        ),
    },
)


def _card(summary: str, *files: str) -> DatasetCard:
    return DatasetCard(
        summary=summary,
        licence="GPL-3.0",
        cite=CITE,
        domain="vision",
        species=("macaque",),
        regions=("V4",),
        modality="image",
        sources=tuple(FILES.source(file) for file in files),
    )


TRIALS = _card(
    "50 V4 neurons of one macaque, 640 images of Bashivan et al. 2019, 6 to 10 trials each.",
    "responses_raw/responses_210325.npy",
    "images/images_210325.zip",
)
AVERAGES = _card(
    "89 V4 neurons of one macaque, 1200 natural images, averages over trials.",
    "responses_repeat_averaged/responses_201025.npy",
    "images/images_201025.zip",
)


@datasets.add("Cowley2023.210325", card=TRIALS)
def session_210325() -> Dataset:
    """Trials: presentation x neuroid x repetition, spikes in 100 ms; NaN: not presented that often."""
    return _study("210325", TRIALS, "responses_raw", (50, 640, 10))


@datasets.add("Cowley2023.201025", card=AVERAGES)
def session_201025() -> Dataset:
    """Averages over trials: presentation x neuroid, spikes in 100 ms."""
    return _study("201025", AVERAGES, "responses_repeat_averaged", (89, 1200))


def _study(session: str, card: DatasetCard, folder: str, shape: tuple[int, ...]) -> Dataset:

    name = f"Cowley2023.{session}"
    responses = array_of(FILES.fetch(f"{folder}/responses_{session}.npy"), shape)  # neuroid, presentation[, repetition]
    images = ZipImages(FILES.fetch(f"images/images_{session}.zip"))
    neurons, count = shape[:2]
    if len(images) != count:
        raise DataError(f"{images.path}: holds {len(images)} images; expected {count}")
    ids = [f"{name}/{i + 1:04d}" for i in range(count)]
    measurement = xr.DataArray(
        responses.swapaxes(0, 1),
        dims=("presentation", "neuroid", "repetition")[: len(shape)],
        coords={
            "stimulus_id": ("presentation", ids),
            "neuroid_id": ("neuroid", [f"{name}/{i + 1:02d}" for i in range(neurons)]),
            "region": ("neuroid", ["V4"] * neurons),
            "subject": ("neuroid", ["PE"] * neurons),
            "session": ("neuroid", [session] * neurons),
        },
        attrs={"units": "spikes in 100 ms"},
    )
    table = pd.DataFrame({"file": list(images.members)}, index=pd.Index(ids, name="stimulus_id"))
    return Dataset(name, card, measurement, Stimuli(name, "image", table, images), Setting(duration=100.0))
