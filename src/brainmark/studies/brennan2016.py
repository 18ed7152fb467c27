"""Brennan 2016: fMRI of people who hear the first chapter of Alice in Wonderland, six regions of the language network.

27 people, 362 volumes of 2 s, averages over spheres of 6 mm. Time counts from the first volume that was kept: 20 s into
the recording, where the story begins. Of the 28 published people, s33 is left out: all values are zero.

Words are delayed by a haemodynamic response. Folds are five blocks in time with a gap of 32 s between training and
test; what shuffled folds give, which profit from autocorrelation, is reported beside each score. A model answers for
all six regions with the layer that it commits to the language system.

======================  =============================================================================================
``-ridge``              r of the mean over people, predicted from the words' representations
``.people-ridge``       the same for each of 27 people; ceiling: each with the mean of the others
``-unique``             variance of the mean over people beyond sound power and properties of words
``-surprisal``          correlation with the delayed surprisal, given the same nuisance
======================  =============================================================================================
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from brainmark.core import (
    Benchmark,
    Ceiling,
    Comparison,
    Control,
    DataError,
    Dataset,
    Read,
    Record,
    Setting,
    Stimuli,
    Study,
    register_benchmark,
    shuffled,
    untrained_twin,
)
from brainmark.core.libraries import np, pd, xr
from brainmark.data.fetch import GitFolder, read_list
from brainmark.data.readers.corpora import log_frequency
from brainmark.data.readers.textgrid import read_intervals
from brainmark.metrics.language.nuisances import autocorrelation
from brainmark.metrics.regression.predictivity import Predictivity
from brainmark.metrics.statistics.splits import Shuffled
from brainmark.metrics.statistics.subjects import leave_one_subject_out
from brainmark.metrics.time.haemodynamics import BLOCK, CANONICAL, Haemodynamic, ceiling_in_volumes, make_regressors

REGIONS = {
    "LATL": "left anterior temporal lobe",
    "RATL": "right anterior temporal lobe",
    "LPTL": "left posterior temporal lobe",
    "LIPL": "left inferior parietal lobe",
    "LPreM": "left premotor cortex",
    "LIFG": "left inferior frontal gyrus",
}
VOLUME, VOLUMES, DISCARDED = 2000.0, 362, 10  # ms; the first ten volumes (20 s of silence) are not published
PREDICTORS = (
    "rate", "log_frequency", "break", "top_down_depth", "top_down_distance", "bottom_up", "bottom_up_distance",
    "grammar_surprisal", "bigram_surprisal", "trigram_surprisal", "tag_bigram_surprisal", "tag_trigram_surprisal",
)  # fmt: skip
"""Columns of the authors' predictors, already delayed by a haemodynamic response."""
TEXTGRID = "alice_stim_shared/DownTheRabbitHoleFinal_exp120_pad_1.TextGrid"
PUBLISHED = "alice_data_shared/sept18-generic-predictors-under-hrf-with-logfrqhal.txt"
FILES = GitFolder(
    "daandouwe/Thesis@ec54039b6ac5ad7bf8c81b91768108e5be5c1ce0/brain-data/syntax-in-rnng",
    read_list(Path(__file__).parent / "tables" / "brennan2016.tsv"),
)
SUBJECTS = tuple(sorted(name.split("/")[2].partition("-")[0] for name in FILES.files if "/6mm/" in name))
WORDS = ("word_length", "log_frequency", "position")
NUISANCE = ("word_rate", "sound_power", *WORDS)
STUDY = Study(
    licence="CC-BY-4.0", cite="brennan2016", species="human", domain="language", modality="text",
    regions=tuple(REGIONS), sources=FILES.sources, setting=Setting(context="story"),
)  # fmt: skip


@STUDY.dataset(
    "Brennan2016",
    summary="fMRI of 27 people hearing the first chapter of Alice in Wonderland: six language regions, 362 volumes.",
)
def read_bold() -> tuple[xr.DataArray, Stimuli]:
    """Read BOLD, time_bin x neuroid (a region) x repetition (a person), in standard deviations of each time course.

    Along time_bin lie ``word_rate`` and ``sound_power``, as the authors delayed them, and their twelve predictors
    (``published_<name>``). Stimuli are the words, with ``onset`` and ``duration`` in ms.
    """
    bold = np.stack([_z(_columns(f"alice_data_shared/6mm/{s}-timecourses.txt", len(REGIONS))) for s in SUBJECTS], -1)
    start = VOLUME * np.arange(VOLUMES)
    measurement = xr.DataArray(
        bold,
        dims=("time_bin", "neuroid", "repetition"),
        coords={
            "time_bin_start": ("time_bin", start),
            "time_bin_end": ("time_bin", start + VOLUME),
            **{name: ("time_bin", values) for name, values in _read_regressors().items()},
            "neuroid_id": ("neuroid", [f"Brennan2016/{region}" for region in REGIONS]),
            "region": ("neuroid", list(REGIONS)),
            "subject": ("repetition", list(SUBJECTS)),
        },
        attrs={"units": "standard deviations"},
    )
    return measurement, words()


def words() -> Stimuli:
    """Return the words of the story with ``onset`` and ``duration`` (ms after the first volume that was kept)."""
    path = FILES.fetch(TEXTGRID)
    spoken = [i for i in read_intervals(path, "word") if i.text.strip() not in ("", "sp")]  # sp: a pause
    if len(spoken) != 2127:
        raise DataError(f"{path}: {len(spoken)} words; expected 2127")
    text = [i.text.strip() for i in spoken]
    table = pd.DataFrame(
        {
            "text": text,
            "story": "alice",
            "onset": [1000 * i.start - DISCARDED * VOLUME for i in spoken],
            "duration": [1000 * (i.end - i.start) for i in spoken],
            "space_before": [not word.startswith("'") for word in text],  # clitics are annotated apart
            "length": [len(word) for word in text],
            "position": range(len(text)),
        },
        index=pd.Index([f"Brennan2016/{i + 1:04d}" for i in range(len(text))], name="stimulus_id"),
    )
    return Stimuli("Brennan2016", "text", table)


