"""Runs our metrics on the data of one case.

Called as ``python ours.py <number of the case or its attributes in JSON> <data file>``; prints one line of JSON.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from clock import measured, serve

from brainmark.brainscore import metrics as bs
from brainmark.core import Comparison
from brainmark.metrics.statistics.ceilings import split_half
from cases import Case

Data = dict[str, Any]


def ids(numbers: np.ndarray) -> np.ndarray:
    return np.array([f"stimulus{i:05d}" for i in numbers])


def recording(values: np.ndarray, order: np.ndarray, prefix: str, **along: Any) -> xr.DataArray:
    coords = {
        "stimulus_id": ("presentation", ids(order)),
        "neuroid_id": ("neuroid", np.array([f"{prefix}{i:06d}" for i in range(values.shape[1])])),
    }
    return xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords | along)


def pair(case: Case, data: Data) -> tuple[xr.DataArray, xr.DataArray]:
    key, column = ("passage", "passage") if case.kind == "passages" else ("object_name", "names")
    along = {key: ("presentation", data[column]), "subject": ("neuroid", data["subjects"])}
    x = recording(data["x"], data["x_ids"], "unit")
    if case.kind != "passages":
        along["object_name"] = ("presentation", data["names"][data["y_ids"]])
    return x, recording(data["y"], data["y_ids"], "neuroid", **along)


def recordings(case: Case, data: Data) -> Callable[[], Comparison]:
    x, y = pair(case, data)
    stratify = "object_name" if case.stratified else None
    if case.metric == "pearsonr":
        return lambda: bs.pearsonr(data["x"][np.argsort(data["x_ids"]), 0], data["y"][:, 0])
    if case.package == "language":
        group = "passage" if case.kind == "passages" else None
        metric = {
            "linear_pearsonr": lambda: bs.linear_pearsonr(group),
            "ridge_pearsonr": lambda: bs.ridge_pearsonr(group),
            "rdm": bs.rdm,
            "rdm_cv": lambda: bs.rdm_cv(None),
            "cka": lambda: bs.cka(unbiased=False),
            "cka_cv": lambda: bs.cka_cv(unbiased=False, stratify=None),
        }[case.metric]()
        return lambda: metric(x, y)
    if case.metric == "rsa_ceiling":
        return lambda: bs.rsa_ceiling(y)
    metric = {
        "pls": lambda: bs.pls(stratify=stratify),
        "reverse_pls": lambda: bs.reverse_pls(stratify=stratify),
        "ridge": lambda: bs.ridge(stratify=stratify),
        "ridgecv": lambda: bs.ridgecv(stratify=stratify),
        "linear_predictivity": lambda: bs.linear_predictivity(stratify),
        "neuron_to_neuron": lambda: bs.neuron_to_neuron(stratify),
        "rdm": bs.rdm,
        "rdm_cv": lambda: bs.rdm_cv(stratify),
        "cka": bs.cka,
        "cka_biased": lambda: bs.cka(unbiased=False),
        "cka_cv": lambda: bs.cka_cv(stratify=stratify),
    }[case.metric]()
    return lambda: metric(x, y)


def split(case: Case, data: Data) -> Callable[[], Comparison]:
    x, y = pair(case, data)
    name = case.metric.removesuffix("_split").removeprefix("dual_")
    metric = bs.train_test(name.removeprefix("reverse_"), reverse=name.startswith("reverse_"))
    first = int(0.8 * case.n)
    row = np.argsort(data["x_ids"])
    train, test = x.isel(presentation=np.sort(row[:first])), x.isel(presentation=np.sort(row[first:]))
    return lambda: metric(train, test, y[:first], y[first:])


def repetitions(case: Case, data: Data) -> Callable[[], Comparison]:
    trials = data["trials"]
    count, n, q = trials.shape
    if case.metric == "split_half":
        target = xr.DataArray(trials, dims=("repetition", "presentation", "neuroid"))
        return lambda: split_half(halvings=10, resamples=0)(target)
    repetition = ("presentation", np.repeat(np.arange(count), n))
    flat = recording(trials.reshape(count * n, q), np.tile(np.arange(n), count), "neuroid", repetition=repetition)
    return lambda: bs.internal_consistency(flat)


def choices(case: Case, data: Data) -> Callable[[], Comparison]:
    objects = np.array([f"object{i:02d}" for i in range(case.p)])
    truth, image = data["truth"], data["image"]
    people = xr.DataArray(
        objects[data["chosen"]],
        dims="presentation",
        coords={
            "stimulus_id": ("presentation", ids(image)),
            "truth": ("presentation", objects[truth[image]]),
            "sample_obj": ("presentation", objects[truth[image]]),
            "dist_obj": ("presentation", objects[data["other"]]),
        },
    )
    name, _, ceiling = case.metric.partition("_")
    metric = bs.image_level(name)
    if ceiling:
        return lambda: metric.ceiling(people)
    coords = {"stimulus_id": ("presentation", ids(np.arange(case.n))), "choice": objects}
    model = xr.DataArray(data["probabilities"], dims=("presentation", "choice"), coords=coords)
    return lambda: metric(model, people)


def answers(case: Case, data: Data) -> Callable[[], Comparison]:
    names = np.array([f"label{i}" for i in range(6)])
    truth, people = names[data["truth"]], data["people"]

    def as_labelled(values: np.ndarray, repeats: int, **along: Any) -> xr.DataArray:
        coords = {
            "stimulus_id": ("presentation", ids(np.tile(np.arange(case.n), repeats))),
            "truth": ("presentation", np.tile(truth, repeats)),
            "condition": ("presentation", np.tile(data["condition"], repeats)),
        }
        return xr.DataArray(values, dims="presentation", coords=coords | along)

    model = as_labelled(names[data["model"]], 1)
    subject = ("presentation", np.repeat([f"subject{i}" for i in range(case.p)], case.n))
    target = as_labelled(names[people.ravel()], case.p, subject=subject)
    if case.metric == "accuracy":
        return lambda: bs.accuracy(model, truth)
    metric = getattr(bs, case.metric)
    return (lambda: metric(target)) if case.metric.endswith("ceiling") else (lambda: metric(model, target))


def thresholds(case: Case, data: Data) -> Callable[[], Comparison]:
    sides = np.array(["left", "right"])

    def model(which: str) -> xr.DataArray:
        coords = {
            "level": ("presentation", data[f"{which}_level"]),
            "image_label": ("presentation", sides[data[f"{which}_label"]]),
            "choice": sides,
        }
        return xr.DataArray(data[f"{which}_p"], dims=("presentation", "choice"), coords=coords)

    people, base = data["people"], data["people_baseline"]
    if "elevation" not in case.metric:
        if case.metric.endswith("ceiling"):
            return lambda: bs.threshold_ceiling(people)
        return lambda: bs.threshold(model("condition"), people, accuracy=0.75)
    if case.metric.endswith("ceiling"):
        return lambda: bs.threshold_ceiling(bs.elevations(base, people))
    return lambda: bs.threshold_elevation((model("baseline"), model("condition")), (base, people))


def times(case: Case, data: Data) -> Callable[[], dict[Any, Comparison]]:
    bins = {"time_bin_start": ("time_bin", [70.0, 100.0, 130.0]), "time_bin_end": ("time_bin", [100.0, 130.0, 160.0])}

    def binned(values: np.ndarray, order: np.ndarray, prefix: str, **along: Any) -> xr.DataArray:
        flat = recording(values[:, :, 0], order, prefix, **along)
        return xr.DataArray(values, dims=("presentation", "neuroid", "time_bin"), coords={**flat.coords, **bins})

    if case.metric.startswith("internal"):
        count, n = data["trials"].shape[:2]
        along = {"repetition": ("presentation", np.repeat(np.arange(count), n))}
        trials = binned(np.concatenate(data["trials"]), np.tile(np.arange(n), count), "neuroid", **along)
        return lambda: bs.by_time(bs.internal_consistency)(trials)
    x = binned(data["x"], data["x_ids"], "unit")
    y = binned(data["y"], np.arange(case.n), "neuroid", object_name=("presentation", data["names"]))
    metric = getattr(bs, case.metric)(stratify="object_name" if case.stratified else None)
    return lambda: metric(x, y)


def tuning(case: Case, data: Data) -> Callable[[], Comparison]:
    units = data["cells"] if case.metric == "property_ceiling" else data["units"]
    return lambda: bs.property_similarity(units, data["cells"], data["bins"], seed=0)


def values(case: Case, data: Data) -> Callable[[], Comparison]:
    return lambda: bs.value_delta(*map(float, data["pair"]), scale=0.75)


def subjects(case: Case, data: Data) -> Callable[[], Comparison]:
    y = recording(data["y"], np.arange(case.n), "neuroid", subject_id=("neuroid", data["subject"]))
    ceiling = bs.SampledExtrapolation if case.metric.startswith("sampled") else bs.ExtrapolationCeiling
    return lambda: ceiling(bs.linear_pearsonr(), "subject_id")(y)


PREPARE = {
    "recording": recordings,
    "passages": recordings,
    "split": split,
    "repetitions": repetitions,
    "choices": choices,
    "answers": answers,
    "values": values,
    "thresholds": thresholds,
    "subjects": subjects,
    "times": times,
    "tuning": tuning,
}


def score(case: Case, found: Comparison) -> float:
    """Return the score over the splits that the incumbent makes."""
    if found.splits is None or case.splits >= len(found.splits):
        return bs.aggregate(found).value
    return float(np.nanmedian(found.splits.values[: case.splits], axis=1).mean())


def answer(case: Case, data: Data) -> dict[str, Any]:
    found = measured(PREPARE[case.kind](case, data))
    result = found.pop("result")
    bins = result.values() if isinstance(result, dict) else [result]  # one comparison for each time bin
    found["values"] = found["score"] = [score(case, one) for one in bins]
    found["error"] = [bs.aggregate(one).error for one in bins]
    packages = ("brainmark", "numpy", "scipy", "xarray")
    return found | {"versions": {name: importlib.metadata.version(name) for name in packages}}


if __name__ == "__main__":
    serve(answer)
