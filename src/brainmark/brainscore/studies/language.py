"""The language benchmarks of Brain-Score under their identifiers, in their convention.

Voxels and electrodes are predicted by least squares over shuffled presentations, or by ridge over whole passages; the
score is the median over them, averaged over splits, divided by a ceiling extrapolated over subjects, cut at 0 and 1.

What differs: the suites of SyntaxGym are those of a later commit (``fgd_hierarchy`` then has predictions that exclude
each other, and everybody scores 0); for ``Wikitext-accuracy`` the published code shows all prefixes of a line one after
another as a single text, here each word is asked for after the words before it in its line, which is what is meant.
``Tuckute2024-rdm`` has one value a sentence, so that its dissimilarities are undefined, as published.
"""

from __future__ import annotations

from brainmark.brainscore.brainio import read_assembly
from brainmark.brainscore.metrics import Extrapolated
from brainmark.brainscore.metrics.ceilings import constant
from brainmark.brainscore.metrics.conventions import BOUNDED_RATIO, PLAIN
from brainmark.brainscore.metrics.language import linear_pearsonr, pearsonr, reading_ceiling, ridge_pearsonr
from brainmark.brainscore.studies.language_data import FILES, LICENCE, REGION, assembly, ceiling_of, study_of
from brainmark.core import (
    Benchmark,
    BenchmarkCard,
    Control,
    InvalidMeasurement,
    benchmarks,
    datasets,
    metrics,
    shuffled,
)
from brainmark.core.comparison import Ceiling, Comparison, Metric
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Experiment, NextWord, Read, Record
from brainmark.core.libraries import xr
from brainmark.data.fetch import fetch
from brainmark.studies import hu2020
from brainmark.studies.running_text import most_frequent_word

EXTRAPOLATED = {  # identifier without its metric: data set, subjects, labels kept together by ridge, folds
    "Blank2014": ("Blank2014.fROI", "subject_id", "story", 8),
    "Fedorenko2016": ("Fedorenko2016.language", "subject_UID", "sentence_id", 10),
}
TUCKUTE = {"linear": "brainscore-linear-pearsonr", "ridge": "brainscore-ridge-pearsonr", "rdm": "brainscore-rdm-cv",
           "cka": "brainscore-cka-cv"}  # fmt: skip
WITHOUT = ("fgd-embed3", "fgd-embed4", "nn-nv-rpl")
"""Suites that Brain-Score does not have."""


def _card(
    summary: str, dataset: str, metric: str, parent: str = REGION, cite: str = "", licence: str = ""
) -> BenchmarkCard:
    return BenchmarkCard(
        summary=f"{summary}, as Brain-Score publishes it.",
        licence=licence or LICENCE,
        cite=cite or FILES[dataset].cite,
        domain="language",
        species=("none",) if parent == "engineering" else ("human",),
        region=parent if parent == REGION else "behavior",
        parent=parent,
        datasets=(dataset,),
        metric=metric,
        tree="brainscore",
        tags=("brainscore",),
    )


def _metric(kind: str, group: str, folds: int = 10) -> Metric:
    """Ridge over whole groups, or least squares over shuffled presentations."""
    return ridge_pearsonr(group, folds) if kind == "ridge" else linear_pearsonr()


def _recorded(name: str, card: BenchmarkCard, study: Dataset, metric: Metric, ceiling: Ceiling | None) -> Benchmark:

    assert study.stimuli is not None
    convention = PLAIN if ceiling is None else BOUNDED_RATIO
    asked = Experiment(study.stimuli, Record(REGION), study.setting)
    return Benchmark(name, card, asked, study.measurement, metric, ceiling, (shuffled(),), convention=convention)


def _register_extrapolated(study: str, kind: str) -> None:
    dataset, subjects, group, folds = EXTRAPOLATED[study]
    name = f"{study}-{kind}{'' if kind == 'ridge' else '-shuffle'}"
    card = _card(f"{FILES[dataset].what}, predicted by {kind} regression", dataset, f"brainscore-{kind}-pearsonr")

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Ceiling: subjects predict each other in growing pools, extrapolated; computed each time, as published."""
        metric = _metric(kind, group, folds)
        return _recorded(name, card, datasets[dataset].load(), metric, Extrapolated(metric, subjects))


def _register_pereira(experiment: str, kind: str) -> None:
    dataset, name = "Pereira2018.language", f"Pereira2018.{experiment}-{kind}{'' if kind == 'ridge' else '-shuffle'}"
    summary = f"Voxels of the language network, experiment of {experiment.removesuffix('sentences')} sentences, {kind}"
    card = _card(summary, dataset, f"brainscore-{kind}-pearsonr")

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Voxels of people who took part in the experiment; the ceiling is the published number."""
        whole = assembly(dataset)
        if "experiment" not in whole.coords:
            raise InvalidMeasurement(f"{dataset}: the assembly has no coordinate 'experiment'")
        part = whole.isel(presentation=whole.coords["experiment"].values.astype(str) == experiment).dropna("neuroid")
        return _recorded(
            name, card, study_of(dataset, part), _metric(kind, "story"), lambda _: _published(experiment, kind)
        )


