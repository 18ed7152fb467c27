"""Frank 2013 and 2015 (UCL corpus): reading times and brain potentials for the words of 205 sentences.

Self-paced reading, four measures of eye movements and six components of the event-related potential, averaged over
people; with cloze probabilities, rated predictability and the surprisal of seven models of de Varda et al. 2023.
The first word of a sentence is read, but not measured.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from brainmark.core import DataError, DatasetCard, Setting, Stimuli, datasets
from brainmark.core.dataset import Dataset
from brainmark.core.libraries import pd, xr
from brainmark.data.fetch import GitFolder

if TYPE_CHECKING:
    from pathlib import Path


CITE = """
@article{Frank2013,
  title = {Reading time data for evaluating broad-coverage models of {English} sentence processing},
  author = {Frank, Stefan L. and Fernandez Monsalve, Irene and Thompson, Robin L. and Vigliocco, Gabriella},
  journal = {Behavior Research Methods},
  volume = {45},
  pages = {1182--1190},
  year = {2013},
  doi = {10.3758/s13428-012-0313-y}
}
@article{Frank2015,
  title = {The {ERP} response to the amount of information conveyed by words in sentences},
  author = {Frank, Stefan L. and Otten, Leun J. and Galli, Giulia and Vigliocco, Gabriella},
  journal = {Brain and Language},
  volume = {140},
  pages = {1--11},
  year = {2015},
  doi = {10.1016/j.bandl.2014.10.006}
}
@article{deVarda2023,
  title = {Cloze probability, predictability ratings, and computational estimates for 205 {English} sentences, aligned
           with existing {EEG} and reading time data},
  author = {de Varda, Andrea Gregor and Marelli, Marco and Amenta, Simona},
  journal = {Behavior Research Methods},
  year = {2023},
  doi = {10.3758/s13428-023-02261-8}
}
"""
LICENCE = "not stated; see the publication"
FILES = GitFolder(
    owner="Andrea-de-Varda",
    repo="prediction-resource",
    commit="7162734da00a9a3c81d5ebaec65bdf6d59e931fc",
    folder="",
    files={"all_measures.csv": ("db3ccd106220e1e3d7d64871b5f7c05a9d159ef4cb639f985b792d559686f7f6", 1302943)},
)
MEASURES: dict[str, tuple[str, str, str]] = {  # column of the file, unit, what it is
    "self_paced": ("self_paced_reading_time", "ms", "self-paced reading time"),
    "first_fixation": ("RTfirstfix", "ms", "duration of the first fixation"),
    "first_pass": ("RTfirstpass", "ms", "first-pass reading time (gaze duration)"),
    "right_bounded": ("RTrightbound", "ms", "right-bounded reading time"),
    "go_past": ("RTgopast", "ms", "go-past reading time"),
    "ELAN": ("ELAN", "microvolt", "early left anterior negativity, 125-175 ms"),
    "LAN": ("LAN", "microvolt", "left anterior negativity, 300-400 ms"),
    "N400": ("N400", "microvolt", "N400 at centro-parietal electrodes, 300-500 ms"),
    "EPNP": ("EPNP", "microvolt", "early post-N400 positivity, 400-600 ms"),
    "P600": ("P600", "microvolt", "P600, 500-700 ms"),
    "PNP": ("PNP", "microvolt", "post-N400 positivity, 600-700 ms"),
    "cloze": ("cloze_p_smoothed", "probability", "cloze probability, smoothed"),
    "rated": ("rating_mean", "rating from 1 to 5", "rated predictability"),
}
MODELS = (
    "GPT2", "GPT2_medium", "GPT2_large", "GPT2_xl", "GPTNeo_125M", "GPTNeo", "GPTNeo_2.7B",
)  # fmt: skip
"""Models whose surprisals (nats) are published with the words."""


def _register(measure: str) -> None:
    name, (_, _, what) = f"Frank2015.{measure}", MEASURES[measure]
    card = DatasetCard(
        summary=f"205 English sentences, 1726 words after the first of each: {what}, mean over people.",
        licence=LICENCE,
        cite=CITE,
        domain="language",
        species=("human",),
        regions=(),
        modality="text",
        sources=FILES.sources,
    )

    @datasets.add(name, card=card)
    def load() -> Dataset:
        """One value a presentation (a word); NaN: the first word of a sentence."""
        table = _words()
        column, units, _ = MEASURES[measure]
        shown = table[["text", "sentence", "position", "length", "last"]]
        measurement = _measured(table, column, units)
        return Dataset(name, card, measurement, Stimuli("Frank2015", "text", shown), Setting(context="sentence"))


def _measured(table: pd.DataFrame, column: str, units: str) -> xr.DataArray:

    known = {"stimulus_id": table.index.to_numpy(str), "sentence": table["sentence"].to_numpy(int)}
    known |= {f"surprisal_{m}": table[f"s_{m}"].to_numpy(float) for m in MODELS}
    coords = {name: ("presentation", values) for name, values in known.items()}
    return xr.DataArray(table[column].to_numpy(float), dims="presentation", coords=coords, attrs={"units": units})


def _words() -> pd.DataFrame:
    """All words of all sentences in order; the first of each has no measures."""
    return _read(FILES.fetch("all_measures.csv"))


@cache
def _read(path: Path) -> pd.DataFrame:

    measured = pd.read_csv(path).sort_values(["sent_id", "context_length"], kind="stable")
    rows: list[pd.DataFrame] = []
    for sentence, part in measured.groupby("sent_id", sort=True):
        words = str(part["sentence"].iloc[0]).split()
        if part["word"].tolist() != words[1:]:
            raise DataError(f"{path}: the words of sentence {sentence} are not those that are measured")
        first = pd.DataFrame({"sent_id": [sentence], "word": words[:1], "context_length": [0]})
        rows.append(pd.concat([first, part], ignore_index=True).assign(last=[*[False] * (len(words) - 1), True]))
    table = pd.concat(rows, ignore_index=True)
    if (len(rows), len(measured)) != (205, 1726):
        raise DataError(f"{path}: {len(measured)} words of {len(rows)} sentences; expected 1726 of 205")
    ids = [f"Frank2015/{s}.{k}" for s, k in zip(table["sent_id"], table["context_length"], strict=True)]
    table = table.drop(columns=["sentence", "length"]).rename(
        columns={"word": "text", "sent_id": "sentence", "context_length": "position"}
    )
    table["length"] = [len(word.strip(".,!?;:\"'")) for word in table["text"]]
    return table.set_axis(pd.Index(ids, name="stimulus_id"), axis=0)


for _measure in MEASURES:
    _register(_measure)
