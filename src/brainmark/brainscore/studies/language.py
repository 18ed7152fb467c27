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

from brainmark.brainscore.brainio import read_assembly
from brainmark.brainscore.cards import benchmark_card, dataset_card
from brainmark.brainscore.files import BUCKET
from brainmark.brainscore.metrics.assemblies import single
from brainmark.brainscore.metrics.ceilings import ExtrapolationCeiling
from brainmark.brainscore.metrics.conventions import BOUNDED_RATIO, PLAIN
from brainmark.brainscore.metrics.language import reading_ceiling
from brainmark.core import (
    Benchmark,
    BenchmarkCard,
    Comparison,
    Control,
    DatasetCard,
    InvalidMeasurement,
    Setting,
    Source,
    Stimuli,
    benchmarks,
    datasets,
    metrics,
    shuffled,
)
from brainmark.core.comparison import Ceiling, Metric
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Experiment, NextWord, Read, Record
from brainmark.core.libraries import np, pd, xr
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
        sha1="381ccc8038fbdb31235b5f3e1d350f359b5e287f", what="reading times of ten stories",
        cite="futrell2021 futrell2018", context="", text="word",
    ),
}  # fmt: skip
CEILINGS = {  # of Pereira 2018, computed once by its authors: sha1 and version
    "243sentences-ridge": ("ba4c077bf0a9e1c46a9582790221c48113e0c5cf", "r3xGy2REPZfE7h1oFSnsNg5Rml9R5Ulz"),
    "384sentences-ridge": ("167005f57c3f2826a9e6a24ba36d96640fcbf3df", "u1_f1sJvv9J8eVjWFfA4siHsFHH6rMc1"),
    "243sentences-linear": ("5e23de899883828f9c886aec304bc5aa0f58f66c", ""),
    "384sentences-linear": ("fc895adc52fd79cea3040961d65d8f736a9d3e29", ""),
}
CARDS: dict[str, DatasetCard] = {}


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


def study_of(name: str, whole: xr.DataArray) -> Dataset:
    """Make a study of an assembly of the data set `name`, or of some of its presentations and neuroids.

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
    return Dataset(name, CARDS[name], recorded, Stimuli(name, "text", table), Setting(context=context))


def _as_measurement(whole: xr.DataArray) -> xr.DataArray:
    """Presentations x neuroids (or subjects), with text as text, names as names and one region for all neuroids."""
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


def _add_dataset(name: str) -> None:
    about = FILES[name]
    CARDS[name] = dataset_card(
        f"Published by Brain-Score: {about.what} ({name}).",
        cite=about.cite, domain="language", species=("human",), modality="text",
        regions=() if about.text == "word" else (REGION,),
        sources=(source_of(name), *(map(ceiling_of, CEILINGS) if name.startswith("Pereira") else ())),
    )  # fmt: skip

    @datasets.add(name, card=CARDS[name])
    def load() -> Dataset:
        """All presentations, in the order of the file."""
        return study_of(name, assembly(name))


for _name in FILES:
    _add_dataset(_name)


# --- recordings ------------------------------------------------------------------------------------------------------

EXTRAPOLATED = {  # identifier without its metric: data set, subjects, labels kept together by ridge, folds
    "Blank2014": ("Blank2014.fROI", "subject_id", "story", 8),
    "Fedorenko2016": ("Fedorenko2016.language", "subject_UID", "sentence_id", 10),
}
TUCKUTE = {  # kind: metric, its options
    "linear": ("brainscore-linear-pearsonr", {}),
    "ridge": ("brainscore-ridge-pearsonr", {}),
    "rdm": ("brainscore-rdm-cv", {"stratify": None}),
    "cka": ("brainscore-cka-cv", {"unbiased": False, "stratify": None}),
}


def _recorded_card(summary: str, dataset: str, metric: str) -> BenchmarkCard:
    return benchmark_card(summary, dataset, CARDS[dataset], metric, REGION)


def _record(name: str, card: BenchmarkCard, study: Dataset, metric: Metric, ceiling: Ceiling | None) -> Benchmark:
    assert study.stimuli is not None
    asked = Experiment(study.stimuli, Record(REGION), study.setting)
    convention = PLAIN if ceiling is None else BOUNDED_RATIO
    return Benchmark(name, card, asked, study.measurement, metric, ceiling, (shuffled(),), convention=convention)


def _load_regression(kind: str, group: str, folds: int = 10) -> Metric:
    """Return ridge over whole groups, or least squares over shuffled presentations."""
    options = {"group": group, "splits": folds} if kind == "ridge" else {}
    return metrics[f"brainscore-{kind}-pearsonr"].load(**options)


def _add_extrapolated(study: str, kind: str) -> None:
    dataset, subjects, group, folds = EXTRAPOLATED[study]
    name = f"{study}-{kind}{'' if kind == 'ridge' else '-shuffle'}"
    summary = f"{FILES[dataset].what}, predicted by {kind} regression"
    card = _recorded_card(summary, dataset, f"brainscore-{kind}-pearsonr")

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Ceiling: subjects predict each other in growing pools, extrapolated; computed each time, as published."""
        metric = _load_regression(kind, group, folds)
        return _record(name, card, datasets[dataset].load(), metric, ExtrapolationCeiling(metric, subjects))


