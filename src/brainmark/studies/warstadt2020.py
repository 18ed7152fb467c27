"""Warstadt 2020 (BLiMP): 67 paradigms of 1000 pairs of sentences, one acceptable in English and one minimally not.

Pairs were generated from grammars. How often people (20, a majority of them, for each of some pairs) preferred the
acceptable one is published as one number a paradigm.

All 134,000 sentences take a large model long: ``BLiMP.sample-accuracy`` asks for 50 pairs of each paradigm, drawn once
with a seed, and ``BLiMP.<phenomenon>-accuracy`` for those of one phenomenon.
"""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from brainmark.core import DataError, Dataset, Experiment, Prefer, Stimuli, Study, register_benchmark, shuffled
from brainmark.core.libraries import np, pd, xr
from brainmark.data.fetch import GitFolder

FILES = GitFolder(
    "alexwarstadt/blimp@3e56b06fcabca9b30822fc66435fca6b1aa40bb1",
    {
        "BLiMP.zip": ("172a1a714d72e72a89e8384dd531483f3d0f8a9aee3d33dccaf7992d8cecbb73", 2354164),
        "raw_results/summary/human_validation_summary.csv": (
            "ea0e7c21de6b9df2fd8a94d0b175e84ea57627e4cbfa1fcba4ef8b3d0fba1b2d",
            3057,
        ),
    },
)
PHENOMENA = (
    "anaphor_agreement", "argument_structure", "binding", "control_raising", "determiner_noun_agreement", "ellipsis",
    "filler_gap_dependency", "irregular_forms", "island_effects", "npi_licensing", "quantifiers", "s-selection",
    "subject_verb_agreement",
)  # fmt: skip
FIELDS = ("morphology", "semantics", "syntax", "syntax_semantics")
SAMPLED = 50
"""Pairs of each paradigm in the sample."""
STUDY = Study(
    licence="CC-BY-4.0", cite="warstadt2020", species="human", domain="language", modality="text", sources=FILES.sources
)


@STUDY.dataset("BLiMP", summary="67 paradigms of 1000 pairs of English sentences, one of which is not acceptable.")
def read_sentences() -> tuple[xr.DataArray, Stimuli]:
    """Read acceptability (presentation,), 1 or 0; both sentences of a pair follow each other, in random order.

    Coordinates along presentation: ``paradigm``, ``phenomenon``, ``field``, and ``people``, the share of people's
    choices in the paradigm that were right.
    """
    table = _read(FILES.fetch("BLiMP.zip"), FILES.fetch("raw_results/summary/human_validation_summary.csv"))
    columns = ("paradigm", "phenomenon", "field", "people")
    measurement = xr.DataArray(
        table["acceptable"].to_numpy(float),
        dims="presentation",
        coords={
            "stimulus_id": ("presentation", table.index.to_numpy(str)),
            **{c: ("presentation", table[c].to_numpy(float if c == "people" else str)) for c in columns},
        },
        attrs={"units": "1: acceptable"},
    )
    shown = table.drop(columns=["acceptable", "people"])
    return measurement, Stimuli("BLiMP", "text", shown)


@cache
def _read(archive: Path, summary: Path) -> pd.DataFrame:
    """Read all sentences by paradigm and pair; which of a pair comes first is drawn once, with a seed."""
    pairs = _pairs(archive)
    acceptable_first = np.random.default_rng(2020).random(len(pairs)) < 0.5
    good, bad = pairs["sentence_good"].to_numpy(object), pairs["sentence_bad"].to_numpy(object)
    both = np.stack([np.where(acceptable_first, good, bad), np.where(acceptable_first, bad, good)], axis=1)
    names = (pairs["UID"] + "/" + pairs["pairID"].astype(str)).to_numpy(object)
    table = pd.DataFrame(
        {
            "text": both.reshape(-1),
            "pair": np.repeat(names, 2),
            "acceptable": np.stack([acceptable_first, ~acceptable_first], axis=1).reshape(-1).astype(int),
            **{new: np.repeat(pairs[old].to_numpy(object), 2) for new, old in _COLUMNS.items()},
        },
        index=pd.Index([f"BLiMP/{name}.{k}" for name in names for k in (1, 2)], name="stimulus_id"),
    )
    people = pd.read_csv(summary)
    return table.assign(people=table["paradigm"].map(dict(zip(people["Condition"], people["total_mean"], strict=True))))


_COLUMNS = {"paradigm": "UID", "phenomenon": "linguistics_term", "field": "field"}


def _pairs(path: Path) -> pd.DataFrame:
    try:
        with ZipFile(path) as archive:
            names = sorted(n for n in archive.namelist() if n.startswith("data/") and n.endswith(".jsonl"))
            rows = [json.loads(line) for n in names for line in archive.read(n).decode("utf-8").splitlines()]
    except (BadZipFile, OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    pairs = pd.DataFrame(rows, columns=["UID", "pairID", "linguistics_term", "field", "sentence_good", "sentence_bad"])
    counts = pairs.groupby("UID").size()
    if len(counts) != 67 or set(counts) != {1000}:
        raise DataError(f"{path}: {len(pairs)} pairs of {len(counts)} paradigms; expected 67 paradigms of 1000")
    pairs["field"] = pairs["field"].str.replace("/", "_")  # both spellings of syntax_semantics are in the files
    return pairs


def _ask(data: Dataset, name: str, part: str) -> Experiment:
    return Experiment(data.shown.take(_choose(data, part), name), Prefer(2), data.setting)


def _choose(data: Dataset, part: str) -> np.ndarray:
    """Return the positions of the sentences of a part, whole pairs in their order."""
    sentences = data.measurement
    paradigm = sentences.coords["paradigm"].values
    if part == "sample":
        generator = np.random.default_rng(67)
        firsts = [np.flatnonzero(paradigm == name)[::2] for name in dict.fromkeys(paradigm.tolist())]
        first = np.concatenate([np.sort(generator.choice(each, SAMPLED, replace=False)) for each in firsts])
        return np.stack([first, first + 1], axis=1).reshape(-1)
    if not part:
        return np.arange(len(paradigm))
    return np.flatnonzero(sentences.coords["field" if part in FIELDS else "phenomenon"].values == part)


def _pairs_of(data: Dataset, part: str) -> xr.DataArray:
    """Return acceptability of pairs, presentation x choice, with the position of the acceptable one as ``label``."""
    sentences, chosen = data.measurement, _choose(data, part)
    acceptable = sentences.values[chosen].reshape(-1, 2)
    first = chosen[::2]
    known = {c: ("presentation", sentences.coords[c].values[first]) for c in ("stimulus_id", "paradigm", "people")}
    coords = {**known, "label": ("presentation", acceptable.argmax(axis=1)), "choice": np.arange(2)}
    return xr.DataArray(acceptable, dims=("presentation", "choice"), coords=coords)


for _part in ("", "sample", *FIELDS, *PHENOMENA):
    _name = f"BLiMP.{_part}" if _part else "BLiMP"
    _what = f"{SAMPLED} pairs of each paradigm" if _part == "sample" else _part.replace("_", " ") or "all paradigms"
    register_benchmark(
        f"{_name}-accuracy", "BLiMP", "accuracy", ask=partial(_ask, name=_name, part=_part),
        options={"by": "paradigm", "people": "people", "resamples": 200},
        target=partial(_pairs_of, part=_part), controls=(shuffled(),),
        summary=f"Which of two sentences is the acceptable one: {_what}.", parent="engineering",
        tags=("engineering", "grammar", *(() if _part == "sample" else ("many stimuli",))),
    )  # fmt: skip
