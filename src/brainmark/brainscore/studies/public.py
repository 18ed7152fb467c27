"""The public collection of Brain-Score: recordings of macaque and human cortex and choices of people, with stimuli.

Data sets bear the names of its registrations, benchmarks their identifiers, in their convention, number for number:
neural predictivity of macaque V1, V2, V4 and IT by partial least squares, image-level errors of people who chose
between two objects, and error consistency on images out of distribution. Values are r^2 / reliability,
r / sqrt(ceiling) and kappa / ceiling as published; see `brainmark.brainscore.metrics` for the faults of these.
Measurements that are no trials of stimuli (thresholds, properties of cells, triplets) are not registered here; their
files are read with `brainmark.brainscore.files.assembly`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from brainmark.brainscore.brainio import measurement_of
from brainmark.brainscore.cards import benchmark_card, dataset_card
from brainmark.brainscore.files import assembly, read_rows, row, stimulus_set
from brainmark.brainscore.metrics.ceilings import internal_consistency
from brainmark.brainscore.metrics.conventions import (
    BOUNDED_RATIO,
    EXPLAINED_VARIANCE,
    IMAGE_LEVEL,
    OVER_TIME,
    PLAIN,
    over_bins,
)
from brainmark.brainscore.metrics.labels import error_consistency_ceiling
from brainmark.brainscore.metrics.regression import by_time, spantime_pls
from brainmark.core import (
    Benchmark,
    Comparison,
    DatasetCard,
    InvalidMeasurement,
    InvalidStimuli,
    Setting,
    Stimuli,
    benchmarks,
    control_model,
    datasets,
    metrics,
    shuffled,
)
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Choose, Experiment, Record
from brainmark.core.libraries import np, xr
from brainmark.studies.geirhos2021 import OBJECTS

# --- data sets -------------------------------------------------------------------------------------------------------


class Collection(NamedTuple):
    """What the data sets of a family have in common: `regions` are empty where people chose."""

    what: str
    cite: str
    degrees: float
    species: str = "human"
    regions: tuple[str, ...] = ()


VENTRAL = ("V1", "V2", "V4", "IT")
COLLECTIONS = {
    "majajhong2015": Collection(
        "V4 and IT of two macaques, objects on natural backgrounds", "majajhong2015", 8.0, "macaque", ("V4", "IT")
    ),
    "freemanziemba2013": Collection(
        "V1 and V2 of macaques, natural textures and noise of the same spectrum",
        "freemanziemba2013", 4.0, "macaque", ("V1", "V2"),
    ),
    "cadena2017": Collection("V1 of macaques, natural images and textures", "cadena2017", 2.0, "macaque", ("V1",)),
    "li2026": Collection("visual cortex of macaques, natural scenes", "li2026", 11.0, "macaque", VENTRAL),
    "coggan2024_fMRI": Collection("occluded objects, human fMRI", "coggan2024", 9.0, "human", VENTRAL),
    "rajalingham2018": Collection("which of two of 24 objects people take an image for", "rajalingham2018", 8.0),
    "geirhos2021": Collection("which of 16 kinds of objects people see", "geirhos2021", 3.0),
    "baker2022": Collection("people recognising silhouettes whose configuration is destroyed", "baker2022", 8.8),
    "bmd2024": Collection("people recognising textured and dotted objects", "schrimpf2018", 8.0),
    "coggan2024_behavior": Collection("people recognising occluded objects", "coggan2024", 10.0),
    "ferguson2024": Collection("people finding the odd one among distractors", "ferguson2024", 8.0),
    "lonnqvist2024": Collection("people recognising fragmented contours", "schrimpf2018", 17.70753),
    "maniquet2024": Collection("people recognising manipulated objects", "maniquet2024", 8.0),
    "scialom2024": Collection("people recognising segments and phosphenes of objects", "schrimpf2018", 8.0),
}  # fmt: skip
CARDS: dict[str, DatasetCard] = {}


def study_of(name: str, trials: xr.DataArray) -> Dataset:
    """Make a study of trials of the data set `name` (all of them, or some)."""
    found = row("assembly", name)
    measurement, stimuli = measurement_of(trials), stimulus_set(found.stimuli)
    shown = stimuli.table.index.get_indexer(measurement.coords["stimulus_id"].values)
    setting = Setting(degrees=COLLECTIONS[found.family].degrees)
    return Dataset(name, CARDS[name], measurement, stimuli.take(shown, found.stimuli), setting)


def _add_dataset(name: str) -> None:
    found = row("assembly", name)
    about = COLLECTIONS[found.family]
    CARDS[name] = dataset_card(
        f"{'Recordings' if about.regions else 'Choices'} published by Brain-Score: {about.what} ({name}).",
        cite=about.cite, species=(about.species,), regions=about.regions,
        sources=found.sources + row("stimuli", found.stimuli).sources,
    )  # fmt: skip

    @datasets.add(name, card=CARDS[name])
    def load() -> Dataset:
        """Trials of each stimulus, in the order in which Brain-Score averages them; see `brainscore.brainio`."""
        return study_of(name, assembly(name))


for _kind, _name in read_rows():
    if _kind == "assembly" and row("assembly", _name).family in COLLECTIONS:
        _add_dataset(_name)


# --- recordings ------------------------------------------------------------------------------------------------------

RECORDED = {  # identifier: data set, region, labels that every split holds in equal shares, window in ms
    "MajajHong2015public.V4-pls": ("MajajHong2015.public", "V4", "object_name", None),
    "MajajHong2015public.IT-pls": ("MajajHong2015.public", "IT", "object_name", None),
    "FreemanZiemba2013public.V1-pls": ("FreemanZiemba2013.public", "V1", "texture_type", (50.0, 200.0)),
    "FreemanZiemba2013public.V2-pls": ("FreemanZiemba2013.public", "V2", "texture_type", (50.0, 200.0)),
}
STEP = 10.0  # ms, of the temporal benchmarks


def _add_recorded(name: str) -> None:
    dataset, region, stratify, window = RECORDED[name]
    summary = f"Neurons of macaque {region} predicted by partial least squares"
    card = benchmark_card(summary, dataset, CARDS[dataset], "brainscore-pls", region, tags=("many stimuli",))

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Average response of each neuron to each image; ceiling from halves of the repetitions."""
        study = datasets[dataset].load()
        target = _select_region(study, region)
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Record(region), study.setting),
            target if window is None else _average_window(target, window),
            metric=metrics[card.metric].load(stratify=stratify),
            ceiling=internal_consistency,
            controls=(control_model("pixels"), shuffled()),
            convention=EXPLAINED_VARIANCE,
        )


