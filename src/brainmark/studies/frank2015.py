"""Frank 2013 and 2015 (UCL corpus): reading times and brain potentials for the words of 205 sentences, and surprisal.

Self-paced reading, four measures of eye movements and six components of the event-related potential, averaged over
people; with cloze probabilities, rated predictability and the surprisal of seven models of de Varda et al. 2023.
The first word of a sentence is read, but not measured.

Signs: reading times rise with surprisal, and so do the late positive components (EPNP, P600, PNP); the negative ones
(ELAN, LAN, N400) become more negative, cloze probability and rated predictability fall. A value above 0 always means
that a word which the model finds less expected has a larger effect on readers.

The plain correlations are over all words, as they were published. Where nuisance is taken into account, the last word
of each sentence is left out: readers wrap up there, and potentials are far more positive.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from brainmark.core import DataError, Setting, Stimuli, Study
from brainmark.core.libraries import pd, xr
from brainmark.data.fetch import GitFolder
from brainmark.studies.surprisal import FITS, register_surprisal

FILES = GitFolder(
    "Andrea-de-Varda/prediction-resource@7162734da00a9a3c81d5ebaec65bdf6d59e931fc",
    {"all_measures.csv": ("db3ccd106220e1e3d7d64871b5f7c05a9d159ef4cb639f985b792d559686f7f6", 1302943)},
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
FALLING = ("ELAN", "LAN", "N400", "cloze", "rated")
POTENTIALS = ("ELAN", "LAN", "N400", "EPNP", "P600", "PNP")
JUDGED = ("cloze", "rated")
STUDY = Study(
    licence="not stated; see the publication", cite="frank2013 frank2015 devarda2023", species="human",
    domain="language", modality="text", sources=FILES.sources, setting=Setting(context="sentence"),
)  # fmt: skip


def read_measure(column: str, units: str) -> tuple[xr.DataArray, Stimuli]:
    """Read one value for each presentation (a word); NaN: the first word of a sentence."""
    table = _read(FILES.fetch("all_measures.csv"))
    known = {"stimulus_id": table.index.to_numpy(str), "sentence": table["sentence"].to_numpy(int)}
    known |= {f"surprisal_{m}": table[f"s_{m}"].to_numpy(float) for m in MODELS}
    coords = {name: ("presentation", values) for name, values in known.items()}
    values = table[column].to_numpy(float)
    measurement = xr.DataArray(values, dims="presentation", coords=coords, attrs={"units": units})
    return measurement, Stimuli("Frank2015", "text", table[["text", "sentence", "position", "length", "last"]])


@cache
def _read(path: Path) -> pd.DataFrame:
    """Read all words of all sentences in order; the first of each has no measures."""
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


for _measure, (_column, _units, _what) in MEASURES.items():
    STUDY.dataset(
        f"Frank2015.{_measure}", _column, _units,
        summary=f"205 English sentences, 1726 words after the first of each: {_what}, mean over people.",
    )(read_measure)  # fmt: skip
    for _fit in FITS if _measure not in JUDGED else ("correlation",):
        register_surprisal(
            f"Frank2015.{_measure}", f"Frank2015.{_measure}", _fit, f"{_what} in 205 sentences", context="sentence",
            sign=-1 if _measure in FALLING else 1, spillover=1 if _measure == "self_paced" else 0, leave_out="last",
            parent="ERP" if _measure in POTENTIALS else "behavior",
        )  # fmt: skip