def _published(experiment: str, kind: str) -> Comparison:
    """Read the ceiling that the authors computed: a number, or centre and error."""
    found = read_assembly(fetch(ceiling_of(f"{experiment}-{kind}")))
    if found.size != 1:
        labels = found.coords["aggregation"].values.astype(str).tolist() if "aggregation" in found.coords else []
        if "center" not in labels:
            raise InvalidMeasurement(
                f"ceiling of {experiment}: {dict(found.sizes)} values, none of which is the centre"
            )
        found = found.isel(aggregation=labels.index("center"))
    return constant(float(found.values.reshape(-1)[0]))


def _register_tuckute(kind: str) -> None:
    dataset, metric = "Tuckute2024.language", TUCKUTE[kind]
    card = _card(f"Mean response of the language network to sentences, {kind}", dataset, metric)

    @benchmarks.add(f"Tuckute2024-{kind}", card=card)
    def load() -> Benchmark:
        """One value a sentence, read alone; no ceiling."""
        options = {"cka": {"unbiased": False, "stratify": None}, "rdm": {"stratify": None}}.get(kind, {})
        study = datasets[dataset].load()
        return _recorded(f"Tuckute2024-{kind}", card, study, metrics[metric].load(**options), None)


READING = _card("Reading times of ten stories, their correlation", "Futrell2018", "brainscore-pearsonr", "behavior")


@benchmarks.add("Futrell2018-pearsonr", card=READING)
def futrell2018_pearsonr() -> Benchmark:
    """Magnitude of r with the mean reader; first words of sentences are left out of it, not of its ceiling."""
    study = datasets["Futrell2018"].load()
    assert study.stimuli is not None
    later = study.measurement.coords["word_within_sentence_id"].values.astype(float) != 1

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        people = target.mean("subject", skipna=True) if "subject" in target.dims else target
        return pearsonr(prediction.values[later], people.values[later])

    asked = Experiment(study.stimuli, Read("reading_time"), study.setting)
    return Benchmark(
        "Futrell2018-pearsonr", READING, asked, study.measurement, compare, reading_ceiling, (shuffled(),),
        convention=BOUNDED_RATIO,
    )  # fmt: skip


def _register_suite(suite: str) -> None:
    name, dataset = f"syntaxgym-{suite}", f"SyntaxGym.{suite}"
    what = f"Share of items in which all predictions hold (suite {suite})"
    card = _card(what, dataset, "predictions_hold", "engineering", "hu2020 gauthier2020", "MIT")

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Reading times in the place of surprisals; those that are unknown count as 0, as published."""
        study, hold = datasets[dataset].load(), metrics["predictions_hold"].load(
            formulas=hu2020.predictions(suite), joint=True, resamples=0
        )  # fmt: skip
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


WIKITEXT = _card(
    "Share of words of wikitext-2 that are named before they come", "Wikitext2.lines", "next_word_accuracy",
    "engineering", datasets["Wikitext2.test"].card.cite, datasets["Wikitext2.test"].card.licence,
)  # fmt: skip


@benchmarks.add("Wikitext-accuracy", card=WIKITEXT)
def wikitext_accuracy() -> Benchmark:
    """The raw text, cut at white space: marks such as ``@-@`` and ``<unk>`` are words; the last of a line is not."""
    study = datasets["Wikitext2.lines"].load()
    metric = metrics["next_word_accuracy"].load(resamples=0)
    asked = Experiment(study.stimuli, NextWord(), study.setting)
    floor = Control("most frequent word", most_frequent_word)
    return Benchmark(
        "Wikitext-accuracy", WIKITEXT, asked, study.measurement, metric, controls=(floor,), convention=PLAIN
    )


for _kind in ("ridge", "linear"):
    for _study in EXTRAPOLATED:
        _register_extrapolated(_study, _kind)
    for _experiment in ("243sentences", "384sentences"):
        _register_pereira(_experiment, _kind)
for _kind in TUCKUTE:
    _register_tuckute(_kind)
for _suite in hu2020.SUITES:
    if _suite not in WITHOUT:
        _register_suite(_suite)
