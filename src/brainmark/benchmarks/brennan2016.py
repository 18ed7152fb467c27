"""Brennan 2016: six regions of people who hear a chapter of Alice in Wonderland, predicted word by word.

Words are delayed as blood flow is; folds are five blocks in time with a gap of 32 s between training and test, the
shuffled folds that lend a score autocorrelation are reported beside them. All regions are asked for as the language
system: a model answers with the layer that it commits to it.

======================  =============================================================================================
``-ridge``              r of the mean over people, predicted from the words' representations
``.people-ridge``       the same for each of 27 people; ceiling: each with the mean of the others
``-unique``             variance of the mean over people beyond what sound and words cost anyway
``-surprisal``          correlation with the delayed surprisal, given the same nuisance
======================  =============================================================================================
"""

from __future__ import annotations

from brainmark.core import Benchmark, BenchmarkCard, Control, benchmarks, datasets, metrics, shuffled, untrained_twin
from brainmark.core.comparison import Ceiling, Comparison
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Ask, Experiment, Read, Record
from brainmark.core.libraries import np, xr
from brainmark.data.readers.frequency import log_frequency
from brainmark.metrics.language.nuisances import autocorrelation
from brainmark.metrics.regression.predictivity import Predictivity
from brainmark.metrics.statistics.ceilings import split_half
from brainmark.metrics.statistics.splits import Shuffled
from brainmark.metrics.statistics.subjects import leave_one_subject_out
from brainmark.metrics.time.haemodynamics import BLOCK, CANONICAL, Haemodynamic, ceiling_in_volumes
from brainmark.studies.brennan2016 import CITE, LICENCE, REGIONS, by_person

WORDS = ("word_length", "log_frequency", "position")
NUISANCE = ("word_rate", "sound_power", *WORDS)
MEASURES = {  # metric, what it says
    "-ridge": ("bold_ridge", "predicted linearly from the words"),
    ".people-ridge": ("bold_ridge", "person by person, predicted linearly from the words"),
    "-unique": ("bold_unique", "variance that words explain beyond sound power, word rate, length and frequency"),
    "-surprisal": ("bold_partial", "correlated with how unexpected words are, given word rate and frequency"),
}


def _register(region: str, measure: str) -> None:
    name, (metric, summary) = f"Brennan2016.{region}{measure}", MEASURES[measure]
    card = BenchmarkCard(
        summary=f"People listening to a story, {REGIONS[region]} ({region}), {summary}.",
        licence=LICENCE,
        cite=CITE,
        domain="language",
        species=("human",),
        region=region,
        parent=region,
        datasets=("Brennan2016", "Brown.held_out"),
        metric=metric,
        tags=("fMRI", "temporal"),
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """BOLD of one region, volumes of 2 s; a ceiling between people where values are correlations."""
        study = datasets["Brennan2016"].load()
        beyond = metric in ("bold_unique", "bold_partial")
        ask: Ask = Read("surprisal") if metric == "bold_partial" else Record("language_system")
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, ask, study.setting),
            _target(study, region, measure),
            metric=metrics[metric].load(**({"nuisance": NUISANCE} if beyond else {})),
            ceiling=_ceiling(measure),
            controls=(*(() if beyond else _regressors()), untrained_twin(), shuffled()),
        )


def _target(study: Dataset, region: str, measure: str) -> xr.DataArray:
    """One region over time, with the regressors of sound and words; people are repetitions, or neuroids."""
    whole = study.measurement
    target = by_person(whole, region) if "people" in measure else whole.isel(neuroid=[list(REGIONS).index(region)])
    published = [str(c) for c in target.coords if str(c).startswith("published_")]
    return target.drop_vars(published).assign_coords(_delayed_words(study))


def _delayed_words(study: Dataset) -> dict[str, tuple[str, np.ndarray]]:
    """Length, frequency and position of the words, as differences from their means, delayed."""
    assert study.stimuli is not None
    table, run = study.stimuli.table, study.measurement.coords
    columns = [table["length"], log_frequency(table["text"].tolist()), table["position"]]
    values = np.stack([np.asarray(c, float) for c in columns], axis=1)
    start, end = (run[f"time_bin_{side}"].values.astype(float) for side in ("start", "end"))
    series = CANONICAL.series(values - values.mean(axis=0), table["onset"].to_numpy(float), start, end)
    return {name: ("time_bin", series[:, k]) for k, name in enumerate(WORDS)}


def _ceiling(measure: str) -> Ceiling | None:

    if measure == "-unique":
        return None
    if "people" in measure:
        return ceiling_in_volumes(_by_subject(leave_one_subject_out(block=BLOCK)))
    return ceiling_in_volumes(split_half(block=BLOCK), NUISANCE if measure == "-surprisal" else ())


def _by_subject(ceiling: Ceiling) -> Ceiling:
    """A ceiling between subjects, for a target whose neuroids are people."""

    def compare(target: xr.DataArray) -> Comparison:
        from dataclasses import replace

        units = {str(k): v for k, v in target.coords.items() if v.dims == ("neuroid",)}
        people = target.drop_vars(list(units)).rename(neuroid="subject")
        found = ceiling(people.assign_coords(subject=units["subject"].values))
        return replace(found, values=found.values.drop_vars("subject").rename(subject="neuroid").assign_coords(units))

    return compare


def _regressors() -> tuple[Control, ...]:
    """Controls that know no word's meaning: rate and loudness, what words cost, and which volumes are neighbours."""
    return (
        _regressor("word rate", ("word_rate",)),
        _regressor("sound power", ("sound_power",)),
        _regressor("nuisance", NUISANCE),
        Control("OASM", lambda benchmark, _: _volumes(benchmark, None)),
        Control("OASM, shuffled folds", lambda benchmark, _: _volumes(benchmark, 5)),
    )


def _regressor(name: str, columns: tuple[str, ...]) -> Control:
    def compare(benchmark: Benchmark, _: xr.DataArray) -> Comparison:

        assert isinstance(benchmark.metric, Haemodynamic)
        target = benchmark.mean_target
        series = np.stack([target.coords[c].values for c in columns], axis=1)
        return benchmark.metric.compare((series - series.mean(axis=0)) / series.std(axis=0), target)

    return Control(name, compare)


def _volumes(benchmark: Benchmark, shuffled_folds: int | None) -> Comparison:
    """Volumes as themselves, blurred over neighbours (OASM): they know nothing in blocks, and all in shuffled folds."""
    from dataclasses import replace

    metric, target = benchmark.metric, benchmark.mean_target
    assert isinstance(metric, Haemodynamic)
    assert isinstance(metric.metric, Predictivity)
    if shuffled_folds is not None:
        metric = replace(metric, metric=replace(metric.metric, splits=Shuffled(shuffled_folds)))
    return metric.compare(autocorrelation(np.zeros(target.sizes["time_bin"], int), sigma=2.0), target)


for _region in REGIONS:
    for _measure in MEASURES:
        _register(_region, _measure)