def _add_temporal(region: str) -> None:
    name, dataset = f"MajajHong2015public.{region}-temporal-pls", "MajajHong2015.temporal.public"
    summary = f"Neurons of macaque {region} in bins of 10 ms, predicted by one partial least squares for all bins"
    card = benchmark_card(summary, dataset, CARDS[dataset], "brainscore-pls", region, tags=("many stimuli",))

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """A value a bin, as published; the value of the whole is the mean r^2 over the mean reliability of all bins."""
        study = datasets[dataset].load()
        target, bins = _average_bins(_select_region(study, region), STEP)
        spanned, consistency = spantime_pls(), by_time(internal_consistency)
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Record(region, bins), study.setting),
            target,
            metric=lambda prediction, mean: over_bins(spanned(prediction, mean)),
            ceiling=lambda trials: over_bins(consistency(trials)),
            controls=(shuffled(),),
            convention=OVER_TIME,
        )


def _select_region(study: Dataset, region: str) -> xr.DataArray:
    return study.measurement.isel(neuroid=study.measurement.coords["region"].values == region)


def _average_window(recording: xr.DataArray, window: tuple[float, float]) -> xr.DataArray:
    """Average the time bins that lie within a window."""
    start, end = (recording.coords[f"time_bin_{edge}"].values for edge in ("start", "end"))
    inside = (start >= window[0]) & (end <= window[1])
    return recording.isel(time_bin=inside).mean("time_bin", keep_attrs=True)


def _average_bins(recording: xr.DataArray, step: float) -> tuple[xr.DataArray, tuple[tuple[float, float], ...]]:
    """Average into bins of `step` ms from stimulus onset, each measured bin counting by its share in the new one."""
    start, end = (recording.coords[f"time_bin_{edge}"].values.astype(float) for edge in ("start", "end"))
    starts = np.arange(0.0, end.max() - step, step)
    overlap = np.minimum(end, starts[:, None] + step) - np.maximum(start, starts[:, None])
    share = np.clip(overlap, 0, None) / (end - start)
    weights = share / share.sum(axis=1, keepdims=True)
    values = np.einsum("...t,bt->...b", recording.transpose(..., "time_bin").values, weights)
    dims = [str(d) for d in recording.dims if d != "time_bin"]
    bins = tuple((float(s), float(s + step)) for s in starts)
    binned = recording.isel(time_bin=0, drop=True).transpose(*dims).expand_dims(time_bin=len(bins), axis=-1)
    edges = {f"time_bin_{edge}": ("time_bin", [b[k] for b in bins]) for k, edge in enumerate(("start", "end"))}
    return binned.copy(data=values.astype(recording.dtype)).assign_coords(edges), bins


for _name in RECORDED:
    _add_recorded(_name)
for _region in ("V4", "IT"):
    _add_temporal(_region)


# --- choices ---------------------------------------------------------------------------------------------------------

I2N = benchmark_card(
    "Which of two objects people take each image for, image by image (i2n)",
    "Rajalingham2018.public", CARDS["Rajalingham2018.public"], "brainscore-image-level", "behavior",
    tags=("many stimuli",),
)  # fmt: skip


