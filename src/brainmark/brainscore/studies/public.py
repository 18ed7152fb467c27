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
from functools import partial
from typing import NamedTuple

from brainmark.brainscore.brainio import measurement_of
from brainmark.brainscore.files import assembly, read_rows, row, stimulus_set
from brainmark.brainscore.metrics.ceilings import internal_consistency
from brainmark.brainscore.metrics.conventions import (
    BOUNDED_RATIO,
    EXPLAINED_VARIANCE,
    IMAGE_LEVEL,
    OVER_TIME,
    PLAIN,
)
from brainmark.brainscore.metrics.labels import error_consistency_ceiling
from brainmark.brainscore.metrics.regression import by_time, over_bins
from brainmark.brainscore.register import PUBLISHED, register_published
from brainmark.core import (
    Ceiling,
    Choose,
    Dataset,
    Experiment,
    InvalidMeasurement,
    InvalidStimuli,
    Record,
    Setting,
    Stimuli,
    control_model,
    metrics,
    shuffled,
)
from brainmark.core.libraries import np, xr
from brainmark.core.study import Arguments
from brainmark.studies.geirhos2021 import OBJECTS

# --- data sets -------------------------------------------------------------------------------------------------------


class Collection(NamedTuple):
    """What the data sets of a family have in common; `regions` is empty for choices of people."""

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


def read_trials(name: str) -> tuple[xr.DataArray, Stimuli]:
    """Read the trials of each stimulus, in the order in which Brain-Score averages them; see `brainscore.brainio`."""
    return _measure(name, assembly(name))


def _measure(name: str, trials: xr.DataArray) -> tuple[xr.DataArray, Stimuli]:
    """Return the measurement that trials of an assembly make (all of them, or some), and its stimuli."""
    measurement, stimuli = measurement_of(trials), stimulus_set(row("assembly", name).stimuli)
    shown = stimuli.table.index.get_indexer(measurement.coords["stimulus_id"].values)
    return measurement, stimuli.take(shown, row("assembly", name).stimuli)


for _kind, _name in read_rows():
    if _kind == "assembly" and (_about := COLLECTIONS.get(row("assembly", _name).family)):
        PUBLISHED.dataset(
            _name, _name, cite=_about.cite, species=_about.species, regions=_about.regions,
            summary=f"{'Recordings' if _about.regions else 'Choices'} published by Brain-Score: "
            f"{_about.what} ({_name}).",
            sources=row("assembly", _name).sources + row("stimuli", row("assembly", _name).stimuli).sources,
            setting=Setting(degrees=_about.degrees),
        )(read_trials)  # fmt: skip


# --- recordings ------------------------------------------------------------------------------------------------------

RECORDED = {  # identifier: data set, region, labels that every split holds in equal shares, window in ms
    "MajajHong2015public.V4-pls": ("MajajHong2015.public", "V4", "object_name", None),
    "MajajHong2015public.IT-pls": ("MajajHong2015.public", "IT", "object_name", None),
    "FreemanZiemba2013public.V1-pls": ("FreemanZiemba2013.public", "V1", "texture_type", (50.0, 200.0)),
    "FreemanZiemba2013public.V2-pls": ("FreemanZiemba2013.public", "V2", "texture_type", (50.0, 200.0)),
}
STEP = 10.0  # ms, of the temporal benchmarks


def _select_region(data: Dataset, region: str, window: tuple[float, float] | None = None) -> xr.DataArray:
    inside = data.measurement.isel(neuroid=data.measurement.coords["region"].values == region)
    return inside if window is None else _average_window(inside, window)


def _average_window(recording: xr.DataArray, window: tuple[float, float]) -> xr.DataArray:
    """Average the time bins that lie within a window."""
    start, end = (recording.coords[f"time_bin_{edge}"].values for edge in ("start", "end"))
    inside = (start >= window[0]) & (end <= window[1])
    return recording.isel(time_bin=inside).mean("time_bin", keep_attrs=True)


def _average_bins(data: Dataset, region: str, step: float = STEP) -> xr.DataArray:
    """Average into bins of `step` ms from stimulus onset, each measured bin counting by its share in the new one."""
    recording = _select_region(data, region)
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
    return binned.copy(data=values.astype(recording.dtype)).assign_coords(edges)


def _consistency_over_time(_: Dataset) -> Ceiling:
    consistency = by_time(internal_consistency)
    return lambda trials: over_bins(consistency(trials))


