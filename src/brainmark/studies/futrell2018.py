"""Futrell 2018 (Natural Stories): how long people look at each of 10,256 words of ten stories, self-paced.

Means and standard deviations over the 62 to 97 readers of each word; single readers are not in these files. The cost
of a word goes on into the next: length, frequency and position of the word before are taken into account, too.
"""

from __future__ import annotations

from brainmark.core import DataError, Setting, Stimuli, Study
from brainmark.core.libraries import pd, xr
from brainmark.data.fetch import GitFolder
from brainmark.studies.surprisal import FITS, register_surprisal

FILES = GitFolder(
    "languageMIT/naturalstories@4700daad696e942f5aba23c957a7423d0de66612/naturalstories_RTS",
    {
        "all_stories.tok": ("0e4e9bd4708aaa01d8bea342696bb83cedff679c09184545483f6f3f4ba8aca3", 119005),
        "processed_wordinfo.tsv": ("047d2a0b84eff99d90535d1517f7fa7d466b81fbd60e990f2f08caac04d8aa56", 901515),
    },
)
STUDY = Study(
    licence="CC-BY-NC-SA-4.0", cite="futrell2021 futrell2018", species="human", domain="language", modality="text",
    sources=FILES.sources, setting=Setting(context="story"),
)  # fmt: skip


@STUDY.dataset(
    "Futrell2018.natural_stories",
    summary="Self-paced reading times of 10,256 words in ten stories, means over 62 to 97 readers.",
)
def read_times() -> tuple[xr.DataArray, Stimuli]:
    """Read reading times (presentation,) in ms, with ``error_variance`` (of the mean), ``readers`` and ``story``."""
    table = _words()
    measurement = xr.DataArray(
        table["meanItemRT"].to_numpy(float),
        dims="presentation",
        coords={
            "stimulus_id": ("presentation", table.index.to_numpy(str)),
            "story": ("presentation", table["item"].to_numpy(int)),
            "readers": ("presentation", table["nItem"].to_numpy(int)),
            "error_variance": ("presentation", (table["sdItemRT"] ** 2 / table["nItem"]).to_numpy(float)),
        },
        attrs={"units": "ms"},
    )
    shown = table[["word", "item", "zone"]].set_axis(["text", "story", "position"], axis=1)
    shown = shown.assign(length=[len(word) for word in shown["text"]])
    return measurement, Stimuli("Futrell2018.natural_stories", "text", shown)


def _words() -> pd.DataFrame:
    """Return all words in the order of reading, with what was measured."""
    shown, measured = (
        pd.read_csv(FILES.fetch(file), sep="\t", quoting=3, keep_default_na=False)
        for file in ("all_stories.tok", "processed_wordinfo.tsv")
    )
    both = shown.merge(measured, on=["item", "zone"], how="left", suffixes=("", "_measured"), validate="one_to_one")
    lost = both["word"] != both["word_measured"]
    if lost.any() or len(both) != 10256:
        raise DataError(f"{FILES.address}: {int(lost.sum())} of {len(both)} words (of 10256) have no reading time")
    both = both.sort_values(["item", "zone"], kind="stable")
    ids = [f"Futrell2018/{story}.{zone}" for story, zone in zip(both["item"], both["zone"], strict=True)]
    return both.set_axis(pd.Index(ids, name="stimulus_id"), axis=0)


for _fit in FITS:
    register_surprisal(
        "Futrell2018", "Futrell2018.natural_stories", _fit, "reading times of ten stories", context="story",
        spillover=1, errors=True,
    )  # fmt: skip
