"""Warstadt 2020 (BLiMP): which of two sentences is the acceptable one, over 67 paradigms of English grammar.

All 134,000 sentences take a large model long: ``BLiMP.sample-accuracy`` asks for 50 pairs of each paradigm, drawn once
with a seed, and ``BLiMP.<phenomenon>-accuracy`` for those of one phenomenon.
"""

from __future__ import annotations

from dataclasses import replace

from brainmark.core import Benchmark, BenchmarkCard, benchmarks, datasets, metrics, shuffled
from brainmark.core.comparison import Comparison, Metric
from brainmark.core.experiment import Experiment, Prefer
from brainmark.core.libraries import np, xr
from brainmark.studies.warstadt2020 import CITE, FIELDS, LICENCE, PHENOMENA

SAMPLED = 50
"""Pairs of each paradigm in the sample."""


def _register(part: str) -> None:
    name = f"BLiMP.{part}-accuracy" if part else "BLiMP-accuracy"
    what = f"{SAMPLED} pairs of each paradigm" if part == "sample" else part.replace("_", " ") or "all paradigms"
    card = BenchmarkCard(
        summary=f"Which of two sentences is the acceptable one: {what}.",
        licence=LICENCE,
        cite=CITE,
        domain="language",
        species=("human",),
        region="behavior",
        parent="engineering",
        datasets=("BLiMP",),
        metric="accuracy",
        tags=("engineering", "grammar", *(() if part == "sample" else ("many stimuli",))),
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """One value a paradigm; the right sentence is the one that the grammar allows, chance is a half."""
        study = datasets["BLiMP"].load()
        chosen = _chosen(study.measurement, part)
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli.take(chosen, name.removesuffix("-accuracy")), Prefer(2), study.setting),
            _pairs(study.measurement, chosen),
            metric=_with_people(metrics["accuracy"].load(by="paradigm", resamples=200)),
            controls=(shuffled(),),
        )


def _chosen(sentences: xr.DataArray, part: str) -> np.ndarray:
    """Positions of the sentences of a part, whole pairs in their order."""
    paradigm = sentences.coords["paradigm"].values
    if part == "sample":
        generator = np.random.default_rng(67)
        firsts = [np.flatnonzero(paradigm == name)[::2] for name in dict.fromkeys(paradigm.tolist())]
        first = np.concatenate([np.sort(generator.choice(each, SAMPLED, replace=False)) for each in firsts])
        return np.stack([first, first + 1], axis=1).reshape(-1)
    if not part:
        return np.arange(len(paradigm))
    return np.flatnonzero(sentences.coords["field" if part in FIELDS else "phenomenon"].values == part)


def _pairs(sentences: xr.DataArray, chosen: np.ndarray) -> xr.DataArray:
    """Acceptability of pairs: presentation x choice, with the position of the acceptable one as ``label``."""
    acceptable = sentences.values[chosen].reshape(-1, 2)
    first = chosen[::2]
    known = {c: ("presentation", sentences.coords[c].values[first]) for c in ("stimulus_id", "paradigm", "people")}
    coords = {**known, "label": ("presentation", acceptable.argmax(axis=1)), "choice": np.arange(2)}
    return xr.DataArray(acceptable, dims=("presentation", "choice"), coords=coords)


def _with_people(metric: Metric) -> Metric:
    """Add what people reach on the same paradigms, and how alike they and the model find them hard."""

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:

        found = metric(prediction, target)
        paradigm, share = (target.coords[c].values for c in ("paradigm", "people"))
        people = np.array([share[paradigm == name][0] for name in found.values.coords["pattern"].values])
        details = {**found.details, "people": float(people.mean())}
        if len(people) > 2 and np.ptp(found.values.values) > 0:
            details["r with people over paradigms"] = float(np.corrcoef(found.values.values, people)[0, 1])
        return replace(found, details=details)

    return compare


for _part in ("", "sample", *FIELDS, *PHENOMENA):
    _register(_part)
