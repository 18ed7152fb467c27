"""The language data and benchmarks of Brain-Score: people who read and hear sentences, and reading times.

Files and sha1 are those of its registrations (brainscore-language 2.3.0); sizes and sha256 are not published, and the
files state no licence. Presentations stay in the order of the file: the published splits depend on it.

Voxels and electrodes are predicted by least squares over shuffled presentations, or by ridge over whole passages; the
score is the median over them, averaged over splits, divided by a ceiling extrapolated over subjects, cut at 0 and 1.

What differs: the suites of SyntaxGym are those of a later commit (``fgd_hierarchy`` then has predictions that exclude
each other, and everybody scores 0); for ``Wikitext-accuracy`` the published code shows all prefixes of a line one after
another as a single text, here each word is asked for after the words before it in its line, which is what is meant.
``Tuckute2024-rdm`` has one value a sentence, so that its dissimilarities are undefined, as published.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from brainmark.brainscore.brainio import read_assembly
from brainmark.brainscore.files import BUCKET
from brainmark.brainscore.metrics.assemblies import single
from brainmark.brainscore.metrics.ceilings import ExtrapolationCeiling
from brainmark.brainscore.metrics.conventions import BOUNDED_RATIO, PLAIN
from brainmark.brainscore.metrics.language import reading_ceiling
from brainmark.brainscore.register import PUBLISHED, register_published
from brainmark.core import (
    Ceiling,
    Comparison,
    Control,
    Dataset,
    Experiment,
    InvalidMeasurement,
    NextWord,
    Read,
    Record,
    Setting,
    Source,
    Stimuli,
    metrics,
    shuffled,
)
from brainmark.core.libraries import np, pd, xr
from brainmark.core.study import Arguments
from brainmark.data.fetch import fetch
from brainmark.studies import hu2020
from brainmark.studies.running_text import most_frequent_word

REGION = "language_system"

# --- data sets -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LanguageFile:
    """One published file of recordings (or reading times).

    Attributes
    ----------
    sha1 : of the file.
    what, cite : for the card.
    context : coordinate of the texts that are read in one go; None: every sentence alone, "": all as one text.
    text : coordinate with the words.
    """

    sha1: str
    what: str
    cite: str
    context: str | None
    text: str = "stimulus"


FILES = {
    "Pereira2018.language": LanguageFile(
        "f8434b4022f5b2c862f0ff2854d5b3f5f2a7fb96", "fMRI, sentences of passages", "pereira2018", "passage_label"
    ),
    "Blank2014.fROI": LanguageFile("af1e868821b897cb1684e4c8dcd33977121ef552", "fMRI, stories", "blank2014", "story"),
    "Fedorenko2016.language": LanguageFile(
        "2966b6d78e972a72068aa6907377483f427e8d9a", "ECoG, sentences word by word", "fedorenko2016", "sentence_id"
    ),
    "Tuckute2024.language": LanguageFile(
        "5c8fc7f3e24cc1af5f5296459377b638b6492641", "fMRI, sentences, mean over people", "tuckute2024", None
    ),
    "Futrell2018": LanguageFile(
        "381ccc8038fbdb31235b5f3e1d350f359b5e287f",
        "reading times of ten stories",
        "futrell2021 futrell2018",
        "",
        "word",
    ),
}
CEILINGS = {  # of Pereira 2018, computed once by its authors: sha1 and version
    "243sentences-ridge": ("ba4c077bf0a9e1c46a9582790221c48113e0c5cf", "r3xGy2REPZfE7h1oFSnsNg5Rml9R5Ulz"),
    "384sentences-ridge": ("167005f57c3f2826a9e6a24ba36d96640fcbf3df", "u1_f1sJvv9J8eVjWFfA4siHsFHH6rMc1"),
    "243sentences-linear": ("5e23de899883828f9c886aec304bc5aa0f58f66c", ""),
    "384sentences-linear": ("fc895adc52fd79cea3040961d65d8f736a9d3e29", ""),
}


def source_of(name: str, prefix: str = "assy", sha1: str = "", version: str = "") -> Source:
    """Return the address of a file in the bucket; by default the assembly `name`."""
    file = f"{prefix}_{name.replace('.', '_')}.nc"
    query = f"?versionId={version}" if version else ""
    return Source(url=f"{BUCKET}/brainscore-language/{file}{query}", sha1=sha1 or FILES[name].sha1)


def ceiling_of(part: str) -> Source:
    """Return the address of a ceiling of Pereira 2018, such as that of ``243sentences-ridge``."""
    return source_of(f"Pereira2018.{part}", "ceiling", *CEILINGS[part])


def assembly(name: str) -> xr.DataArray:
    """Return an assembly as it lies in the file, with flat coordinates."""
    return read_assembly(fetch(source_of(name)))


def read_presentations(name: str) -> tuple[xr.DataArray, Stimuli, Setting]:
    """Read all presentations, in the order of the file."""
    return _measure(name, assembly(name))


def _measure(name: str, whole: xr.DataArray) -> tuple[xr.DataArray, Stimuli, Setting]:
    """Return what an assembly of the data set `name` holds, or some of its presentations and neuroids.

    Raises
    ------
    InvalidMeasurement : the assembly lacks its words, or names presentations twice.
    """
    about = FILES[name]
    recorded = _as_measurement(whole)
    columns = {str(k): v.values for k, v in recorded.coords.items() if v.dims == ("presentation",)}
    for needed in (about.text, *([about.context] if about.context else [])):
        if needed not in columns:
            raise InvalidMeasurement(f"{name}: the assembly has no coordinate {needed!r} along presentation")
    table = pd.DataFrame(columns).set_index("stimulus_id")
    table["text"] = table[about.text].astype(str)
    context = about.context
    if context == "":
        context, table["whole"] = "whole", 0
    return recorded, Stimuli(name, "text", table), Setting(context=context)


def _as_measurement(whole: xr.DataArray) -> xr.DataArray:
    """Return presentations x neuroids (or subjects), with text as text and one region for all neuroids."""
    flat = whole.reset_index(list(whole.indexes)) if whole.indexes else whole
    flat = flat.isel(time_bin=0, drop=True) if flat.sizes.get("time_bin") == 1 else flat
    flat = flat.drop_vars([d for d in flat.dims if d in flat.coords])
    texts = {k: v for k, v in flat.coords.items() if v.dtype.kind in "OUS"}
    flat = flat.assign_coords({str(k): (v.dims, v.values.astype(str)) for k, v in texts.items()})
    ids = flat.coords["stimulus_id"].values if "stimulus_id" in flat.coords else np.arange(flat.sizes["presentation"])
    flat = flat.assign_coords(stimulus_id=("presentation", ids.astype(str)))
    if "neuroid" not in flat.dims:
        return flat.transpose("presentation", ...)
    count = flat.sizes["neuroid"]
    names = np.asarray(flat.coords["neuroid_id"].values if "neuroid_id" in flat.coords else np.arange(count)).astype(
        str
    )
    if len(set(names.tolist())) < count:  # people may share the names of their voxels
        names = np.array([f"{k}/{one}" for k, one in enumerate(names)])
    named = {"neuroid_id": ("neuroid", names), "region": ("neuroid", np.full(count, REGION))}
    return flat.assign_coords(named).transpose("presentation", "neuroid")


for _name, _file in FILES.items():
    PUBLISHED.dataset(
        _name, _name, cite=_file.cite, domain="language", modality="text",
        summary=f"Published by Brain-Score: {_file.what} ({_name}).",
        regions=() if _file.text == "word" else (REGION,),
        sources=(source_of(_name), *(map(ceiling_of, CEILINGS) if _name.startswith("Pereira") else ())),
    )(read_presentations)  # fmt: skip


# --- recordings ------------------------------------------------------------------------------------------------------

EXTRAPOLATED = {  # identifier without its metric: data set, subjects, labels kept together by ridge, folds
    "Blank2014": ("Blank2014.fROI", "subject_id", "story", 8),
    "Fedorenko2016": ("Fedorenko2016.language", "subject_UID", "sentence_id", 10),
}
TUCKUTE: dict[str, tuple[str, dict[str, Any]]] = {  # kind: metric, its options
    "linear": ("brainscore-linear-pearsonr", {}),
    "ridge": ("brainscore-ridge-pearsonr", {}),
    "rdm": ("brainscore-rdm-cv", {"stratify": None}),
    "cka": ("brainscore-cka-cv", {"unbiased": False, "stratify": None}),
}


def _ceiling_of_pools(_: Dataset, metric: str, options: dict[str, Any], subjects: str) -> Ceiling:
    """Let subjects predict each other in growing pools, and extrapolate; computed each time, as published."""
    return ExtrapolationCeiling(metrics[metric].load(**options), subjects)


def _select_people(experiment: str) -> tuple[xr.DataArray, Stimuli, Setting]:
    """Return the voxels of people who took part in the experiment."""
    whole = assembly("Pereira2018.language")
    if "experiment" not in whole.coords:
        raise InvalidMeasurement("Pereira2018.language: the assembly has no coordinate 'experiment'")
    part = whole.isel(presentation=whole.coords["experiment"].values.astype(str) == experiment).dropna("neuroid")
    return _measure("Pereira2018.language", part)


def _target(_: Dataset, experiment: str) -> xr.DataArray:
    return _select_people(experiment)[0]


def _ask(_: Dataset, experiment: str) -> Experiment:
    part = _select_people(experiment)
    return Experiment(part[1], Record(REGION), part[2])


def _take_ceiling(_: Dataset, experiment: str, kind: str) -> Ceiling:
    return lambda target: _read_ceiling(experiment, kind)


def _read_ceiling(experiment: str, kind: str) -> Comparison:
    """Read the ceiling that the authors computed: a number, or centre and error."""
    found = read_assembly(fetch(ceiling_of(f"{experiment}-{kind}")))
    if found.size != 1:
        labels = found.coords["aggregation"].values.astype(str).tolist() if "aggregation" in found.coords else []
        if "center" not in labels:
            raise InvalidMeasurement(
                f"ceiling of {experiment}: {dict(found.sizes)} values, none of which is the centre"
            )
        found = found.isel(aggregation=labels.index("center"))
    return single(float(found.values.reshape(-1)[0]))


for _kind in ("ridge", "linear"):
    _metric, _ending = f"brainscore-{_kind}-pearsonr", "" if _kind == "ridge" else "-shuffle"
    for _study, (_dataset, _subjects, _group, _folds) in EXTRAPOLATED.items():
        _options = {"group": _group, "splits": _folds} if _kind == "ridge" else {}
        register_published(
            f"{_study}-{_kind}{_ending}", _dataset, _metric, f"{FILES[_dataset].what}, predicted by {_kind} regression",
            options=_options, ceiling=partial(_ceiling_of_pools, metric=_metric, options=_options, subjects=_subjects),
            controls=(shuffled(),), convention=BOUNDED_RATIO,
        )  # fmt: skip
    for _experiment in ("243sentences", "384sentences"):
        _count = _experiment.removesuffix("sentences")
        register_published(
            f"Pereira2018.{_experiment}-{_kind}{_ending}", "Pereira2018.language", _metric,
            f"Voxels of the language network, experiment of {_count} sentences, {_kind}",
            options={"group": "story", "splits": 10} if _kind == "ridge" else {},
            ask=partial(_ask, experiment=_experiment), target=partial(_target, experiment=_experiment),
            ceiling=partial(_take_ceiling, experiment=_experiment, kind=_kind),
            controls=(shuffled(),), convention=BOUNDED_RATIO,
        )  # fmt: skip
for _kind, (_metric, _options) in TUCKUTE.items():  # one value a sentence, read alone; no ceiling
    register_published(
        f"Tuckute2024-{_kind}", "Tuckute2024.language", _metric,
        f"Mean response of the language network to sentences, {_kind}", options=_options, ceiling=None,
        controls=(shuffled(),), convention=PLAIN,
    )  # fmt: skip


# --- behaviour -------------------------------------------------------------------------------------------------------


def _leave_out_first_words(data: Dataset) -> Arguments:
    """Compare with the mean reader, without the first words of sentences; the ceiling has them, as published."""
    later = data.measurement.coords["word_within_sentence_id"].values.astype(float) != 1

    def select_later(prediction: xr.DataArray, target: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
        people = target.mean("subject", skipna=True) if "subject" in target.dims else target
        return prediction.isel(presentation=later), people.isel(presentation=later)

    return select_later


register_published(
    "Futrell2018-pearsonr", "Futrell2018", "brainscore-pearsonr", "Reading times of ten stories, their correlation",
    ask=Read("reading_time"), adapt=_leave_out_first_words, ceiling=lambda _: reading_ceiling, controls=(shuffled(),),
    convention=BOUNDED_RATIO,
)  # fmt: skip

WITHOUT = ("fgd-embed3", "fgd-embed4", "nn-nv-rpl")
"""Suites that Brain-Score does not have."""


def _suite_options(_: Dataset, suite: str) -> dict[str, Any]:
    return {"formulas": hu2020.predictions(suite), "joint": True, "resamples": 0}


def _count_unknown_as_zero(_: Dataset) -> Arguments:
    """Put reading times in the place of surprisals; those that are unknown count as 0, as published."""
    return lambda prediction, target: (prediction.fillna(0.0), target)


for _suite in hu2020.SUITES:
    if _suite not in WITHOUT:
        register_published(
            f"syntaxgym-{_suite}", f"SyntaxGym.{_suite}", "predictions_hold",
            f"Share of items in which all predictions hold (suite {_suite})", ask=Read("reading_time"),
            options=partial(_suite_options, suite=_suite), adapt=_count_unknown_as_zero, controls=(shuffled(),),
            convention=PLAIN, parent="engineering",
        )  # fmt: skip
# The raw text, cut at white space: marks such as ``@-@`` and ``<unk>`` are words; the last of a line is not asked for.
register_published(
    "Wikitext-accuracy", "Wikitext2.lines", "next_word_accuracy",
    "Share of words of wikitext-2 that are named before they come", ask=NextWord(), options={"resamples": 0},
    controls=(Control("most frequent word", most_frequent_word),), convention=PLAIN, parent="engineering",
)  # fmt: skip
