"""The public benchmarks of Brain-Score under their identifiers, in their convention: number for number.

Neural predictivity of macaque V1, V2, V4 and IT by partial least squares, image-level errors of people who chose
between two objects, and error consistency on images out of distribution. Values are r^2 / reliability,
r / sqrt(ceiling) and kappa / ceiling as published; see `brainmark.brainscore.metrics` for the faults of these.
"""

from __future__ import annotations

from brainmark.brainscore.files import assembly, stimulus_set
from brainmark.brainscore.metrics import (
    accuracy,
    by_time,
    error_consistency,
    error_consistency_ceiling,
    i2n,
    internal_consistency,
    spantime_pls,
)
from brainmark.brainscore.metrics.conventions import (
    BOUNDED_RATIO,
    EXPLAINED_VARIANCE,
    IMAGE_LEVEL,
    OVER_TIME,
    PLAIN,
    over_bins,
)
from brainmark.brainscore.studies.public_data import FAMILIES, LICENCE, shown_in, study_of
from brainmark.core import (
    Benchmark,
    BenchmarkCard,
    InvalidMeasurement,
    InvalidStimuli,
    Stimuli,
    benchmarks,
    control_model,
    datasets,
    metrics,
    shuffled,
)
from brainmark.core.comparison import Comparison
from brainmark.core.dataset import Dataset
from brainmark.core.experiment import Choose, Experiment, Record, Setting
from brainmark.core.libraries import np, xr
from brainmark.studies.geirhos2021 import OBJECTS