def by_person(measurement: xr.DataArray, region: str) -> xr.DataArray:
    """Return one region with its people as neuroids: time_bin x neuroid, coordinate ``subject``."""
    one = measurement.sel(neuroid=measurement.coords["region"].values == region).isel(neuroid=0, drop=True)
    people = one.coords["subject"].values.astype(str)
    named = one.rename(repetition="neuroid").transpose("time_bin", "neuroid")
    return named.assign_coords(
        neuroid_id=("neuroid", [f"Brennan2016/{region}/{person}" for person in people]),
        region=("neuroid", [region] * len(people)),
    )


def _read_regressors() -> dict[str, np.ndarray]:
    """Read the authors' regressors, volume by volume; those that are given for each person are averaged."""
    measured = {"word_rate": "rate", "sound_power": "sndpwr"}
    each = {
        name: np.mean([_z(_columns(f"alice_data_shared/{s}-{file}.txt", 1)) for s in SUBJECTS], axis=0)[:, 0]
        for name, file in measured.items()
    }
    published = _columns(PUBLISHED, len(PREDICTORS), VOLUMES + DISCARDED)[DISCARDED:]
    return each | {f"published_{name}": published[:, k] for k, name in enumerate(PREDICTORS)}


def _columns(file: str, columns: int, rows: int = VOLUMES) -> np.ndarray:
    path = FILES.fetch(file)
    try:
        values = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise DataError(f"{path}: cannot be read as columns of numbers: {error}") from error
    if values.shape != (rows, columns):
        raise DataError(f"{path}: holds {values.shape}; expected {rows} rows of {columns} numbers")
    return values


def _z(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0)) / values.std(axis=0)


def _target(study: Dataset, region: str, people: bool) -> xr.DataArray:
    """Return one region over time, with the regressors of sound and words; people are repetitions, or neuroids."""
    whole = study.measurement
    target = by_person(whole, region) if people else whole.isel(neuroid=[list(REGIONS).index(region)])
    published = [str(c) for c in target.coords if str(c).startswith("published_")]
    return target.drop_vars(published).assign_coords(_delay_words(study))


def _delay_words(study: Dataset) -> dict[str, tuple[str, np.ndarray]]:
    """Delay length, frequency and position of the words, as differences from their means."""
    table, run = study.shown.table, study.measurement.coords
    columns = [table["length"], log_frequency(table["text"].tolist()), table["position"]]
    values = np.stack([np.asarray(c, float) for c in columns], axis=1)
    start, end = (run[f"time_bin_{side}"].values.astype(float) for side in ("start", "end"))
    series = make_regressors(CANONICAL, values - values.mean(axis=0), table["onset"].to_numpy(float), start, end)
    return {name: ("time_bin", series[:, k]) for k, name in enumerate(WORDS)}


def _between_people(_: Dataset) -> Ceiling:
    """Compare each person with the mean of the others, for a target whose neuroids are people."""
    between = leave_one_subject_out(block=BLOCK)

    def compare(target: xr.DataArray) -> Comparison:
        units = {str(k): v for k, v in target.coords.items() if v.dims == ("neuroid",)}
        people = target.drop_vars(list(units)).rename(neuroid="subject")
        found = between(people.assign_coords(subject=units["subject"].values))
        return replace(found, values=found.values.drop_vars("subject").rename(subject="neuroid").assign_coords(units))

    return ceiling_in_volumes(compare)


def _regressors() -> tuple[Control, ...]:
    """Return controls without meaning: word rate, sound power, all nuisance, and which volumes are neighbours."""
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
    """Predict volumes from which volumes are near in time (OASM): nothing in blocks, almost all in shuffled folds."""
    metric, target = benchmark.metric, benchmark.mean_target
    assert isinstance(metric, Haemodynamic)
    assert isinstance(metric.metric, Predictivity)
    if shuffled_folds is not None:
        metric = replace(metric, metric=replace(metric.metric, splits=Shuffled(shuffled_folds)))
    return metric.compare(autocorrelation(np.zeros(target.sizes["time_bin"], int), sigma=2.0), target)


for _region, _where in REGIONS.items():
    for _measure, _metric, _what in (
        ("-ridge", "bold_ridge", "predicted linearly from the words"),
        (".people-ridge", "bold_ridge", "person by person, predicted linearly from the words"),
        ("-unique", "bold_unique", "variance that words explain beyond sound power, word rate, length and frequency"),
        ("-surprisal", "bold_partial", "correlated with how unexpected words are, given word rate and frequency"),
    ):
        _people, _beyond = "people" in _measure, _metric != "bold_ridge"
        register_benchmark(
            f"Brennan2016.{_region}{_measure}", "Brennan2016", _metric,
            ask=Read("surprisal") if _metric == "bold_partial" else Record("language_system"),
            options={"nuisance": NUISANCE} if _beyond else None,
            target=partial(_target, region=_region, people=_people),
            ceiling=_between_people if _people else "metric",
            controls=(*(() if _beyond else _regressors()), untrained_twin(), shuffled()),
            summary=f"People listening to a story, {_where} ({_region}), {_what}.", region=_region,
            datasets=("Brennan2016", "Brown.held_out"), tags=("fMRI", "temporal"),
        )  # fmt: skip