def _add_pereira(experiment: str, kind: str) -> None:
    dataset, name = "Pereira2018.language", f"Pereira2018.{experiment}-{kind}{'' if kind == 'ridge' else '-shuffle'}"
    summary = f"Voxels of the language network, experiment of {experiment.removesuffix('sentences')} sentences, {kind}"
    card = _recorded_card(summary, dataset, f"brainscore-{kind}-pearsonr")

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Voxels of people who took part in the experiment; the ceiling is the published number."""
        whole = assembly(dataset)
        if "experiment" not in whole.coords:
            raise InvalidMeasurement(f"{dataset}: the assembly has no coordinate 'experiment'")
        part = whole.isel(presentation=whole.coords["experiment"].values.astype(str) == experiment).dropna("neuroid")
        metric = _load_regression(kind, "story")
        return _record(name, card, study_of(dataset, part), metric, lambda _: _read_ceiling(experiment, kind))


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


def _add_tuckute(kind: str) -> None:
    dataset, (metric, options) = "Tuckute2024.language", TUCKUTE[kind]
    card = _recorded_card(f"Mean response of the language network to sentences, {kind}", dataset, metric)

    @benchmarks.add(f"Tuckute2024-{kind}", card=card)
    def load() -> Benchmark:
        """One value a sentence, read alone; no ceiling."""
        study = datasets[dataset].load()
        return _record(f"Tuckute2024-{kind}", card, study, metrics[metric].load(**options), None)


for _kind in ("ridge", "linear"):
    for _study in EXTRAPOLATED:
        _add_extrapolated(_study, _kind)
    for _experiment in ("243sentences", "384sentences"):
        _add_pereira(_experiment, _kind)
for _kind in TUCKUTE:
    _add_tuckute(_kind)


# --- behaviour -------------------------------------------------------------------------------------------------------

READING = benchmark_card(
    "Reading times of ten stories, their correlation", "Futrell2018", CARDS["Futrell2018"], "brainscore-pearsonr",
    "behavior",
)  # fmt: skip


@benchmarks.add("Futrell2018-pearsonr", card=READING)
def futrell2018_pearsonr() -> Benchmark:
    """Magnitude of r with the mean reader; first words of sentences are left out of it, not of its ceiling."""
    study, metric = datasets["Futrell2018"].load(), metrics[READING.metric].load()
    later = study.measurement.coords["word_within_sentence_id"].values.astype(float) != 1

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        people = target.mean("subject", skipna=True) if "subject" in target.dims else target
        return metric(prediction.isel(presentation=later), people.isel(presentation=later))

    asked = Experiment(study.stimuli, Read("reading_time"), study.setting)
    return Benchmark(
        "Futrell2018-pearsonr", READING, asked, study.measurement, compare, reading_ceiling, (shuffled(),),
        convention=BOUNDED_RATIO,
    )  # fmt: skip


WITHOUT = ("fgd-embed3", "fgd-embed4", "nn-nv-rpl")
"""Suites that Brain-Score does not have."""


def _engineering_card(summary: str, dataset: str, metric: str) -> BenchmarkCard:
    about = datasets[dataset].card
    return benchmark_card(summary, dataset, about, metric, "behavior", parent="engineering", species=("none",))


def _add_suite(suite: str) -> None:
    name, dataset = f"syntaxgym-{suite}", f"SyntaxGym.{suite}"
    what = f"Share of items in which all predictions hold (suite {suite})"
    card = _engineering_card(what, dataset, "predictions_hold")

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Reading times in the place of surprisals; those that are unknown count as 0, as published."""
        study = datasets[dataset].load()
        hold = metrics[card.metric].load(formulas=hu2020.predictions(suite), joint=True, resamples=0)
        asked = Experiment(study.stimuli, Read("reading_time"), study.setting)
        return Benchmark(
            name,
            card,
            asked,
            study.measurement,
            metric=lambda prediction, target: hold(prediction.fillna(0.0), target),
            controls=(shuffled(),),
            convention=PLAIN,
        )


for _suite in hu2020.SUITES:
    if _suite not in WITHOUT:
        _add_suite(_suite)
WIKITEXT = _engineering_card(
    "Share of words of wikitext-2 that are named before they come", "Wikitext2.lines", "next_word_accuracy"
)


@benchmarks.add("Wikitext-accuracy", card=WIKITEXT)
def wikitext_accuracy() -> Benchmark:
    """The raw text, cut at white space: marks such as ``@-@`` and ``<unk>`` are words; the last of a line is not."""
    study, metric = datasets["Wikitext2.lines"].load(), metrics[WIKITEXT.metric].load(resamples=0)
    asked = Experiment(study.stimuli, NextWord(), study.setting)
    floor = Control("most frequent word", most_frequent_word)
    return Benchmark(
        "Wikitext-accuracy", WIKITEXT, asked, study.measurement, metric, controls=(floor,), convention=PLAIN
    )