@benchmarks.add("Rajalingham2018public-i2n", card=I2N)
def rajalingham2018_i2n() -> Benchmark:
    """Models learn the objects from the very images that they are asked about, as published."""
    trials = assembly("Rajalingham2018.public")
    study = study_of("Rajalingham2018.public", trials)
    fitting = stimulus_set("objectome.public")
    if "image_label" not in fitting.table.columns:
        raise InvalidStimuli(f"stimuli {fitting.identifier!r}: no column 'image_label' to learn from")
    fitting = replace(fitting, table=fitting.table.assign(label=fitting.table["image_label"]))
    compare = metrics[I2N.metric].load()
    return Benchmark(
        "Rajalingham2018public-i2n",
        I2N,
        Experiment(_stimuli(study), Choose(fitting=fitting), study.setting),
        study.measurement,
        metric=lambda prediction, _: compare(prediction, trials),
        ceiling=lambda _: compare.ceiling(trials),
        controls=(control_model("pixels"), shuffled()),
        convention=IMAGE_LEVEL,
    )


OUT_OF_DISTRIBUTION: dict[str, tuple[str | float, ...]] = {
    # conditions left out: no manipulation, or people below a fifth correct
    "colour": ("cr",),
    "contrast": ("c100", "c03", "c01"),
    "cue-conflict": (),
    "edge": (),
    "eidolonI": ("1-10-10", "64-10-10", "128-10-10"),
    "eidolonII": ("1-3-10", "32-3-10", "64-3-10", "128-3-10"),
    "eidolonIII": ("1-0-10", "16-0-10", "32-0-10", "64-0-10", "128-0-10"),
    "false-colour": ("False-Colour",),
    "high-pass": (float("inf"), 0.55, 0.45, 0.4),
    "low-pass": (0, 15, 40),
    "phase-scrambling": (0, 150, 180),
    "power-equalisation": ("0",),
    "rotation": (0,),
    "silhouette": (),
    "sketch": (),
    "stylized": (),
    "uniform-noise": (0.0, 0.6, 0.9),
}


def _add_out_of_distribution(condition: str, measure: str) -> None:
    dataset, name = f"Geirhos2021_{condition}", f"Geirhos2021{condition.replace('-', '')}-{measure}"
    consistency = measure == "error_consistency"
    what = "Whether errors are made on the same images as by people" if consistency else "Share of images recognised"
    card = benchmark_card(
        f"{what}, among 16 kinds of objects ({condition})", dataset, CARDS[dataset],
        "brainscore-error-consistency" if consistency else "brainscore-accuracy", "behavior",
        parent="behavior" if consistency else "engineering", tags=("many stimuli",),
    )  # fmt: skip

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Error consistency: images at 3 degrees, ceiling between people. Accuracy: images fill the field of view."""
        trials = _select_conditions(dataset, OUT_OF_DISTRIBUTION[condition])
        study, metric = study_of(dataset, trials), metrics[card.metric].load()

        def compare(prediction: xr.DataArray, mean: xr.DataArray) -> Comparison:
            labels = _name_likeliest(prediction, mean)
            return metric(labels, trials if consistency else labels.coords["truth"])

        return Benchmark(
            name,
            card,
            Experiment(_stimuli(study), Choose(OBJECTS), study.setting if consistency else Setting()),
            study.measurement,
            metric=compare,
            ceiling=(lambda _: error_consistency_ceiling(trials)) if consistency else None,
            controls=(shuffled(),),
            convention=BOUNDED_RATIO if consistency else PLAIN,
        )


def _select_conditions(dataset: str, excluded: tuple[str | float, ...]) -> xr.DataArray:
    """Return the trials in the conditions that count, which are named by text."""
    trials = assembly(dataset)
    for coordinate in ("condition", "truth", "subject"):
        if coordinate not in trials.coords:
            raise InvalidMeasurement(f"{dataset}: the assembly has no coordinate {coordinate!r}")
    conditions = trials.coords["condition"].values
    trials = trials.assign_coords(condition=("presentation", conditions.astype(str)))
    return trials.isel(presentation=~np.isin(conditions, np.array(excluded))) if excluded else trials


def _name_likeliest(prediction: xr.DataArray, target: xr.DataArray) -> xr.DataArray:
    """Return the likeliest label of each stimulus, with what is known of it."""
    likeliest = prediction.transpose("presentation", "choice").values.argmax(axis=1)
    known = {c: ("presentation", target.coords[c].values) for c in ("stimulus_id", "truth", "condition")}
    return xr.DataArray(prediction.coords["choice"].values[likeliest], dims="presentation", coords=known)


def _stimuli(study: Dataset) -> Stimuli:
    assert study.stimuli is not None  # those of this collection are all published
    return study.stimuli


for _condition in OUT_OF_DISTRIBUTION:
    for _measure in ("top1", "error_consistency"):
        _add_out_of_distribution(_condition, _measure)