RECORDED = {  # identifier, data set, region, labels that every split holds in equal shares, window in ms
    "MajajHong2015public.V4-pls": ("MajajHong2015.public", "V4", "object_name", None),
    "MajajHong2015public.IT-pls": ("MajajHong2015.public", "IT", "object_name", None),
    "FreemanZiemba2013public.V1-pls": ("FreemanZiemba2013.public", "V1", "texture_type", (50.0, 200.0)),
    "FreemanZiemba2013public.V2-pls": ("FreemanZiemba2013.public", "V2", "texture_type", (50.0, 200.0)),
}
STEP = 10.0  # ms, of the temporal benchmarks
OUT_OF_DISTRIBUTION: dict[
    str, tuple[str | float, ...]
] = {  # conditions left out: no manipulation, or people below a fifth correct
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


def _card(summary: str, dataset: str, family: str, region: str, metric: str, parent: str = "") -> BenchmarkCard:
    return BenchmarkCard(
        summary=summary,
        licence=LICENCE,
        cite=FAMILIES[family].cite,
        domain="vision",
        species=(FAMILIES[family].species,),
        region=region,
        parent=parent or region,
        datasets=(dataset,),
        metric=metric,
        tree="brainscore",
        tags=("brainscore", "many stimuli"),
    )


# --- recordings ------------------------------------------------------------------------------------------------------


def _register_recorded(name: str) -> None:
    dataset, region, stratify, window = RECORDED[name]
    family = dataset.partition(".")[0].lower()
    summary = f"Neurons of macaque {region} predicted by partial least squares, as Brain-Score publishes it."
    card = _card(summary, dataset, family, region, "brainscore-pls")

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Average response of each neuron to each image; ceiling from halves of the repetitions."""
        study = datasets[dataset].load()
        target = _in_region(study, region)
        if window is not None:
            target = _within(target, window)
        return Benchmark(
            name,
            card,
            Experiment(study.stimuli, Record(region), study.setting),
            target,
            metric=metrics["brainscore-pls"].load(stratify=stratify),
            ceiling=internal_consistency,
            controls=(control_model("pixels"), shuffled()),
            convention=EXPLAINED_VARIANCE,
        )


def _register_temporal(region: str) -> None:
    name, dataset = f"MajajHong2015public.{region}-temporal-pls", "MajajHong2015.temporal.public"
    summary = f"Neurons of macaque {region} in bins of 10 ms, predicted by one partial least squares for all bins."
    card = _card(summary, dataset, "majajhong2015", region, "brainscore-pls")

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """A value a bin, as published; the value of the whole is the mean r^2 over the mean reliability of all bins."""
        study = datasets[dataset].load()
        target, bins = _in_bins(_in_region(study, region), STEP)
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


def _in_region(study: Dataset, region: str) -> xr.DataArray:
    return study.measurement.isel(neuroid=study.measurement.coords["region"].values == region)


def _within(recording: xr.DataArray, window: tuple[float, float]) -> xr.DataArray:
    """Average the time bins that lie within a window."""
    start, end = (recording.coords[f"time_bin_{edge}"].values for edge in ("start", "end"))
    inside = (start >= window[0]) & (end <= window[1])
    return recording.isel(time_bin=inside).mean("time_bin", keep_attrs=True)


def _in_bins(recording: xr.DataArray, step: float) -> tuple[xr.DataArray, tuple[tuple[float, float], ...]]:
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


# --- choices ---------------------------------------------------------------------------------------------------------

I2N = _card(
    "Which of two objects people take each image for, image by image (i2n), as Brain-Score publishes it.",
    "Rajalingham2018.public",
    "rajalingham2018",
    "behavior",
    "choice_pattern",
)


@benchmarks.add("Rajalingham2018public-i2n", card=I2N)
def rajalingham2018_i2n() -> Benchmark:
    """Models learn the objects from the very images that they are asked about, as published."""
    trials = assembly("Rajalingham2018.public")
    study = study_of("Rajalingham2018.public", trials)
    compare = i2n()
    return Benchmark(
        "Rajalingham2018public-i2n",
        I2N,
        Experiment(shown_in(study), Choose(fitting=_labelled("objectome.public")), study.setting),
        study.measurement,
        metric=lambda prediction, _: compare(prediction, trials),
        ceiling=lambda _: compare.ceiling(trials),
        controls=(control_model("pixels"), shuffled()),
        convention=IMAGE_LEVEL,
    )


def _labelled(name: str) -> Stimuli:
    """Stimuli to learn from: ``image_label`` is the label."""
    from dataclasses import replace

    stimuli = stimulus_set(name)
    if "image_label" not in stimuli.table.columns:
        raise InvalidStimuli(f"stimuli {name!r}: no column 'image_label' to learn from")
    return replace(stimuli, table=stimuli.table.assign(label=stimuli.table["image_label"]))


def _register_out_of_distribution(condition: str, measure: str) -> None:
    dataset = f"Geirhos2021_{condition}"
    name = f"Geirhos2021{condition.replace('-', '')}-{measure}"
    consistency = measure == "error_consistency"
    what = "Whether errors are made on the same images as by people" if consistency else "Share of images recognised"
    card = _card(
        f"{what}, among 16 kinds of objects ({condition}), as Brain-Score publishes it.",
        dataset,
        "geirhos2021",
        "behavior",
        "error_consistency" if consistency else "accuracy",
        "behavior" if consistency else "engineering",
    )

    @benchmarks.add(name, card=card)
    def load() -> Benchmark:
        """Error consistency: images at 3 degrees, ceiling between people. Accuracy: images fill the field of view."""
        trials = _included(dataset, OUT_OF_DISTRIBUTION[condition])
        study = study_of(dataset, trials)
        truth = study.measurement.coords["truth"].values

        def compare(prediction: xr.DataArray, mean: xr.DataArray) -> Comparison:
            labels = _named(prediction, mean)
            return error_consistency(labels, trials) if consistency else accuracy(labels.values, truth)

        return Benchmark(
            name,
            card,
            Experiment(shown_in(study), Choose(OBJECTS), study.setting if consistency else Setting()),
            study.measurement,
            metric=compare,
            ceiling=(lambda _: error_consistency_ceiling(trials)) if consistency else None,
            controls=(shuffled(),),
            convention=BOUNDED_RATIO if consistency else PLAIN,
        )


def _included(dataset: str, excluded: tuple[str | float, ...]) -> xr.DataArray:
    """Trials in the conditions that count, which are named by text."""
    trials = assembly(dataset)
    for coordinate in ("condition", "truth", "subject"):
        if coordinate not in trials.coords:
            raise InvalidMeasurement(f"{dataset}: the assembly has no coordinate {coordinate!r}")
    conditions = trials.coords["condition"].values
    trials = trials.assign_coords(condition=("presentation", conditions.astype(str)))
    return trials.isel(presentation=~np.isin(conditions, np.array(excluded))) if excluded else trials


def _named(prediction: xr.DataArray, target: xr.DataArray) -> xr.DataArray:
    """Probabilities -> the likeliest label of each stimulus, with what is known of it."""
    likeliest = prediction.transpose("presentation", "choice").values.argmax(axis=1)
    known = {c: ("presentation", target.coords[c].values) for c in ("stimulus_id", "truth", "condition")}
    return xr.DataArray(prediction.coords["choice"].values[likeliest], dims="presentation", coords=known)


for _name in RECORDED:
    _register_recorded(_name)
for _region in ("V4", "IT"):
    _register_temporal(_region)
for _condition in OUT_OF_DISTRIBUTION:
    for _measure in ("top1", "error_consistency"):
        _register_out_of_distribution(_condition, _measure)