for _name, (_dataset, _region, _stratify, _window) in RECORDED.items():
    register_published(
        _name, _dataset, "brainscore-pls", f"Neurons of macaque {_region} predicted by partial least squares",
        region=_region, options={"stratify": _stratify}, ask=Record(_region),
        target=partial(_select_region, region=_region, window=_window), ceiling=lambda _: internal_consistency,
        convention=EXPLAINED_VARIANCE, tags=("many stimuli",),
    )  # fmt: skip
for _region in ("V4", "IT"):
    register_published(
        f"MajajHong2015public.{_region}-temporal-pls", "MajajHong2015.temporal.public", "brainscore-spantime-pls",
        f"Neurons of macaque {_region} in bins of 10 ms, predicted by one partial least squares for all bins",
        region=_region, options={"stratify": "object_name"}, target=partial(_average_bins, region=_region),
        ceiling=_consistency_over_time, controls=(shuffled(),), convention=OVER_TIME, tags=("many stimuli",),
    )  # fmt: skip


# --- choices ---------------------------------------------------------------------------------------------------------

OBJECTOME, IMAGE_LEVEL_METRIC = "Rajalingham2018.public", "brainscore-image-level"


def _ask_objects(data: Dataset) -> Choose:
    """Ask for objects that models learn from the very images that they are asked about, as published."""
    fitting = stimulus_set("objectome.public")
    if "image_label" not in fitting.table.columns:
        raise InvalidStimuli(f"stimuli {fitting.identifier!r}: no column 'image_label' to learn from")
    return Choose(fitting=replace(fitting, table=fitting.table.assign(label=fitting.table["image_label"])))


def _compare_with_trials(_: Dataset) -> Arguments:
    trials = assembly(OBJECTOME)
    return lambda prediction, mean: (prediction, trials)


def _image_level_ceiling(_: Dataset) -> Ceiling:
    trials = assembly(OBJECTOME)
    return lambda target: metrics[IMAGE_LEVEL_METRIC].load().ceiling(trials)  # pyright: ignore[reportFunctionMemberAccess]


register_published(
    "Rajalingham2018public-i2n", OBJECTOME, IMAGE_LEVEL_METRIC,
    "Which of two objects people take each image for, image by image (i2n)", ask=_ask_objects,
    adapt=_compare_with_trials, ceiling=_image_level_ceiling, controls=(control_model("pixels"), shuffled()),
    convention=IMAGE_LEVEL, tags=("many stimuli",),
)  # fmt: skip

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


def _select_conditions(condition: str) -> xr.DataArray:
    """Return the trials in the conditions that count, which are named by text."""
    dataset, excluded = f"Geirhos2021_{condition}", OUT_OF_DISTRIBUTION[condition]
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


def _target(_: Dataset, condition: str) -> xr.DataArray:
    return _measure(f"Geirhos2021_{condition}", _select_conditions(condition))[0]


def _ask(data: Dataset, condition: str, consistency: bool) -> Experiment:
    """Return what is asked: error consistency at 3 degrees, accuracy with images that fill the field of view."""
    stimuli = _measure(data.identifier, _select_conditions(condition))[1]
    return Experiment(stimuli, Choose(OBJECTS), data.setting if consistency else Setting())


def _compare_labels(_: Dataset, condition: str, consistency: bool) -> Arguments:
    """Compare the likeliest labels with the labels that people gave, trial by trial, or with the right ones."""
    trials = _select_conditions(condition) if consistency else None

    def name_likeliest(prediction: xr.DataArray, mean: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
        labels = _name_likeliest(prediction, mean)
        return labels, labels.coords["truth"] if trials is None else trials

    return name_likeliest


def _between_people(_: Dataset, condition: str) -> Ceiling:
    trials = _select_conditions(condition)
    return lambda target: error_consistency_ceiling(trials)


for _condition in OUT_OF_DISTRIBUTION:
    for _consistency, _measured, _metric, _what in (
        (False, "top1", "brainscore-accuracy", "Share of images recognised"),
        (
            True, "error_consistency", "brainscore-error-consistency",
            "Whether errors are made on the same images as by people",
        ),
    ):  # fmt: skip
        register_published(
            f"Geirhos2021{_condition.replace('-', '')}-{_measured}", f"Geirhos2021_{_condition}", _metric,
            f"{_what}, among 16 kinds of objects ({_condition})", parent="behavior" if _consistency else "engineering",
            ask=partial(_ask, condition=_condition, consistency=_consistency),
            target=partial(_target, condition=_condition),
            adapt=partial(_compare_labels, condition=_condition, consistency=_consistency),
            ceiling=partial(_between_people, condition=_condition) if _consistency else None,
            controls=(shuffled(),), convention=BOUNDED_RATIO if _consistency else PLAIN, tags=("many stimuli",),
        )  # fmt: skip
